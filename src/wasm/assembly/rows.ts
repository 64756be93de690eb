// Kernels that fold rows, or work on a row as a whole.
import * as id from './ids';
import { exp4, int, log4, num, ptr } from './math';


// The combination of two sums, products or extremes. The identity is `initial`.
function combine4(kind: i32, a: v128, b: v128): v128 {
  switch (kind) {
    case id.MAXIMUM: return f32x4.max(a, b);
    case id.MINIMUM: return f32x4.min(a, b);
    case id.PRODUCT: return f32x4.mul(a, b);
  }
  return f32x4.add(a, b);
}
function initial(kind: i32): f32 {
  return kind == id.MAXIMUM ? -Infinity : kind == id.MINIMUM ? Infinity : kind == id.PRODUCT ? 1 : 0;
}
@inline function mapped(kind: i32, x: v128): v128 {
  if (kind == id.L1) return f32x4.abs(x);
  if (kind == id.L2 || kind == id.SUM_SQUARE) return f32x4.mul(x, x);
  return x;
}

/** The first numbers of four, and the identity in place of the others. */
function masked(x: v128, left: i32, other: f32): v128 {
  if (left >= 4) return x;
  const lanes = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left));
  return v128.bitselect(x, f32x4.splat(other), lanes);
}

function joined(kind: i32, v: v128): f32 {
  const w = combine4(kind, v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(combine4(kind, w, i8x16.shuffle(w, w, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)), 0);
}

function fold(kind: i32, x: usize, n: i32): f32 {
  const start = initial(kind);
  let sum = f32x4.splat(start);
  for (let k = 0; k < n; k += 4, x += 16) sum = combine4(kind, sum, masked(mapped(kind, v128.load(x)), n - k, start));
  return joined(kind, sum);
}

/** Sum of e^(x - max), and the terms at `out` where that is not 0. */
function foldExp(x: usize, out: usize, n: i32, max: f32): f32 {
  const shift = f32x4.splat(max);
  let sum = f32x4.splat(0);
  for (let k = 0; k < n; k += 4, x += 16) {
    const e = exp4(f32x4.sub(v128.load(x), shift));
    if (out) { v128.store(out, e); out += 16; }
    sum = f32x4.add(sum, masked(e, n - k, 0));
  }
  return joined(id.SUM, sum);
}

function log1(x: f32): f32 { return f32x4.extract_lane(log4(f32x4.splat(x)), 0); }

/** Softmax of rows, or its logarithm. Arguments: x, out, rows, size, log. */
export function softmax(p: usize): void {
  let x = ptr(p, 0), out = ptr(p, 1);
  const n = int(p, 3), isLog = int(p, 4) != 0;
  for (let r = 0; r < int(p, 2); r++, x += <usize>n << 2, out += <usize>n << 2) {
    const max = fold(id.MAXIMUM, x, n);
    const sum = foldExp(x, isLog ? 0 : out, n, max);
    const scale = f32x4.splat(isLog ? log1(sum) : 1 / sum), shift = f32x4.splat(max);
    for (let k = 0; k < n; k += 4) {
      const o = <usize>k << 2;
      if (isLog) v128.store(out + o, f32x4.sub(f32x4.sub(v128.load(x + o), shift), scale));
      else v128.store(out + o, f32x4.mul(v128.load(out + o), scale));
    }
  }
}

/** One number for each row. Arguments: kind, x, out, rows, size. */
export function reduce(p: usize): void {
  const kind = int(p, 0), n = int(p, 4);
  let x = ptr(p, 1), out = ptr(p, 2);
  for (let r = 0; r < int(p, 3); r++, x += <usize>n << 2, out += 4) {
    let y: f32;
    if (kind == id.LOG_SUM_EXP) {
      y = fold(id.MAXIMUM, x, n);
      if (isFinite(y)) y += log1(foldExp(x, 0, n, y));
    } else {
      y = fold(kind, x, n);
      if (kind == id.MEAN) y /= <f32>n;
      if (kind == id.L2) y = sqrt<f32>(y);
      if (kind == id.LOG_SUM) y = log1(y);
    }
    store<f32>(out, y);
  }
}

/** (x - mean) / sqrt(variance + epsilon) of rows. Arguments: x, out or 0, rows, size, epsilon, means or 0, inverse deviations or 0. */
export function normalize(p: usize): void {
  const n = int(p, 3), means = ptr(p, 5), inverses = ptr(p, 6);
  let x = ptr(p, 0), out = ptr(p, 1);
  for (let r = 0; r < int(p, 2); r++, x += <usize>n << 2) {
    const mean = fold(id.SUM, x, n) / <f32>n, shift = f32x4.splat(mean);
    let sum = f32x4.splat(0);
    for (let k = 0; k < n; k += 4) {
      const d = f32x4.sub(v128.load(x + (<usize>k << 2)), shift);
      sum = f32x4.add(sum, masked(f32x4.mul(d, d), n - k, 0));
    }
    const inverse: f32 = 1 / sqrt<f32>(joined(id.SUM, sum) / <f32>n + num(p, 4));
    if (out) {
      for (let k = 0; k < n; k += 4) {
        const o = <usize>k << 2;
        v128.store(out + o, f32x4.mul(f32x4.sub(v128.load(x + o), shift), f32x4.splat(inverse)));
      }
      out += <usize>n << 2;
    }
    if (means) store<f32>(means + (<usize>r << 2), mean);
    if (inverses) store<f32>(inverses + (<usize>r << 2), inverse);
  }
}
