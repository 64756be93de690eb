// Functions that WGSL lacks, or whose precision far from zero it leaves open. Each is printed into a
// kernel only where the kernel calls it.
//
// exp and tanh: a driver with fast math may return NaN or lose all digits for large arguments, as tanh
// does on Metal (https://github.com/gpuweb/gpuweb/issues/4458), so the arguments are limited to where
// the result no longer changes.

#if sigmoid
fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0)));
}
#endif

#if safeTanh
fn safeTanh(x: f32) -> f32 {
  // tanh by exp loses digits near zero to cancellation; the odd Taylor polynomial serves there.
  let a = abs(x);
  let e = exp(-2.0 * min(a, 15.0));
  let far = (1.0 - e) / (1.0 + e);
  let q = x * x;
  let near = a * (1.0 + q * (-0.33333334 + q * (0.13333334 + q * (-0.05396825 + q * 0.021869488))));
  return sign(x) * select(far, near, a < 0.25);
}
#endif

#if softplus
fn softplus(x: f32) -> f32 {
  return max(x, 0.0) + log(1.0 + exp(-min(abs(x), 87.0)));
}
#endif
