// Reads a buffer of weights, four at a time along the sum. Printed once for each buffer: `WEIGHTS`
// stands for its name.
//
// Layout     [groups][K/4][SPAN] vec4 over K. A group is what one workgroup reads, from end to end.
//            int8: behind them one f32 scale for each column of each group, [groups][SPAN]. They share
//            the buffer because some layers have no storage binding left.

#if F32
fn load_WEIGHTS(at: u32) -> vec4f { return WEIGHTS[at]; }
#endif

#if F16_UNPACKED
fn load_WEIGHTS(at: u32) -> vec4f {
  let halves = WEIGHTS[at];
  return vec4f(unpack2x16float(halves.x), unpack2x16float(halves.y));
}
#endif

// shader-f16: multiplied as they are stored. Four products are added up in f16, sums of these in f32.
#if F16_ARITHMETIC
fn load_WEIGHTS(at: u32) -> vec4<f16> { return WEIGHTS[at]; }
#endif

#if INT8
fn load_WEIGHTS(at: u32) -> vec4f { return unpack4x8snorm(WEIGHTS[at]); }
fn scale_WEIGHTS(group: u32, column: u32) -> f32 {
  return bitcast<f32>(WEIGHTS[SCALES + group * SPAN + column]);
}
#endif
