// out = expression(a, b, …): a chain of elementwise operators as one expression of up to seven inputs,
// which broadcast. Generated per chain: OPERANDS, STEPS, EXPRESSION and what loads the inputs.
//
// Invocation  four neighbouring elements of out, one vec4 store.
// Buffers     A … G  the inputs, by strides; vec4, so that a dense input is one load
//             out    dense; vec4. Buffers hold whole groups of four elements
// Uniforms    count: groups of four. With `vectorized` the strides are those of groups of four, except
//             that an input whose bit is set in `broadcastMask` has one element for all four. Without,
//             strides are those of single elements. aFrom, bFrom …: where each input begins.
fn apply(OPERANDS i: u32) -> Scalar {
  STEPS;
  return Scalar(EXPRESSION);
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  #if STRIDED
  if (params.vectorized == 0u) {
    var result: Scalar4;
    for (var j = 0u; j < 4u; j++) {
      ELEMENT_OFFSETS;
      result[j] = apply(ELEMENTS i * 4u + j);
    }
    out[i] = result;
    return;
  }
  GROUP_OFFSETS;
  #endif
  LOADS;
  out[i] = Scalar4(
    apply(LANE_0 i * 4u),
    apply(LANE_1 i * 4u + 1u),
    apply(LANE_2 i * 4u + 2u),
    apply(LANE_3 i * 4u + 3u),
  );
}
