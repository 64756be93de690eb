// Functions that kernels share, safe for large arguments: drivers with fast math return NaN for
// exp and tanh far from zero, so the arguments are limited to where the result no longer changes.

/** WGSL: sigmoid, safeTanh, softplus, erf for f32. */
export const MATH = `
fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0)));
}
fn safeTanh(x: f32) -> f32 {
  // tanh by exp loses digits near zero to cancellation; an odd polynomial serves there.
  let a = abs(x);
  let e = exp(-2.0 * min(a, 15.0));
  let far = (1.0 - e) / (1.0 + e);
  let q = x * x;
  let near = a * (1.0 + q * (-0.33333334 + q * (0.13333334 + q * (-0.05396825 + q * 0.021869488))));
  return sign(x) * select(far, near, a < 0.25);
}
fn softplus(x: f32) -> f32 {
  return max(x, 0.0) + log(1.0 + exp(-min(abs(x), 87.0)));
}
fn erf(x: f32) -> f32 {
  // Abramowitz and Stegun 7.1.26, |error| <= 1.5e-7.
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741
    + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - p * exp(-min(a * a, 87.0)));
}
`;
