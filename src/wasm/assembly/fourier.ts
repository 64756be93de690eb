// Discrete Fourier transforms of windows that slide over a signal: what a convolution computes whose filters are a
// windowed Fourier basis.
import { int, mad, num, ptr } from './math';
import {
  BASIS, BINS, BIN_STEP, F_BATCH, F_OUT, F_PLACES, F_ROOM, F_SIZE, F_STRIDE, F_WIDTH, IMAGINARY, SIGN, SIGNAL,
} from './words';

/** Row of the four numbers of a vector, one of each frame. */
@inline function transpose(a: v128, b: v128, c: v128, d: v128, to: usize): void {
  const ab = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ef = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const gh = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(to, i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to, i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 16);
  v128.store(to, i8x16.shuffle(ef, gh, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 32);
  v128.store(to, i8x16.shuffle(ef, gh, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 48);
}

/** Four frames times the window: one vector for each number of a frame. */
function loadFrames(size: i32, a: usize, b: usize, c: usize, d: usize, window: usize, to: usize): void {
  for (let o: usize = 0, n = <usize>size << 2; o < n; o += 16, to += 64) {
    const w = v128.load(window + o);
    transpose(
      f32x4.mul(w, v128.load(a + o)), f32x4.mul(w, v128.load(b + o)),
      f32x4.mul(w, v128.load(c + o)), f32x4.mul(w, v128.load(d + o)), to,
    );
  }
}

/** (re + i im) · (cos - i sin), stored. The table has cos and -sin of each fraction of a circle. */
@inline function twiddled(re: v128, im: v128, table: usize, to: usize): void {
  const c = v128.load32_splat(table), s = v128.load32_splat(table, 4);
  v128.store(to, mad(re, c, f32x4.neg(f32x4.mul(im, s))));
  v128.store(to, mad(re, s, f32x4.mul(im, c)), 16);
}

/** One stage of radix 4 of Stockham's transform: `stride` interleaved transforms of 4 · m complex numbers. */
function stage4(m: i32, stride: i32, angle: usize, table: usize, x: usize, y: usize): void {
  const step = <usize>stride << 5, part = <usize>m * step;
  for (let p = 0; p < m; p++) {
    const t1 = table + <usize>p * angle, t2 = t1 + <usize>p * angle, t3 = t2 + <usize>p * angle;
    for (let q: usize = 0; q < step; q += 32) {
      const a = x + q, b = a + part, c = b + part, d = c + part, to = y + q;
      const ar = v128.load(a), ai = v128.load(a, 16), br = v128.load(b), bi = v128.load(b, 16);
      const cr = v128.load(c), ci = v128.load(c, 16), dr = v128.load(d), di = v128.load(d, 16);
      const sr = f32x4.add(ar, cr), si = f32x4.add(ai, ci), tr = f32x4.sub(ar, cr), ti = f32x4.sub(ai, ci);
      const ur = f32x4.add(br, dr), ui = f32x4.add(bi, di), vr = f32x4.sub(br, dr), vi = f32x4.sub(bi, di);
      v128.store(to, f32x4.add(sr, ur));
      v128.store(to, f32x4.add(si, ui), 16);
      twiddled(f32x4.add(tr, vi), f32x4.sub(ti, vr), t1, to + step);
      twiddled(f32x4.sub(sr, ur), f32x4.sub(si, ui), t2, to + 2 * step);
      twiddled(f32x4.sub(tr, vi), f32x4.add(ti, vr), t3, to + 3 * step);
    }
    x += step;
    y += 4 * step;
  }
}

/** The last stage where the size is no power of 4. */
function stage2(stride: i32, x: usize, y: usize): void {
  const step = <usize>stride << 5;
  for (let q: usize = 0; q < step; q += 16) {
    const a = v128.load(x + q), b = v128.load(x + step + q);
    v128.store(y + q, f32x4.add(a, b));
    v128.store(y + step + q, f32x4.sub(a, b));
  }
}

/** Stores the numbers of as many frames as there are. */
@inline function put(to: usize, v: v128, count: i32): void {
  if (count >= 4) { v128.store(to, v); return; }
  v128.store32_lane(to, v, 0);
  if (count > 1) v128.store32_lane(to, v, 1, 4);
  if (count > 2) v128.store32_lane(to, v, 2, 8);
}

/**
 * The transform of the real numbers from that of the complex ones that two neighbours make. The window holds half of
 * itself, for the sums here are of twice the even and the odd part.
 */
function split(p: usize, z: usize, table: usize, out: usize, count: i32): void {
  const half = int(p, F_SIZE) >> 1, bins = int(p, BINS), row = ptr(p, F_PLACES) << 2;
  const step = ptr(p, BIN_STEP) * row, imaginary = ptr(p, IMAGINARY) * row;
  const sign = f32x4.splat(num(p, SIGN));
  for (let k = 0; k < bins; k++, out += step, table += 8) {
    const a = z + (<usize>(k & (half - 1)) << 5), b = z + (<usize>((half - k) & (half - 1)) << 5);
    const ar = v128.load(a), ai = v128.load(a, 16), br = v128.load(b), bi = v128.load(b, 16);
    const c = v128.load32_splat(table), s = v128.load32_splat(table, 4);
    const odd = f32x4.add(ai, bi), other = f32x4.sub(br, ar);
    put(out, f32x4.add(f32x4.add(ar, br), mad(odd, c, f32x4.neg(f32x4.mul(other, s)))), count);
    put(out + imaginary, f32x4.mul(sign, f32x4.add(f32x4.sub(ai, bi), mad(odd, s, f32x4.mul(other, c)))), count);
  }
}

/** The spectrum of each window, four windows at a time, one in each lane. See the words. */
export function fourier(p: usize): void {
  const size = int(p, F_SIZE), places = int(p, F_PLACES), stride = ptr(p, F_STRIDE) << 2;
  const window = ptr(p, BASIS), table = window + (<usize>size << 2);
  const room = ptr(p, F_ROOM), other = room + (<usize>size << 4);
  let x = ptr(p, SIGNAL), out = ptr(p, F_OUT);
  for (let n = 0; n < int(p, F_BATCH); n++, x += ptr(p, F_WIDTH) << 2, out += <usize>(2 * int(p, BINS) * places) << 2)
    for (let first = 0; first < places; first += 4) {
      const count = min(4, places - first), a = x + <usize>first * stride;
      const b = count > 1 ? a + stride : a, c = count > 2 ? b + stride : a, d = count > 3 ? c + stride : a;
      loadFrames(size, a, b, c, d, window, room);
      let from = room, to = other, m = size >> 3, s = 1;
      for (; m > 0; m >>= 2, s <<= 2) {
        stage4(m, s, <usize>s << 4, table, from, to);
        const swap = from; from = to; to = swap;
      }
      if (s << 1 == size >> 1) {
        stage2(s, from, to);
        from = to;
      }
      split(p, from, table, out + (<usize>first << 2), count);
    }
}
