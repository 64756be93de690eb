// Reads the input of a layer, four features at a time. `at` is the place of a row in `x`, in elements of
// the buffer: vec4 where the number of features is a multiple of 4.
#if ALIGNED
fn loadInput(at: u32, k: u32) -> vec4f { return x[at + k]; }
#else
fn loadInput(at: u32, k: u32) -> vec4f {
  // The last vector may lie partly beyond the features: zeros there, without a read out of bounds.
  let i = k * 4u;
  const last = FEATURES - 1u;
  return vec4f(
    x[at + i],
    select(0.0, x[at + min(i + 1u, last)], i + 1u < FEATURES),
    select(0.0, x[at + min(i + 2u, last)], i + 2u < FEATURES),
    select(0.0, x[at + min(i + 3u, last)], i + 3u < FEATURES),
  );
}
#endif
