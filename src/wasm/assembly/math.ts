// Functions of four float32 numbers at a time, with their error bounds. NaN gives NaN in all of them:
// pmin and pmax return their first operand where either is NaN.
import * as id from './ids';

@external("math", "sin") declare function sin64(x: f64): f64;
@external("math", "cos") declare function cos64(x: f64): f64;
@external("math", "pow") declare function pow64(x: f64, y: f64): f64;

/** One argument of a kernel. */
@inline export function int(p: usize, k: i32): i32 { return load<i32>(p + (<usize>k << 2)); }
@inline export function ptr(p: usize, k: i32): usize { return <usize>load<i32>(p + (<usize>k << 2)); }
@inline export function num(p: usize, k: i32): f32 { return load<f32>(p + (<usize>k << 2)); }

/**
 * a · b + c, rounded once where the engine has relaxed SIMD and the processor a fused multiply-add. Where the engine
 * has not, `unfused` makes a product and a sum of it.
 */
@inline export function mad(a: v128, b: v128, c: v128): v128 { return f32x4.relaxed_madd(a, b, c); }

@inline function at(x: f32): v128 { return f32x4.splat(x); }

@inline function clamp(x: v128, low: f32, high: f32): v128 {
  return f32x4.pmax(f32x4.pmin(x, at(high)), at(low));
}

// 1.5 · 2^23: adding it rounds to a whole number, which is then in the low bits.
const ROUNDER: f32 = 12582912.0;
const ROUNDER_BITS: i32 = 0x4b400000;

// e^r for |r| <= ln 2 / 2, relative error 1e-7 (Cephes expf, https://www.netlib.org/cephes/).
@inline function expSmall(r: v128): v128 {
  let p = mad(r, at(1.9875691500e-4), at(1.3981999507e-3));
  p = mad(p, r, at(8.3334519073e-3));
  p = mad(p, r, at(4.1665795894e-2));
  p = mad(p, r, at(1.6666665459e-1));
  p = mad(p, r, at(5.0000001201e-1));
  return f32x4.add(mad(p, f32x4.mul(r, r), r), at(1));
}

// x - n ln 2, with ln 2 in two parts so that nothing is lost.
@inline function reduced(x: v128, n: v128): v128 {
  return mad(n, at(2.12194440e-4), mad(n, at(-0.693359375), x));
}

/** e^x: relative error 2.5e-7 where the result is normal; subnormals, 0 and infinity as they should be. */
export function exp4(given: v128): v128 {
  const x = clamp(given, -104, 89);
  const m = mad(x, at(1.44269504088896341), at(ROUNDER));
  const p = expSmall(reduced(x, f32x4.sub(m, at(ROUNDER))));
  // The scale is applied in two halves: 2^n itself may be out of range.
  const n = i32x4.sub(m, i32x4.splat(ROUNDER_BITS));
  const half = i32x4.shr_s(n, 1);
  const one = i32x4.splat(127);
  const first = i32x4.shl(i32x4.add(half, one), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(n, half), one), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** 1 / (1 + e^-x): absolute error 1.5e-7, and 0 for -88.5 and below. */
@inline export function sigmoid4(given: v128): v128 {
  const x = clamp(f32x4.neg(given), -87, 89);
  const m = mad(x, at(1.44269504088896341), at(ROUNDER));
  const p = expSmall(reduced(x, f32x4.sub(m, at(ROUNDER))));
  // 2^n, infinity for n = 128. A product, for adding n to the exponent would make NaN a number.
  const scale = i32x4.shl(i32x4.add(m, i32x4.splat(127)), 23);
  return f32x4.div(at(1), mad(p, scale, at(1)));
}

/**
 * tanh x: relative error 4e-7, absolute 4e-43 for subnormal x. A ratio of two polynomials, with the coefficients of Eigen
 * (https://gitlab.com/libeigen/eigen, generic_fast_tanh_float).
 */
@inline export function tanh4(given: v128): v128 {
  const x = clamp(given, -7.90531110763549805, 7.90531110763549805);
  const s = f32x4.mul(x, x);
  let p = mad(s, at(-2.76076847742355e-16), at(2.00018790482477e-13));
  p = mad(p, s, at(-8.60467152213735e-11));
  p = mad(p, s, at(5.12229709037114e-8));
  p = mad(p, s, at(1.48572235717979e-5));
  p = mad(p, s, at(6.37261928875436e-4));
  p = mad(p, s, at(4.89352455891786e-3));
  let q = mad(s, at(1.19825839466702e-6), at(1.18534705686654e-4));
  q = mad(q, s, at(2.26843463243900e-3));
  q = mad(q, s, at(4.89352518554385e-3));
  return f32x4.div(f32x4.mul(x, p), q);
}

/** ln x: relative error 3e-7, absolute 1e-7 near 1 (Cephes logf). */
export function log4(x: v128): v128 {
  // Subnormal numbers are scaled up by 2^23.
  const tiny = f32x4.lt(x, at(1.17549435e-38));
  const bits = v128.bitselect(f32x4.mul(x, at(8388608)), x, tiny);
  let e = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(bits, 23), v128.bitselect(i32x4.splat(149), i32x4.splat(126), tiny)));
  let m = v128.or(v128.and(bits, i32x4.splat(0x7fffff)), i32x4.splat(0x3f000000));
  const low = f32x4.lt(m, at(0.707106781186547524));
  e = f32x4.sub(e, v128.and(low, at(1)));
  m = f32x4.sub(f32x4.add(m, v128.and(low, m)), at(1));
  const z = f32x4.mul(m, m);
  let y = mad(m, at(7.0376836292e-2), at(-1.1514610310e-1));
  y = mad(y, m, at(1.1676998740e-1));
  y = mad(y, m, at(-1.2420140846e-1));
  y = mad(y, m, at(1.4249322787e-1));
  y = mad(y, m, at(-1.6668057665e-1));
  y = mad(y, m, at(2.0000714765e-1));
  y = mad(y, m, at(-2.4999993993e-1));
  y = mad(y, m, at(3.3333331174e-1));
  y = f32x4.mul(f32x4.mul(y, m), z);
  y = mad(e, at(-2.12194440e-4), y);
  y = mad(z, at(-0.5), y);
  y = mad(e, at(0.693359375), f32x4.add(m, y));
  // 0 gives -infinity; what is negative gives NaN; infinity and NaN give themselves.
  y = v128.bitselect(at(-Infinity), y, f32x4.eq(x, at(0)));
  y = v128.bitselect(at(NaN), y, f32x4.lt(x, at(0)));
  const beyond = v128.not(f32x4.lt(x, at(Infinity)));
  return v128.bitselect(x, y, beyond);
}

/** ln(1 + e^-|x|) + max(x, 0). */
function softplus4(x: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(x)));
  return f32x4.add(f32x4.max(x, at(0)), log4(f32x4.add(at(1), e)));
}

/** The error function: absolute error 7e-7 (Abramowitz and Stegun 7.1.26). */
function erf4(x: v128): v128 {
  const a = f32x4.abs(x);
  const t = f32x4.div(at(1), mad(a, at(0.3275911), at(1)));
  let p = mad(t, at(1.061405429), at(-1.453152027));
  p = mad(p, t, at(1.421413741));
  p = mad(p, t, at(-0.284496736));
  p = mad(p, t, at(0.254829592));
  const y = f32x4.sub(at(1), f32x4.mul(f32x4.mul(p, t), exp4(f32x4.neg(f32x4.mul(x, x)))));
  return v128.or(y, v128.and(x, i32x4.splat(0x80000000)));
}

/** scale · (e^x - 1) below zero. */
function elu4(x: v128, alpha: f32): v128 {
  const e = f32x4.mul(at(alpha), f32x4.sub(exp4(f32x4.pmin(x, at(0))), at(1)));
  return v128.bitselect(e, x, f32x4.lt(x, at(0)));
}

function sine1(x: f32, cosine: bool): f32 { return <f32>(cosine ? cos64(x) : sin64(x)); }
function sine4(x: v128, cosine: bool): v128 {
  return f32x4(
    sine1(f32x4.extract_lane(x, 0), cosine), sine1(f32x4.extract_lane(x, 1), cosine),
    sine1(f32x4.extract_lane(x, 2), cosine), sine1(f32x4.extract_lane(x, 3), cosine),
  );
}

// Conversion as of JavaScript typed arrays: the fraction goes, what is left wraps around.
function toInt1(x: f32): i32 {
  if (Mathf.abs(x) < 2147483648.0) return <i32>x;
  if (!isFinite(x)) return 0;
  const y = Math.trunc(<f64>x);
  return <i32><u32>(y - Math.floor(y / 4294967296.0) * 4294967296.0);
}
function toInt4(x: v128): v128 {
  const small = f32x4.lt(f32x4.abs(x), at(2147483648.0));
  if (v128.any_true(v128.not(small))) {
    return i32x4(
      toInt1(f32x4.extract_lane(x, 0)), toInt1(f32x4.extract_lane(x, 1)),
      toInt1(f32x4.extract_lane(x, 2)), toInt1(f32x4.extract_lane(x, 3)),
    );
  }
  return i32x4.trunc_sat_f32x4_s(x);
}

/** A function of one number by its id. */
export function unary4(kind: i32, x: v128, alpha: f32, beta: f32): v128 {
  switch (kind) {
    case id.RELU: return f32x4.max(x, at(0));
    case id.TANH: return tanh4(x);
    case id.SIGMOID: return sigmoid4(x);
    case id.AFFINE: return f32x4.add(f32x4.mul(x, at(alpha)), at(beta));
    case id.LEAKY_RELU: return v128.bitselect(f32x4.mul(x, at(alpha)), x, f32x4.lt(x, at(0)));
    case id.THRESHOLDED_RELU: return v128.and(x, f32x4.gt(x, at(alpha)));
    case id.SCALED_TANH: return f32x4.mul(at(alpha), tanh4(f32x4.mul(x, at(beta))));
    case id.HARD_SIGMOID: return clamp(f32x4.add(f32x4.mul(x, at(alpha)), at(beta)), 0, 1);
    case id.ELU: return elu4(x, alpha);
    case id.SOFTSIGN: return f32x4.div(x, f32x4.add(at(1), f32x4.abs(x)));
    case id.SOFTPLUS: return softplus4(x);
    case id.SELU: return f32x4.mul(at(beta), elu4(x, alpha));
    case id.EXP: return exp4(x);
    case id.RELU6: return clamp(x, 0, 6);
    case id.SWISH: return f32x4.mul(x, sigmoid4(f32x4.mul(x, at(alpha))));
    case id.HARD_SWISH: return f32x4.mul(x, clamp(f32x4.add(f32x4.div(x, at(6)), at(0.5)), 0, 1));
    case id.MISH: return f32x4.mul(x, tanh4(softplus4(x)));
    case id.SQRT: return f32x4.sqrt(x);
    case id.LOG: return log4(x);
    case id.ABS: return f32x4.abs(x);
    case id.NEG: return f32x4.neg(x);
    case id.RECIPROCAL: return f32x4.div(at(1), x);
    case id.ERF: return erf4(x);
    case id.FLOOR: return f32x4.floor(x);
    case id.CEIL: return f32x4.ceil(x);
    case id.ROUND: return f32x4.nearest(x);
    case id.SIGN: {
      const one = v128.and(at(1), f32x4.gt(x, at(0)));
      const sign = v128.bitselect(at(-1), one, f32x4.lt(x, at(0)));
      return v128.bitselect(sign, x, f32x4.eq(x, x));
    }
    case id.SIN: return sine4(x, false);
    case id.COS: return sine4(x, true);
    case id.NOT: return i32x4.sub(i32x4.splat(1), x);
    case id.IS_NAN: return v128.and(f32x4.ne(x, x), i32x4.splat(1));
    case id.GELU: return f32x4.mul(f32x4.mul(x, at(0.5)), f32x4.add(at(1), erf4(f32x4.mul(x, at(0.70710678118654752)))));
    case id.GELU_TANH: {
      const cube = f32x4.mul(f32x4.mul(x, x), x);
      const inner = f32x4.mul(at(0.79788456080286536), mad(cube, at(0.044715), x));
      return f32x4.mul(f32x4.mul(x, at(0.5)), f32x4.add(at(1), tanh4(inner)));
    }
    case id.CELU: {
      const e = f32x4.mul(at(alpha), f32x4.sub(exp4(f32x4.div(x, at(alpha))), at(1)));
      return f32x4.add(f32x4.max(x, at(0)), f32x4.min(e, at(0)));
    }
    case id.TO_BOOL: return v128.and(f32x4.ne(x, at(0)), i32x4.splat(1));
    case id.TO_FLOAT: return f32x4.convert_i32x4_s(x);
    case id.TO_INT: return toInt4(x);
    case id.INT_TO_BOOL: return v128.and(i32x4.ne(x, i32x4.splat(0)), i32x4.splat(1));
    case id.INT_NEG: return i32x4.neg(x);
    case id.INT_ABS: return i32x4.abs(x);
  }
  return x;
}

@inline function flag(mask: v128): v128 { return v128.and(mask, i32x4.splat(1)); }

/** A function of two or three numbers by its id. */
export function binary4(kind: i32, a: v128, b: v128, c: v128): v128 {
  switch (kind) {
    case id.ADD: return f32x4.add(a, b);
    case id.SUB: return f32x4.sub(a, b);
    case id.MUL: return f32x4.mul(a, b);
    case id.DIV: return f32x4.div(a, b);
    case id.MIN: return f32x4.min(a, b);
    case id.MAX: return f32x4.max(a, b);
    case id.EQUAL: return flag(f32x4.eq(a, b));
    case id.LESS: return flag(f32x4.lt(a, b));
    case id.LESS_OR_EQUAL: return flag(f32x4.le(a, b));
    case id.PRELU: return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, at(0)));
    case id.POW:
      return f32x4(
        <f32>pow64(f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0)), <f32>pow64(f32x4.extract_lane(a, 1), f32x4.extract_lane(b, 1)),
        <f32>pow64(f32x4.extract_lane(a, 2), f32x4.extract_lane(b, 2)), <f32>pow64(f32x4.extract_lane(a, 3), f32x4.extract_lane(b, 3)),
      );
    case id.SELECT: return v128.bitselect(c, b, i32x4.eq(a, i32x4.splat(0)));
    case id.INT_ADD: return i32x4.add(a, b);
    case id.INT_SUB: return i32x4.sub(a, b);
    case id.INT_MUL: return i32x4.mul(a, b);
    case id.INT_MIN: return i32x4.min_s(a, b);
    case id.INT_MAX: return i32x4.max_s(a, b);
    case id.INT_EQUAL: return flag(i32x4.eq(a, b));
    case id.INT_LESS: return flag(i32x4.lt_s(a, b));
    case id.INT_LESS_OR_EQUAL: return flag(i32x4.le_s(a, b));
    case id.AND: return v128.and(a, b);
    case id.OR: return v128.or(a, b);
    case id.XOR: return v128.xor(a, b);
  }
  return a;
}
