// Products with weights of 8 bits: rows of A are rounded to 16 bits, each row to 1/32767 of its largest number,
// sums are integers, and each is scaled by what its row and its column were divided by.
import { ZEROS } from './memory';

/** Products of 16 by 8 bits of which the sum is sure to fit 32 bits. */
const BLOCK: i32 = 512;

/** Rounds `K` numbers to 16 bits, and gives what one of these counts for. Whole vectors are written. NaN and infinity give NaN. */
function quantize(a: usize, K: i32, to: usize): f32 {
  let four = f32x4.splat(0);
  let k = 0;
  for (; k + 4 <= K; k += 4) four = f32x4.max(four, f32x4.abs(v128.load(a + (<usize>k << 2))));
  let top = max(max(f32x4.extract_lane(four, 0), f32x4.extract_lane(four, 1)), max(f32x4.extract_lane(four, 2), f32x4.extract_lane(four, 3)));
  for (; k < K; k++) top = max(top, abs(load<f32>(a + (<usize>k << 2))));
  const by = f32x4.splat(top > 0 ? 32767 / top : 0);
  for (k = 0; k < K; k += 8, a += 32, to += 16) {
    const low = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(a), by)));
    const high = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(a, 16), by)));
    v128.store(to, i16x8.narrow_i32x4_s(low, high));
  }
  return top / 32767;
}

@inline function scaled(sum: v128, column: v128, row: usize, init: v128): v128 {
  return f32x4.add(init, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(column, v128.load32_splat(row))));
}

// One panel times R rows. Weights: [pair of k][8 columns][2]. `q` and `by` are the rounded rows and their scales.
@inline function tile(R: i32, pairs: i32, q: usize, qStep: usize, by: usize, w: usize, columns: usize, init: usize, initStep: usize, out: usize, outStep: usize): void {
  const zero = i32x4.splat(0);
  let a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero, d0 = zero, d1 = zero;
  const q1 = q + qStep, q2 = q1 + qStep, q3 = q2 + qStep;
  for (let o: usize = 0, n = <usize>pairs << 2; o < n; o += 4, w += 16) {
    const x = v128.load(w);
    const low = i16x8.extend_low_i8x16_s(x), high = i16x8.extend_high_i8x16_s(x);
    let s = v128.load32_splat(q + o);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(s, low)); a1 = i32x4.add(a1, i32x4.dot_i16x8_s(s, high));
    if (R > 1) {
      s = v128.load32_splat(q1 + o); b0 = i32x4.add(b0, i32x4.dot_i16x8_s(s, low)); b1 = i32x4.add(b1, i32x4.dot_i16x8_s(s, high));
      s = v128.load32_splat(q2 + o); c0 = i32x4.add(c0, i32x4.dot_i16x8_s(s, low)); c1 = i32x4.add(c1, i32x4.dot_i16x8_s(s, high));
      s = v128.load32_splat(q3 + o); d0 = i32x4.add(d0, i32x4.dot_i16x8_s(s, low)); d1 = i32x4.add(d1, i32x4.dot_i16x8_s(s, high));
    }
  }
  const first = v128.load(columns), second = v128.load(columns, 16);
  v128.store(out, scaled(a0, first, by, v128.load(init))); v128.store(out, scaled(a1, second, by, v128.load(init, 16)), 16);
  if (R > 1) {
    out += outStep; init += initStep;
    v128.store(out, scaled(b0, first, by + 4, v128.load(init))); v128.store(out, scaled(b1, second, by + 4, v128.load(init, 16)), 16);
    out += outStep; init += initStep;
    v128.store(out, scaled(c0, first, by + 8, v128.load(init))); v128.store(out, scaled(c1, second, by + 8, v128.load(init, 16)), 16);
    out += outStep; init += initStep;
    v128.store(out, scaled(d0, first, by + 12, v128.load(init))); v128.store(out, scaled(d1, second, by + 12, v128.load(init, 16)), 16);
  }
}
function tile4(pairs: i32, q: usize, qStep: usize, by: usize, w: usize, columns: usize, init: usize, initStep: usize, out: usize, outStep: usize): void { tile(4, pairs, q, qStep, by, w, columns, init, initStep, out, outStep); }
function tile1(pairs: i32, q: usize, by: usize, w: usize, columns: usize, init: usize, out: usize): void { tile(1, pairs, q, 0, by, w, columns, init, 0, out, 0); }

/**
 * out [rows, N] = init + A [rows, K] · W. N is a multiple of 8.
 *
 * @param w panels [N / 8][K / 2][8][2] of bytes, then the scale of each column
 * @param init 0 for zeros
 * @param room for rows · (K up to a multiple of 8) numbers of 16 bits, then the scale of each row
 */
export function gemmInt8(rows: i32, K: i32, N: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize, room: usize): void {
  const qStep = <usize>((K + 7) & ~7) << 1, scales = room + <usize>rows * qStep;
  for (let r = 0; r < rows; r++) store<f32>(scales + (<usize>r << 2), quantize(a + <usize>r * aStep, K, room + <usize>r * qStep));
  const size = <usize>((K + 1) >> 1) << 4; // bytes of a panel
  const columns = w + <usize>(N >> 3) * size;
  // Zeros are read again for every panel.
  const move = <usize>(init != 0);
  if (init == 0) { init = ZEROS; initStep = 0; }
  for (let n: usize = 0, end = <usize>N << 2; n < end; n += 32, w += size)
    for (let k = 0; k < K; k += BLOCK) {
      const pairs = (min(BLOCK, K - k) + 1) >> 1;
      let q = room + (<usize>k << 1), by = scales, from = k ? out + n : init + n * move, to = out + n, r = rows;
      const step = k ? outStep : initStep, wk = w + (<usize>k << 3);
      for (; r >= 4; r -= 4) {
        tile4(pairs, q, qStep, by, wk, columns + n, from, step, to, outStep);
        q += 4 * qStep; by += 16; from += 4 * step; to += 4 * outStep;
      }
      for (; r > 0; r--) {
        tile1(pairs, q, by, wk, columns + n, from, to);
        q += qStep; by += 4; from += step; to += outStep;
      }
    }
}
