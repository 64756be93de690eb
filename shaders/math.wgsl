// Functions that WGSL lacks, or whose precision far from zero it leaves open. Each is printed into a
// kernel only where the kernel calls it.
//
// exp and tanh: a driver with fast math may return NaN or lose all digits for large arguments, as tanh
// does on Metal (https://github.com/gpuweb/gpuweb/issues/4458), so the arguments are limited to where
// the result no longer changes.
//
// NaN: clamp, min and max may return either operand where one is NaN, and a compiler may assume that no
// operand is (https://www.w3.org/TR/WGSL/#floating-point-evaluation); exp and log of SwiftShader return numbers.
// So NaN is recognised by its bits, which no such assumption reaches, and put back behind whatever may have
// dropped it.

#if isNan
fn isNan(x: f32) -> bool { return (bitcast<i32>(x) & 0x7fffffff) > 0x7f800000; }
#endif

// `value`, or x where x is NaN.
#if orNan
fn orNan(value: f32, x: f32) -> f32 { return select(value, x, isNan(x)); }
#endif

#if sigmoid
fn sigmoid(x: f32) -> f32 {
  return orNan(1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0))), x);
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
  return orNan(sign(x) * select(far, near, a < 0.25), x);
}
#endif

// The larger and the smaller of two numbers; NaN where either is NaN.
#if maxNan
fn maxNan(x: f32, y: f32) -> f32 { return orNan(orNan(max(x, y), x), y); }
#endif

#if minNan
fn minNan(x: f32, y: f32) -> f32 { return orNan(orNan(min(x, y), x), y); }
#endif

#if softplus
fn softplus(x: f32) -> f32 {
  return orNan(max(x, 0.0) + log(1.0 + exp(-min(abs(x), 87.0))), x);
}
#endif
