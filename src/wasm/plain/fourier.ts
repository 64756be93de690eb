// Discrete Fourier transforms of windows that slide over a signal, as in assembly/fourier.ts, one window at a time.
import * as word from '../assembly/words.ts';
import { wordAt, type PlainKernel, type PlainMemory } from './memory.ts';

/** One stage of radix 4 of Stockham's transform. Complex numbers are pairs. */
function stage4(
  { f32: m }: PlainMemory,
  count: number,
  stride: number,
  table: number,
  x: number,
  y: number,
): void {
  const [step, angle] = [2 * stride, 4 * stride];
  const part = count * step;
  const twiddled = (re: number, im: number, t: number, to: number): void => {
    const [c, s] = [m[t]!, m[t + 1]!];
    m[to] = re * c - im * s;
    m[to + 1] = re * s + im * c;
  };
  for (let p = 0; p < count; p++, x += step, y += 4 * step)
    for (let q = 0; q < step; q += 2) {
      const [a, b, c, d] = [x + q, x + q + part, x + q + 2 * part, x + q + 3 * part];
      const [sr, si, tr, ti] = [
        m[a]! + m[c]!,
        m[a + 1]! + m[c + 1]!,
        m[a]! - m[c]!,
        m[a + 1]! - m[c + 1]!,
      ];
      const [ur, ui, vr, vi] = [
        m[b]! + m[d]!,
        m[b + 1]! + m[d + 1]!,
        m[b]! - m[d]!,
        m[b + 1]! - m[d + 1]!,
      ];
      const to = y + q;
      m[to] = sr + ur;
      m[to + 1] = si + ui;
      twiddled(tr + vi, ti - vr, table + p * angle, to + step);
      twiddled(sr - ur, si - ui, table + 2 * p * angle, to + 2 * step);
      twiddled(tr - vi, ti + vr, table + 3 * p * angle, to + 3 * step);
    }
}

/** The last stage where the size is no power of 4. */
function stage2({ f32: m }: PlainMemory, stride: number, x: number, y: number): void {
  for (let q = 0, step = 2 * stride; q < step; q++) {
    const [a, b] = [m[x + q]!, m[x + step + q]!];
    m[y + q] = a + b;
    m[y + step + q] = a - b;
  }
}

/** The transform of the real numbers from that of the complex ones that two neighbours make, of half the window. */
function split({ f32: m, i32 }: PlainMemory, p: number, z: number, table: number, out: number) {
  const [half, bins, row] = [
    i32[p + word.F_SIZE]! >> 1,
    i32[p + word.BINS]!,
    i32[p + word.F_PLACES]!,
  ];
  const [step, imaginary] = [i32[p + word.BIN_STEP]! * row, i32[p + word.IMAGINARY]! * row];
  const sign = m[p + word.SIGN]!;
  for (let k = 0; k < bins; k++, out += step, table += 2) {
    const [a, b] = [z + 2 * (k & (half - 1)), z + 2 * ((half - k) & (half - 1))];
    const [odd, other] = [m[a + 1]! + m[b + 1]!, m[b]! - m[a]!];
    const [c, s] = [m[table]!, m[table + 1]!];
    m[out] = m[a]! + m[b]! + (odd * c - other * s);
    m[out + imaginary] = sign * (m[a + 1]! - m[b + 1]! + (odd * s + other * c));
  }
}

/** The spectrum of each window. See the words. */
export const fourier: PlainKernel = (memory, p) => {
  const { f32, i32 } = memory;
  const [size, places, stride] = [
    i32[p + word.F_SIZE]!,
    i32[p + word.F_PLACES]!,
    i32[p + word.F_STRIDE]!,
  ];
  const window = wordAt(i32[p + word.BASIS]!);
  const table = window + size;
  const room = wordAt(i32[p + word.F_ROOM]!);
  let [x, out] = [wordAt(i32[p + word.SIGNAL]!), wordAt(i32[p + word.F_OUT]!)];
  for (let n = 0; n < i32[p + word.F_BATCH]!; n++) {
    for (let place = 0; place < places; place++) {
      const at = x + place * stride;
      for (let k = 0; k < size; k++) f32[room + k] = f32[at + k]! * f32[window + k]!;
      let [from, to, s] = [room, room + size, 1];
      for (let m = size >> 3; m > 0; m >>= 2, s <<= 2) {
        stage4(memory, m, s, table, from, to);
        [from, to] = [to, from];
      }
      if (s << 1 === size >> 1) {
        stage2(memory, s, from, to);
        from = to;
      }
      split(memory, p, from, table, out + place);
    }
    x += i32[p + word.F_WIDTH]!;
    out += 2 * i32[p + word.BINS]! * places;
  }
};
