// Kernels that fold rows, or work on a row as a whole.
import * as id from '../assembly/ids.ts';
import { wordAt, type PlainKernel } from './memory.ts';

function largest(f32: Float32Array, x: number, n: number): number {
  let top = -Infinity;
  for (let k = 0; k < n; k++) top = Math.max(top, f32[x + k]!);
  return top;
}
function smallest(f32: Float32Array, x: number, n: number): number {
  let top = Infinity;
  for (let k = 0; k < n; k++) top = Math.min(top, f32[x + k]!);
  return top;
}
function sum(f32: Float32Array, x: number, n: number): number {
  let total = 0;
  for (let k = 0; k < n; k++) total += f32[x + k]!;
  return total;
}
function sumOfSizes(f32: Float32Array, x: number, n: number): number {
  let total = 0;
  for (let k = 0; k < n; k++) total += Math.abs(f32[x + k]!);
  return total;
}
/** The sum of (x - shift)². */
function sumOfSquares(f32: Float32Array, x: number, n: number, shift = 0): number {
  let total = 0;
  for (let k = 0; k < n; k++) {
    const d = f32[x + k]! - shift;
    total += d * d;
  }
  return total;
}
function product(f32: Float32Array, x: number, n: number): number {
  let total = 1;
  for (let k = 0; k < n; k++) total *= f32[x + k]!;
  return total;
}
/** The sum of e^(x - shift). */
function sumOfExp(f32: Float32Array, x: number, n: number, shift: number): number {
  let total = 0;
  for (let k = 0; k < n; k++) total += Math.exp(f32[x + k]! - shift);
  return total;
}

/** Softmax of rows, or its logarithm. Arguments: x, out, rows, size, log. */
export const softmax: PlainKernel = ({ f32, i32 }, p) => {
  const [rows, n, isLog] = [i32[p + 2]!, i32[p + 3]!, i32[p + 4] !== 0];
  let [x, out] = [wordAt(i32[p]!), wordAt(i32[p + 1]!)];
  for (let r = 0; r < rows; r++, x += n, out += n) {
    const top = largest(f32, x, n);
    if (isLog) {
      const shift = Math.log(sumOfExp(f32, x, n, top));
      for (let k = 0; k < n; k++) f32[out + k] = f32[x + k]! - top - shift;
      continue;
    }
    let total = 0;
    for (let k = 0; k < n; k++) {
      const e = Math.exp(f32[x + k]! - top);
      f32[out + k] = e;
      total += e;
    }
    const scale = 1 / total;
    for (let k = 0; k < n; k++) f32[out + k] = f32[out + k]! * scale;
  }
};

function folded(f32: Float32Array, kind: number, x: number, n: number): number {
  switch (kind) {
    case id.SUM:
      return sum(f32, x, n);
    case id.MEAN:
      return sum(f32, x, n) / n;
    case id.MAXIMUM:
      return largest(f32, x, n);
    case id.MINIMUM:
      return smallest(f32, x, n);
    case id.PRODUCT:
      return product(f32, x, n);
    case id.L1:
      return sumOfSizes(f32, x, n);
    case id.L2:
      return Math.sqrt(sumOfSquares(f32, x, n));
    case id.LOG_SUM:
      return Math.log(sum(f32, x, n));
    case id.SUM_SQUARE:
      return sumOfSquares(f32, x, n);
    default: {
      const top = largest(f32, x, n);
      return Number.isFinite(top) ? top + Math.log(sumOfExp(f32, x, n, top)) : top;
    }
  }
}

/** One number for each row. Arguments: kind, x, out, rows, size. */
export const reduce: PlainKernel = ({ f32, i32 }, p) => {
  const [kind, rows, n] = [i32[p]!, i32[p + 3]!, i32[p + 4]!];
  const [x, out] = [wordAt(i32[p + 1]!), wordAt(i32[p + 2]!)];
  for (let r = 0; r < rows; r++) f32[out + r] = folded(f32, kind, x + r * n, n);
};

/** (x - mean) / sqrt(variance + epsilon) of rows. Arguments: x, out or 0, rows, size, epsilon, means or 0, inverse deviations or 0. */
export const normalize: PlainKernel = ({ f32, i32 }, p) => {
  const [rows, n, epsilon] = [i32[p + 2]!, i32[p + 3]!, f32[p + 4]!];
  const [x, out] = [wordAt(i32[p]!), wordAt(i32[p + 1]!)];
  const [means, inverses] = [wordAt(i32[p + 5]!), wordAt(i32[p + 6]!)];
  for (let r = 0; r < rows; r++) {
    const from = x + r * n;
    const mean = sum(f32, from, n) / n;
    const inverse = 1 / Math.sqrt(sumOfSquares(f32, from, n, mean) / n + epsilon);
    if (out !== 0)
      for (let k = 0; k < n; k++) f32[out + r * n + k] = (f32[from + k]! - mean) * inverse;
    if (means !== 0) f32[means + r] = mean;
    if (inverses !== 0) f32[inverses + r] = inverse;
  }
};
