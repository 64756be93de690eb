// Four terms of the sums of a tile, for one vec4 along K:
//
//   acc[s][row] += W[s, k … k+3] · v[row, k … k+3]        for all sums s and rows of the invocation
//
// Statements of step.wgsl, project.wgsl and persistent.wgsl, which name what is multiplied: WEIGHT is the
// load of W for sum `s`, VECTOR the load of v for row `j`. One load of W serves ROWS rows, one load of v
// SUMS sums (register blocking). Sums are f32 whatever the type of the weights.
var weights: array<Weight4, SUMS>;
@unroll for (var s = 0u; s < SUMS; s++) { weights[s] = WEIGHT; }
var vectors: array<vec4f, LOADS>;
@unroll for (var j = 0u; j < LOADS; j++) { vectors[j] = VECTOR; }
@unroll for (var row = 0u; row < ROWS; row++) {
  #if SHARED_LOADS
  let v = Weight4(subgroupBroadcast(vectors[row / SHARERS], row % SHARERS));
  #else
  let v = Weight4(vectors[row]);
  #endif
  @unroll for (var s = 0u; s < SUMS; s++) { acc[s][row] += f32(dot(weights[s], v)); }
}
