// Products with weights of 8 bits, as in assembly/int8.ts: rows of A are rounded to 16 bits, sums are integers.
import { ZEROS, type PlainMemory } from './memory.ts';

/** Products of 16 by 8 bits of which the sum is sure to fit 32 bits. */
const BLOCK = 512;

/** Rounds `K` numbers to 16 bits, and gives what one of these counts for. NaN and infinity give NaN. */
function quantize(f32: Float32Array, i16: Int16Array, a: number, K: number, to: number): number {
  let top = 0;
  for (let k = 0; k < K; k++) top = Math.max(top, Math.abs(f32[a + k]!));
  const by = top > 0 ? 32767 / top : 0;
  for (let k = 0; k < K; k++) i16[to + k] = Math.round(f32[a + k]! * by);
  // The last pair may be half a number and half what was there, of which the weight is zero.
  return top / 32767;
}

// All indices: a mask saves a conversion with each load, see gemm.ts.
const ALL = 0x7fffffff;

/**
 * One row times a panel, [pair of k][8 columns][2] of bytes, of which a word has four: sums become numbers at `out`.
 */
function row8(
  { f32, i32, i16 }: PlainMemory,
  pairs: number,
  q: number,
  by: number,
  w: number,
  columns: number,
  init: number,
  out: number,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  w &= ALL;
  const end = (q + 2 * pairs) & ALL;
  for (q &= ALL; q < end; q = (q + 2) & ALL, w = (w + 4) & ALL) {
    const x = i16[q]!;
    const y = i16[q + 1]!;
    const v0 = i32[w]!;
    const v1 = i32[w + 1]!;
    const v2 = i32[w + 2]!;
    const v3 = i32[w + 3]!;
    s0 = (s0 + Math.imul(x, (v0 << 24) >> 24) + Math.imul(y, (v0 << 16) >> 24)) | 0;
    s1 = (s1 + Math.imul(x, (v0 << 8) >> 24) + Math.imul(y, v0 >> 24)) | 0;
    s2 = (s2 + Math.imul(x, (v1 << 24) >> 24) + Math.imul(y, (v1 << 16) >> 24)) | 0;
    s3 = (s3 + Math.imul(x, (v1 << 8) >> 24) + Math.imul(y, v1 >> 24)) | 0;
    s4 = (s4 + Math.imul(x, (v2 << 24) >> 24) + Math.imul(y, (v2 << 16) >> 24)) | 0;
    s5 = (s5 + Math.imul(x, (v2 << 8) >> 24) + Math.imul(y, v2 >> 24)) | 0;
    s6 = (s6 + Math.imul(x, (v3 << 24) >> 24) + Math.imul(y, (v3 << 16) >> 24)) | 0;
    s7 = (s7 + Math.imul(x, (v3 << 8) >> 24) + Math.imul(y, v3 >> 24)) | 0;
  }
  f32[out] = f32[init]! + s0 * by * f32[columns]!;
  f32[out + 1] = f32[init + 1]! + s1 * by * f32[columns + 1]!;
  f32[out + 2] = f32[init + 2]! + s2 * by * f32[columns + 2]!;
  f32[out + 3] = f32[init + 3]! + s3 * by * f32[columns + 3]!;
  f32[out + 4] = f32[init + 4]! + s4 * by * f32[columns + 4]!;
  f32[out + 5] = f32[init + 5]! + s5 * by * f32[columns + 5]!;
  f32[out + 6] = f32[init + 6]! + s6 * by * f32[columns + 6]!;
  f32[out + 7] = f32[init + 7]! + s7 * by * f32[columns + 7]!;
}

/**
 * out [rows, N] = init + A [rows, K] · W, in words. N is a multiple of 8.
 *
 * @param w panels [N / 8][K / 2][8][2] of bytes, then the scale of each column
 * @param init 0 for zeros
 * @param room for rows · (K up to a multiple of 8) numbers of 16 bits, then the scale of each row
 */
export function gemmInt8(
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
  const { f32, i16 } = m;
  const qStep = ((K + 7) & ~7) >> 1;
  const scales = room + rows * qStep;
  for (let r = 0; r < rows; r++)
    f32[scales + r] = quantize(f32, i16, a + r * aStep, K, (room + r * qStep) * 2);
  const size = Math.ceil(K / 2) * 4; // words of a panel
  const columns = w + (N >> 3) * size;
  for (let n = 0; n < N; n += 8, w += size)
    for (let k = 0; k < K; k += BLOCK) {
      const pairs = Math.ceil(Math.min(BLOCK, K - k) / 2);
      for (let r = 0; r < rows; r++) {
        const to = out + r * outStep + n;
        const from = k > 0 ? to : init === 0 ? ZEROS >> 2 : init + r * initStep + n;
        const q = (room + r * qStep) * 2 + k;
        row8(m, pairs, q, f32[scales + r]!, w + k * 2, columns + n, from, to);
      }
    }
}
