// Functions of elementwise operators that WGSL lacks, or whose precision it leaves open. Each is printed
// into a kernel only where the kernel calls it.

#if erf
fn erf(x: f32) -> f32 {
  // Abramowitz and Stegun 7.1.26, |error| <= 1.5e-7.
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741
    + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - p * exp(-min(a * a, 87.0)));
}
#endif

// WGSL allows sin and cos an absolute error of 2^-11 within [-π, π] and any error beyond
// (https://www.w3.org/TR/WGSL/#concrete-float-accuracy). Cody-Waite: x = (k + shift)·π + r, the multiple
// of π subtracted in three parts; then the Taylor series up to r^11, |error| <= 6e-8.
#if sinReduced
fn sinReduced(x: f32, k: f32) -> f32 {
  let r = fma(-k, 1.5099579e-7, fma(-k, 9.67502594e-4, fma(-k, 3.140625, x)));
  let s = r * r;
  return r + r * s * (-0.16666667 + s * (8.3333333e-3 + s * (-1.9841270e-4
    + s * (2.7557319e-6 - s * 2.5052108e-8))));
}
fn negateIfOdd(y: f32, k: f32) -> f32 { return select(y, -y, k != 2.0 * floor(k * 0.5)); }
#endif
#if sine
fn sine(x: f32) -> f32 {
  let k = round(x * 0.31830989);
  return negateIfOdd(sinReduced(x, k), k);
}
#endif
#if cosine
fn cosine(x: f32) -> f32 {
  let k = floor(x * 0.31830989);
  return -negateIfOdd(sinReduced(x, k + 0.5), k);
}
#endif

// pow of WGSL takes no negative base, and its logarithm loses digits where a product is exact.
#if power
fn power(x: f32, y: f32) -> f32 {
  let whole = y == floor(y);
  if (whole && abs(y) <= 8.0) {
    var p = 1.0;
    for (var n = 0; n < 8; n++) { p *= select(1.0, x, n < i32(abs(y))); }
    return select(p, 1.0 / p, y < 0.0);
  }
  if (y == 0.5) { return sqrt(x); }
  let p = pow(select(x, abs(x), whole), y);
  return orNan(orNan(select(p, -p, whole && x < 0.0 && y != 2.0 * floor(y * 0.5)), x), y);
}
#endif
#if intPower
fn intPower(x: i32, y: i32) -> i32 {
  if (y < 0) { // 1 / x^-y without its fraction; 0 for a base of 0
    return select(0, select(x, 1, (y & 1) == 0), abs(x) == 1);
  }
  var p = 1;
  var square = x;
  for (var bit = 0u; bit < 31u; bit++) {
    p *= select(1, square, ((y >> bit) & 1) == 1);
    square *= square;
  }
  return p;
}
#endif

// By hand: how pack2x16float rounds, and what it makes of numbers beyond the range of half precision,
// is left open (https://www.w3.org/TR/WGSL/#pack2x16float-builtin).
#if toHalf
fn toHalf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let sign = bits & 0x80000000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return x; } // NaN
  if (size >= 0x477ff000u) { return bitcast<f32>(sign | 0x7f800000u); } // 65520 and beyond
  if (size < 0x38800000u) { return round(x * 16777216.0) * 5.9604644775390625e-8; } // steps of 2^-24
  return bitcast<f32>(sign | ((size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u));
}
#endif
