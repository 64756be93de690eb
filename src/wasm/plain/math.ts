// Functions of one number for the plain kernels. Arithmetic is JavaScript's, in float64; what is stored is rounded
// to float32. NaN gives NaN.
import * as id from '../assembly/ids.ts';

/** A function of one number with two parameters. */
export type Scalar = (x: number, alpha: number, beta: number) => number;

// Beyond it the ratio below is 1 as exactly as float32 has it.
const TANH_END = 7.90531110763549805;

/**
 * tanh x: relative error 3e-7. A ratio of two polynomials, with the coefficients of Eigen
 * (https://gitlab.com/libeigen/eigen, generic_fast_tanh_float); a third of the time of Math.tanh.
 */
export function tanh(given: number): number {
  const x = given > TANH_END ? TANH_END : given < -TANH_END ? -TANH_END : given;
  const s = x * x;
  let p = s * -2.76076847742355e-16 + 2.00018790482477e-13;
  p = p * s - 8.60467152213735e-11;
  p = p * s + 5.12229709037114e-8;
  p = p * s + 1.48572235717979e-5;
  p = p * s + 6.37261928875436e-4;
  p = p * s + 4.89352455891786e-3;
  let q = s * 1.19825839466702e-6 + 1.18534705686654e-4;
  q = q * s + 2.268434632439e-3;
  q = q * s + 4.89352518554385e-3;
  return (x * p) / q;
}

/** 1 / (1 + e^-x) for the gates of cells: absolute error 1.4e-7. */
export const gate = (x: number): number => 0.5 + 0.5 * tanh(0.5 * x);

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
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
  [id.SIGMOID]: sigmoid,
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
  [id.SWISH]: (x, alpha) => x * sigmoid(alpha * x),
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
