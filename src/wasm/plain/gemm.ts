// Matrix products with a right side that is packed in panels of 8 columns, [panel][K][8], as in
// assembly/gemm.ts. Sums are local variables, so that the engine keeps them in registers. Indices and strides are in
// words.
import { wordAt, ZEROS, type PlainKernel, type PlainMemory } from './memory.ts';

// All addresses. A mask tells the engine that an address neither overflows nor is negative, which saves a conversion
// with each load. The numbers of a DataView are little endian when told so, those of typed arrays on any machine
// that has a browser.
const ALL = 0x7fffffff;

/** One row times eight columns. */
function row8(
  { f32: m, view }: PlainMemory,
  K: number,
  a: number,
  w: number,
  init: number,
  out: number,
): void {
  let s0 = m[init]!;
  let s1 = m[init + 1]!;
  let s2 = m[init + 2]!;
  let s3 = m[init + 3]!;
  let s4 = m[init + 4]!;
  let s5 = m[init + 5]!;
  let s6 = m[init + 6]!;
  let s7 = m[init + 7]!;
  w = (w << 2) & ALL;
  const end = ((a + K) << 2) & ALL;
  for (a = (a << 2) & ALL; a < end; a = (a + 4) & ALL, w = (w + 32) & ALL) {
    const x = view.getFloat32(a, true);
    s0 += x * view.getFloat32(w, true);
    s1 += x * view.getFloat32(w + 4, true);
    s2 += x * view.getFloat32(w + 8, true);
    s3 += x * view.getFloat32(w + 12, true);
    s4 += x * view.getFloat32(w + 16, true);
    s5 += x * view.getFloat32(w + 20, true);
    s6 += x * view.getFloat32(w + 24, true);
    s7 += x * view.getFloat32(w + 28, true);
  }
  m[out] = s0;
  m[out + 1] = s1;
  m[out + 2] = s2;
  m[out + 3] = s3;
  m[out + 4] = s4;
  m[out + 5] = s5;
  m[out + 6] = s6;
  m[out + 7] = s7;
}

/** Stores as many of four sums as there are columns. */
function store(
  m: Float32Array,
  out: number,
  columns: number,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
): void {
  m[out] = s0;
  if (columns > 1) m[out + 1] = s1;
  if (columns > 2) m[out + 2] = s2;
  if (columns > 3) m[out + 3] = s3;
}

/** One row times four columns, of which the first ones count. */
function row4(
  { f32: m, view }: PlainMemory,
  K: number,
  columns: number,
  a: number,
  w: number,
  init: number,
  out: number,
): void {
  let s0 = m[init]!;
  let s1 = m[init + 1]!;
  let s2 = m[init + 2]!;
  let s3 = m[init + 3]!;
  w = (w << 2) & ALL;
  const end = ((a + K) << 2) & ALL;
  for (a = (a << 2) & ALL; a < end; a = (a + 4) & ALL, w = (w + 32) & ALL) {
    const x = view.getFloat32(a, true);
    s0 += x * view.getFloat32(w, true);
    s1 += x * view.getFloat32(w + 4, true);
    s2 += x * view.getFloat32(w + 8, true);
    s3 += x * view.getFloat32(w + 12, true);
  }
  store(m, out, columns, s0, s1, s2, s3);
}

/** Three rows times four columns: as many sums as there are registers for. */
function rows3(
  { f32: m, view }: PlainMemory,
  K: number,
  columns: number,
  a: number,
  aStep: number,
  w: number,
  init: number,
  initStep: number,
  out: number,
  outStep: number,
): void {
  const i1 = init + initStep;
  const i2 = i1 + initStep;
  let s0 = m[init]!;
  let s1 = m[init + 1]!;
  let s2 = m[init + 2]!;
  let s3 = m[init + 3]!;
  let t0 = m[i1]!;
  let t1 = m[i1 + 1]!;
  let t2 = m[i1 + 2]!;
  let t3 = m[i1 + 3]!;
  let u0 = m[i2]!;
  let u1 = m[i2 + 1]!;
  let u2 = m[i2 + 2]!;
  let u3 = m[i2 + 3]!;
  w = (w << 2) & ALL;
  const end = ((a + K) << 2) & ALL;
  let b = ((a + aStep) << 2) & ALL;
  let c = ((a + 2 * aStep) << 2) & ALL;
  for (a = (a << 2) & ALL; a < end; a = (a + 4) & ALL, w = (w + 32) & ALL) {
    const w0 = view.getFloat32(w, true);
    const w1 = view.getFloat32(w + 4, true);
    const w2 = view.getFloat32(w + 8, true);
    const w3 = view.getFloat32(w + 12, true);
    const x = view.getFloat32(a, true);
    const y = view.getFloat32(b, true);
    const z = view.getFloat32(c, true);
    b = (b + 4) & ALL;
    c = (c + 4) & ALL;
    s0 += x * w0;
    s1 += x * w1;
    s2 += x * w2;
    s3 += x * w3;
    t0 += y * w0;
    t1 += y * w1;
    t2 += y * w2;
    t3 += y * w3;
    u0 += z * w0;
    u1 += z * w1;
    u2 += z * w2;
    u3 += z * w3;
  }
  store(m, out, columns, s0, s1, s2, s3);
  store(m, out + outStep, columns, t0, t1, t2, t3);
  store(m, out + 2 * outStep, columns, u0, u1, u2, u3);
}

/** Four rows times one column, for products that have one or two. */
function column4(
  { f32: m }: PlainMemory,
  K: number,
  a: number,
  aStep: number,
  w: number,
  init: number,
  initStep: number,
  out: number,
  outStep: number,
): void {
  let s = m[init]!;
  let t = m[init + initStep]!;
  let u = m[init + 2 * initStep]!;
  let v = m[init + 3 * initStep]!;
  for (let k = 0; k < K; k++) {
    const p = (a + k) & ALL;
    const x = m[(w + 8 * k) & ALL]!;
    s += x * m[p]!;
    t += x * m[(p + aStep) & ALL]!;
    u += x * m[(p + 2 * aStep) & ALL]!;
    v += x * m[(p + 3 * aStep) & ALL]!;
  }
  m[out] = s;
  m[out + outStep] = t;
  m[out + 2 * outStep] = u;
  m[out + 3 * outStep] = v;
}

/** All rows of A times the first columns of one panel. */
function panel(
  m: PlainMemory,
  rows: number,
  K: number,
  columns: number,
  a: number,
  aStep: number,
  w: number,
  init: number,
  initStep: number,
  out: number,
  outStep: number,
): void {
  if (columns < 3) {
    for (; rows >= 4; rows -= 4) {
      for (let j = 0; j < columns; j++)
        column4(m, K, a, aStep, w + j, init + j, initStep, out + j, outStep);
      a += 4 * aStep;
      init += 4 * initStep;
      out += 4 * outStep;
    }
  }
  for (; rows >= 3; rows -= 3) {
    for (let j = 0; j < columns; j += 4)
      rows3(m, K, columns - j, a, aStep, w + j, init + j, initStep, out + j, outStep);
    a += 3 * aStep;
    init += 3 * initStep;
    out += 3 * outStep;
  }
  for (; rows > 0; rows--, a += aStep, init += initStep, out += outStep) {
    if (columns === 8) row8(m, K, a, w, init, out);
    else for (let j = 0; j < columns; j += 4) row4(m, K, columns - j, a, w + j, init + j, out + j);
  }
}

/** A panel of half precision as one of float32, in `room`. See `widened` in assembly/gemm.ts. */
function expand({ f32, i16, i32 }: PlainMemory, K: number, w: number, room: number): number {
  for (let k = 0, from = w * 2; k < 8 * K; k++) {
    i32[room + k] = (i16[from + k]! << 13) & 0x8fffe000;
    f32[room + k]! *= 2 ** 112;
  }
  return room;
}

/**
 * out [rows, N] = init + A [rows, K] · W. Where N is no multiple of 8, `init` is read up to the next one.
 *
 * @param init 0 for zeros
 * @param room for a panel, where the weights have half precision; else 0
 */
export function gemm(
  m: PlainMemory,
  rows: number,
  K: number,
  N: number,
  a: number,
  aStep: number,
  w: number,
  init: number,
  initStep: number,
  out: number,
  outStep: number,
  room: number,
): void {
  const isZero = init === 0;
  for (let n = 0; n < N; n += 8) {
    const from = isZero ? ZEROS >> 2 : init + n;
    const to = out + n;
    const columns = Math.min(8, N - n);
    const panelOf = room === 0 ? w + n * K : expand(m, K, w + (n * K) / 2, room);
    panel(m, rows, K, columns, a, aStep, panelOf, from, isZero ? 0 : initStep, to, outStep);
  }
}

function packColumns(
  { f32, i32 }: PlainMemory,
  from: number,
  table: number,
  column: number,
  step: number,
  K: number,
  N: number,
  out: number,
): void {
  for (let n = 0; n < N; n += 8, out += 8 * K)
    for (let j = 0; j < 8; j++) {
      let at = n + j < N ? n + j : -1;
      if (table !== 0 && at >= 0) at = i32[table + at]!;
      let to = out + j;
      let source = from + at * column;
      for (let k = 0; k < K; k++, to += 8, source += step) f32[to] = at < 0 ? 0 : f32[source]!;
    }
}

/**
 * Columns as panels of 8, [panel][K][8]; those beyond N are zero.
 *
 * Arguments: source, table (the column of the source for each column, -1 for zeros; 0 where they are the
 * same), bytes from column to column, bytes from k to k, K, N, out.
 */
export const pack: PlainKernel = (m, p) => {
  const { i32 } = m;
  const [from, table, out] = [wordAt(i32[p]!), wordAt(i32[p + 1]!), wordAt(i32[p + 6]!)];
  packColumns(m, from, table, i32[p + 2]! >> 2, i32[p + 3]! >> 2, i32[p + 4]!, i32[p + 5]!, out);
};

/** out[j] = source[table[j]], plus what is there where `add` is 1; 0 for -1. Arguments: source, table, count, out, add. */
export const pick: PlainKernel = ({ f32, i32 }, p) => {
  const [from, table, out] = [wordAt(i32[p]!), wordAt(i32[p + 1]!), wordAt(i32[p + 3]!)];
  const add = i32[p + 4] !== 0;
  for (let j = 0; j < i32[p + 2]!; j++) {
    const at = i32[table + j]!;
    const x = at < 0 ? 0 : f32[from + at]!;
    f32[out + j] = add ? x + f32[out + j]! : x;
  }
};

/** Products of a batch of matrices. The arguments are those of `matmul` in assembly/gemm.ts. */
export const matmul: PlainKernel = (m, p) => {
  const { i32 } = m;
  const [count, rows, K, N] = [i32[p]!, i32[p + 1]!, i32[p + 2]!, i32[p + 3]!];
  let [a, b, out] = [wordAt(i32[p + 4]!), wordAt(i32[p + 7]!), wordAt(i32[p + 14]!)];
  const [room, init] = [wordAt(i32[p + 9]!), wordAt(i32[p + 12]!)];
  const [aStep, initStep] = [i32[p + 5]! >> 2, i32[p + 13]! >> 2];
  for (let i = 0; i < count; i++) {
    if (room !== 0) packColumns(m, b, 0, i32[p + 10]! >> 2, i32[p + 11]! >> 2, K, N, room);
    gemm(m, rows, K, N, a, aStep, room === 0 ? b : room, init, initStep, out, N, 0);
    a += i32[p + 6]! >> 2;
    b += i32[p + 8]! >> 2;
    out += i32[p + 15]! >> 2;
  }
};
