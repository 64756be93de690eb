// Statements of persistent.wgsl, once for each product: the weights and scales that stay
// in registers for all time steps.
#if WEIGHTS_IN_REGISTERS
var REGISTERS: array<array<Weight4, REGISTER_VECTORS>, TILES>; // [unit of the invocation][k · GATES + gate]
@unroll for (var m = 0u; m < TILES; m++) {
  // Not unrolled: SwiftShader and llvmpipe hold the array in memory, and there may be a thousand.
  for (var i = 0u; i < REGISTER_VECTORS; i++) {
    REGISTERS[m][i] = load_r(((instance * TILES + m) * REGISTER_VECTORS + i) * LANES + lane);
  }
}
#endif
#if SCALED
var SCALES: array<array<f32, GATES>, TILES>;
@unroll for (var m = 0u; m < TILES; m++) {
  @unroll for (var g = 0u; g < GATES; g++) {
    SCALES[m][g] = scale_r(instance * TILES + m, g * LANES + lane);
  }
}
#endif
