// Functions of one number for the plain kernels. Arithmetic is JavaScript's, in float64; what is stored is rounded
// to float32. NaN gives NaN.
import * as id from '../assembly/ids.ts';

/** A function of one number with two parameters. */
export type Scalar = (x: number, alpha: number, beta: number) => number;

const FRACTIONS = 64;
/** 2^(j / 64), and 2^(k - 1023): what a power of two is made of. */
const ROOTS = Float64Array.from({ length: FRACTIONS }, (_, j) => 2 ** (j / FRACTIONS));
const POWERS = Float64Array.from({ length: 2048 }, (_, k) => 2 ** (k - 1023));
// ln 2 / 64 in two parts, the first one short enough for its multiples to be exact.
const HIGH = Math.fround(Math.LN2 / FRACTIONS);
const LOW = Math.LN2 / FRACTIONS - HIGH + 2.3190468138462996e-17 / FRACTIONS;
/** 1.5 · 2^52: adding and subtracting it rounds to a whole number. */
const ROUNDER = 6755399441055744;
/** Beyond this a float64 overflows, or is subnormal; float32 has infinity and zero long before. */
const LIMIT = 708;

/**
 * e^x in half the time of Math.exp, for arguments of activations: relative error below 1e-15 where |x| <= 708, 0 or
 * Infinity beyond that. Whole and 64th powers of two come from tables, the rest from a polynomial.
 */
export function exp(x: number): number {
  if (x > LIMIT) return Infinity;
  if (x < -LIMIT) return 0;
  const n = x * (FRACTIONS / Math.LN2) + ROUNDER - ROUNDER;
  const r = x - n * HIGH - n * LOW;
  const p = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))));
  const i = n | 0;
  return p * ROOTS[i & 63]! * POWERS[(i >> 6) + 1023]!;
}

/**
 * tanh x: relative error below 1e-13, in less time than Math.tanh takes. By the exponential near zero, digits would cancel;
 * the Taylor polynomial serves there.
 */
export function tanh(x: number): number {
  const s = x * x;
  if (s < 1e-4) return x * (1 - s * (1 / 3 - s * (2 / 15 - s * (17 / 315))));
  return 1 - 2 / (1 + exp(2 * x));
}

/**
 * 1 / (1 + e^-x), of gates too. Not by a ratio of polynomials: what a forget gate near 1 lacks of it adds up in a cell state
 * over hundreds of steps.
 */
export const gate = (x: number): number => 1 / (1 + exp(-x));

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(exp(-Math.abs(x)));
const elu = (x: number, alpha: number): number => (x < 0 ? alpha * Math.expm1(x) : x);

/** The error function: absolute error 1.5e-7 (Abramowitz and Stegun 7.1.26). */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = t * 1.061405429 - 1.453152027;
  const q = ((p * t + 1.421413741) * t - 0.284496736) * t + 0.254829592;
  const y = 1 - q * t * Math.exp(-x * x);
  return x < 0 ? -y : y;
}

/** Halves go to the even neighbour. */
function round(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** Functions of float32 by their ids. */
export const SCALARS: Readonly<Record<number, Scalar>> = {
  [id.RELU]: (x) => Math.max(x, 0),
  [id.TANH]: tanh,
  [id.SIGMOID]: gate,
  [id.AFFINE]: (x, alpha, beta) => alpha * x + beta,
  [id.LEAKY_RELU]: (x, alpha) => (x < 0 ? alpha * x : x),
  [id.THRESHOLDED_RELU]: (x, alpha) => (x > alpha ? x : 0),
  [id.SCALED_TANH]: (x, alpha, beta) => alpha * tanh(beta * x),
  [id.HARD_SIGMOID]: (x, alpha, beta) => clamp(alpha * x + beta, 0, 1),
  [id.ELU]: elu,
  [id.SOFTSIGN]: (x) => x / (1 + Math.abs(x)),
  [id.SOFTPLUS]: softplus,
  [id.SELU]: (x, alpha, beta) => beta * elu(x, alpha),
  [id.EXP]: Math.exp,
  [id.RELU6]: (x) => clamp(x, 0, 6),
  [id.SWISH]: (x, alpha) => x * gate(alpha * x),
  [id.HARD_SWISH]: (x) => x * clamp(x / 6 + 0.5, 0, 1),
  [id.MISH]: (x) => x * tanh(softplus(x)),
  [id.SQRT]: Math.sqrt,
  [id.LOG]: Math.log,
  [id.ABS]: Math.abs,
  [id.NEG]: (x) => -x,
  [id.RECIPROCAL]: (x) => 1 / x,
  [id.ERF]: erf,
  [id.FLOOR]: Math.floor,
  [id.CEIL]: Math.ceil,
  [id.ROUND]: round,
  [id.SIGN]: Math.sign,
  [id.SIN]: Math.sin,
  [id.COS]: Math.cos,
  [id.GELU]: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  [id.GELU_TANH]: (x) => 0.5 * x * (1 + tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  [id.CELU]: (x, alpha) => Math.max(x, 0) + Math.min(alpha * Math.expm1(x / alpha), 0),
};
