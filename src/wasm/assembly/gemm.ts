// Matrix products with a right side that is packed in panels of 8 columns, [panel][K][8], of float32 or of half
// precision. Sums begin at `init`: a row of biases, or a row of its own for each row of the result.
import { int, mad, ptr } from './math';
import { ZEROS } from './memory';

// One panel times R rows of A: 2 R sums in registers. Strides are in bytes.
@inline function tile(R: i32, K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void {
  let a0 = v128.load(init), a1 = v128.load(init, 16);
  let b0 = R > 1 ? v128.load(init + 1 * initStep) : a0, b1 = R > 1 ? v128.load(init + 1 * initStep, 16) : a0;
  let c0 = R > 2 ? v128.load(init + 2 * initStep) : a0, c1 = R > 2 ? v128.load(init + 2 * initStep, 16) : a0;
  let d0 = R > 3 ? v128.load(init + 3 * initStep) : a0, d1 = R > 3 ? v128.load(init + 3 * initStep, 16) : a0;
  let e0 = R > 4 ? v128.load(init + 4 * initStep) : a0, e1 = R > 4 ? v128.load(init + 4 * initStep, 16) : a0;
  let f0 = R > 5 ? v128.load(init + 5 * initStep) : a0, f1 = R > 5 ? v128.load(init + 5 * initStep, 16) : a0;
  const p1 = a + aStep, p2 = p1 + aStep, p3 = p2 + aStep, p4 = p3 + aStep, p5 = p4 + aStep;
  const end = a + (<usize>K << 2);
  for (let o: usize = 0, n = end - a; o < n; o += 4, w += 32) {
    const w0 = v128.load(w), w1 = v128.load(w, 16);
    let s = v128.load32_splat(a + o);
    a0 = mad(s, w0, a0); a1 = mad(s, w1, a1);
    if (R > 1) { s = v128.load32_splat(p1 + o); b0 = mad(s, w0, b0); b1 = mad(s, w1, b1); }
    if (R > 2) { s = v128.load32_splat(p2 + o); c0 = mad(s, w0, c0); c1 = mad(s, w1, c1); }
    if (R > 3) { s = v128.load32_splat(p3 + o); d0 = mad(s, w0, d0); d1 = mad(s, w1, d1); }
    if (R > 4) { s = v128.load32_splat(p4 + o); e0 = mad(s, w0, e0); e1 = mad(s, w1, e1); }
    if (R > 5) { s = v128.load32_splat(p5 + o); f0 = mad(s, w0, f0); f1 = mad(s, w1, f1); }
  }
  v128.store(out, a0); v128.store(out, a1, 16);
  if (R > 1) { out += outStep; v128.store(out, b0); v128.store(out, b1, 16); }
  if (R > 2) { out += outStep; v128.store(out, c0); v128.store(out, c1, 16); }
  if (R > 3) { out += outStep; v128.store(out, d0); v128.store(out, d1, 16); }
  if (R > 4) { out += outStep; v128.store(out, e0); v128.store(out, e1, 16); }
  if (R > 5) { out += outStep; v128.store(out, f0); v128.store(out, f1, 16); }
}
function tile6(K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void { tile(6, K, a, aStep, w, init, initStep, out, outStep); }
function tile5(K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void { tile(5, K, a, aStep, w, init, initStep, out, outStep); }
function tile4(K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void { tile(4, K, a, aStep, w, init, initStep, out, outStep); }
function tile3(K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void { tile(3, K, a, aStep, w, init, initStep, out, outStep); }
function tile2(K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void { tile(2, K, a, aStep, w, init, initStep, out, outStep); }
function tile1(K: i32, a: usize, w: usize, init: usize, out: usize): void { tile(1, K, a, 0, w, init, 0, out, 0); }

// In memory, as V8 would make constants anew for each vector.
const MASK: usize = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000], 16);
const SCALE: usize = memory.data<f32>([5192296858534827628530496329220096.0, 5192296858534827628530496329220096.0, 5192296858534827628530496329220096.0, 5192296858534827628530496329220096.0], 16); // 2^112

/**
 * Four weights of half precision, with their sign in all higher bits, as float32. Sign, exponent and fraction go to
 * where float32 has them; the product makes up for the other bias, and is exact for subnormal numbers too. Infinity and
 * NaN are never stored.
 */
@inline function widened(halves: v128, mask: v128, scale: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(halves, 13), mask), scale);
}
// The first and the last four weights of a panel for one k.
@inline function first4(isHalf: bool, at: usize, mask: v128, scale: v128): v128 {
  return isHalf ? widened(v128.load16x4_s(at), mask, scale) : v128.load(at);
}
@inline function last4(isHalf: bool, at: usize, mask: v128, scale: v128): v128 {
  return isHalf ? widened(v128.load16x4_s(at, 8), mask, scale) : v128.load(at, 16);
}

// Four panels times one row: 8 sums, as many as hide the latency of an addition.
@inline function wide(isHalf: bool, K: i32, a: usize, w: usize, init: usize, out: usize): void {
  const step: usize = isHalf ? 16 : 32, size = <usize>K << (isHalf ? 4 : 5);
  const w1 = w + size, w2 = w1 + size, w3 = w2 + size;
  const mask = v128.load(MASK), scale = v128.load(SCALE);
  let a0 = v128.load(init), a1 = v128.load(init, 16), b0 = v128.load(init, 32), b1 = v128.load(init, 48);
  let c0 = v128.load(init, 64), c1 = v128.load(init, 80), d0 = v128.load(init, 96), d1 = v128.load(init, 112);
  for (let o: usize = 0; o < size; o += step, a += 4) {
    const s = v128.load32_splat(a);
    a0 = mad(s, first4(isHalf, w + o, mask, scale), a0); a1 = mad(s, last4(isHalf, w + o, mask, scale), a1);
    b0 = mad(s, first4(isHalf, w1 + o, mask, scale), b0); b1 = mad(s, last4(isHalf, w1 + o, mask, scale), b1);
    c0 = mad(s, first4(isHalf, w2 + o, mask, scale), c0); c1 = mad(s, last4(isHalf, w2 + o, mask, scale), c1);
    d0 = mad(s, first4(isHalf, w3 + o, mask, scale), d0); d1 = mad(s, last4(isHalf, w3 + o, mask, scale), d1);
  }
  v128.store(out, a0); v128.store(out, a1, 16); v128.store(out, b0, 32); v128.store(out, b1, 48);
  v128.store(out, c0, 64); v128.store(out, c1, 80); v128.store(out, d0, 96); v128.store(out, d1, 112);
}
function wide1(K: i32, a: usize, w: usize, init: usize, out: usize): void { wide(false, K, a, w, init, out); }
function wideHalf(K: i32, a: usize, w: usize, init: usize, out: usize): void { wide(true, K, a, w, init, out); }

/** A panel of half precision as one of float32, in `room`. */
function expand(K: i32, w: usize, room: usize): usize {
  const mask = v128.load(MASK), scale = v128.load(SCALE);
  for (let to = room, end = room + (<usize>K << 5); to < end; to += 16, w += 8) v128.store(to, widened(v128.load16x4_s(w), mask, scale));
  return room;
}

// Two panels times two rows.
function wide2(K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void {
  const size = <usize>K << 5;
  const v = w + size, b = a + aStep, other = init + initStep;
  let a0 = v128.load(init), a1 = v128.load(init, 16), a2 = v128.load(init, 32), a3 = v128.load(init, 48);
  let b0 = v128.load(other), b1 = v128.load(other, 16), b2 = v128.load(other, 32), b3 = v128.load(other, 48);
  for (let o: usize = 0, k: usize = 0; o < size; o += 32, k += 4) {
    const s = v128.load32_splat(a + k), t = v128.load32_splat(b + k);
    let x = v128.load(w + o); a0 = mad(s, x, a0); b0 = mad(t, x, b0);
    x = v128.load(w + o, 16); a1 = mad(s, x, a1); b1 = mad(t, x, b1);
    x = v128.load(v + o); a2 = mad(s, x, a2); b2 = mad(t, x, b2);
    x = v128.load(v + o, 16); a3 = mad(s, x, a3); b3 = mad(t, x, b3);
  }
  v128.store(out, a0); v128.store(out, a1, 16); v128.store(out, a2, 32); v128.store(out, a3, 48);
  out += outStep;
  v128.store(out, b0); v128.store(out, b1, 16); v128.store(out, b2, 32); v128.store(out, b3, 48);
}

/** All rows of A times one panel. */
function panel(rows: i32, K: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void {
  // Without a fused multiply-add each product needs a register of its own, and twelve sums would not fit besides.
  const maxRows = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
  for (; rows >= maxRows; rows -= maxRows) {
    if (ASC_FEATURE_RELAXED_SIMD) tile6(K, a, aStep, w, init, initStep, out, outStep);
    else tile4(K, a, aStep, w, init, initStep, out, outStep);
    a += <usize>maxRows * aStep; init += <usize>maxRows * initStep; out += <usize>maxRows * outStep;
  }
  switch (rows) {
    case 5: tile5(K, a, aStep, w, init, initStep, out, outStep); break;
    case 4: tile4(K, a, aStep, w, init, initStep, out, outStep); break;
    case 3: tile3(K, a, aStep, w, init, initStep, out, outStep); break;
    case 2: tile2(K, a, aStep, w, init, initStep, out, outStep); break;
    case 1: tile1(K, a, w, init, out); break;
  }
}

/**
 * out [rows, N] = init + A [rows, K] · W. Where N is no multiple of 8, `init` is read up to the next
 * one and `out` is not written beyond N.
 *
 * @param init 0 for zeros
 * @param edge room for 8 numbers of each row, used where N is no multiple of 8
 * @param room for a panel, where the weights have half precision; else 0
 */
export function gemm(rows: i32, K: i32, N: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize, edge: usize, room: usize): void {
  const size = <usize>K << (room ? 4 : 5); // bytes of a panel
  // Zeros are read again for every panel, in place of the next ones.
  const move: usize = init == 0 ? 0 : 32;
  if (init == 0) { init = ZEROS; initStep = 0; }
  const panels = N >> 3, wide = rows == 1 ? 4 : rows == 2 && !room ? 2 : 1, groups = panels / wide;
  for (let k = 0; k < groups; k++) {
    const at = <usize>(k * wide);
    const wk = w + at * size, from = init + at * move, to = out + (at << 5);
    if (rows == 1) {
      if (room) wideHalf(K, a, wk, from, to);
      else wide1(K, a, wk, from, to);
    } else if (wide == 2) wide2(K, a, aStep, wk, from, initStep, to, outStep);
    else panel(rows, K, a, aStep, room ? expand(K, wk, room) : wk, from, initStep, to, outStep);
  }
  for (let at = <usize>(groups * wide), end = <usize>(N + 7 >> 3); at < end; at++) {
    const wk = room ? expand(K, w + at * size, room) : w + at * size, from = init + at * move;
    let to = out + (at << 5);
    if (at < <usize>panels) panel(rows, K, a, aStep, wk, from, initStep, to, outStep);
    else {
      panel(rows, K, a, aStep, wk, from, initStep, edge, 32);
      const bytes = <usize>(N & 7) << 2;
      for (let r = 0; r < rows; r++, to += outStep, edge += 32)
        for (let j: usize = 0; j < bytes; j += 4) store<f32>(to + j, load<f32>(edge + j));
    }
  }
}

/**
 * Columns as panels of 8, [panel][K][8]; those beyond N are zero.
 *
 * Arguments: source, table (the column of the source for each column, -1 for zeros; 0 where they are the
 * same), bytes from column to column, bytes from k to k, K, N, out.
 */
export function pack(p: usize): void {
  const from = ptr(p, 0), table = ptr(p, 1), column = int(p, 2), step = int(p, 3), K = int(p, 4), N = int(p, 5);
  let out = ptr(p, 6);
  packColumns(from, table, column, step, K, N, out);
}

export function packColumns(from: usize, table: usize, column: i32, step: i32, K: i32, N: i32, out: usize): void {
  for (let n = 0; n < N; n += 8) {
    for (let j = 0; j < 8; j++) {
      let at = n + j < N ? n + j : -1;
      if (table && at >= 0) at = load<i32>(table + (<usize>at << 2));
      let to = out + (<usize>j << 2);
      let source = from + <usize>(at * column);
      for (let k = 0; k < K; k++, to += 32, source += step) store<f32>(to, at < 0 ? 0 : load<f32>(source));
    }
    out += <usize>K << 5;
  }
}

/**
 * out[j] = source[table[j]], plus what is there where `add` is 1; 0 for -1.
 *
 * Arguments: source, table, count, out, add.
 */
export function pick(p: usize): void {
  const from = ptr(p, 0), table = ptr(p, 1), n = int(p, 2), out = ptr(p, 3), add = int(p, 4);
  for (let j = 0; j < n; j++) {
    const o = <usize>j << 2;
    const at = load<i32>(table + o);
    let x: f32 = at < 0 ? 0 : load<f32>(from + (<usize>at << 2));
    if (add) x += load<f32>(out + o);
    store<f32>(out + o, x);
  }
}

/**
 * Products of a batch of matrices, with a right side that is packed already or here.
 *
 * Arguments: count, rows, K, N, A, bytes from row to row, bytes from matrix to matrix; B or its panels,
 * bytes from matrix to matrix, room for panels or 0 where they are packed, bytes from column to column
 * and from k to k; init or 0, bytes from row to row; out, bytes from matrix to matrix; room for the edge.
 */
export function matmul(p: usize): void {
  const count = int(p, 0), rows = int(p, 1), K = int(p, 2), N = int(p, 3);
  let a = ptr(p, 4), b = ptr(p, 7), out = ptr(p, 14);
  const room = ptr(p, 9);
  for (let i = 0; i < count; i++) {
    if (room) packColumns(b, 0, int(p, 10), int(p, 11), K, N, room);
    gemm(rows, K, N, a, ptr(p, 5), room ? room : b, ptr(p, 12), ptr(p, 13), out, <usize>N << 2, ptr(p, 16), 0);
    a += ptr(p, 6); b += ptr(p, 8); out += ptr(p, 15);
  }
}
