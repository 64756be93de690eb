// Kernels that compute or move element by element. Every array has room for the three numbers after its
// last: loops of four may write there, and what they write beyond a row the next row writes again.
import { binary4, int, num, ptr, unary4 } from './math';

/** Arguments: function, x, out, count, alpha, beta. */
export function unary(p: usize): void {
  const kind = int(p, 0), n = int(p, 3), alpha = num(p, 4), beta = num(p, 5);
  let x = ptr(p, 1), out = ptr(p, 2);
  for (let k = 0; k < n; k += 4, x += 16, out += 16) v128.store(out, unary4(kind, v128.load(x), alpha, beta));
}

@inline function operand(at: usize, wide: bool): v128 { return wide ? v128.load(at) : v128.load32_splat(at); }

/**
 * Broadcasting. Along the last axis an operand moves on by one element or stays.
 *
 * Arguments: function, out, sizes of 5 axes; then of a, b and c: pointer, bytes from element to element
 * along each axis.
 */
export function pointwise(p: usize): void {
  const kind = int(p, 0), n = int(p, 6);
  let out = ptr(p, 1);
  const aw = int(p, 12) != 0, bw = int(p, 18) != 0, cw = int(p, 24) != 0;
  const an: usize = aw ? 16 : 0, bn: usize = bw ? 16 : 0, cn: usize = cw ? 16 : 0;
  for (let i = 0; i < int(p, 2); i++)
    for (let j = 0; j < int(p, 3); j++)
      for (let k = 0; k < int(p, 4); k++)
        for (let l = 0; l < int(p, 5); l++) {
          let a = ptr(p, 7) + i * int(p, 8) + j * int(p, 9) + k * int(p, 10) + l * int(p, 11);
          let b = ptr(p, 13) + i * int(p, 14) + j * int(p, 15) + k * int(p, 16) + l * int(p, 17);
          let c = ptr(p, 19) + i * int(p, 20) + j * int(p, 21) + k * int(p, 22) + l * int(p, 23);
          for (let m = 0; m < n; m += 4, a += an, b += bn, c += cn)
            v128.store(out + (<usize>m << 2), binary4(kind, operand(a, aw), operand(b, bw), operand(c, cw)));
          out += <usize>n << 2;
        }
}

/** Copies elements between two arrays by strides. Arguments: from, to, sizes of 5 axes, bytes of each for from, for to. */
export function copy(p: usize): void {
  const n = int(p, 6), fromStep = ptr(p, 11), toStep = ptr(p, 16);
  const dense = fromStep == 4 && toStep == 4;
  for (let i = 0; i < int(p, 2); i++)
    for (let j = 0; j < int(p, 3); j++)
      for (let k = 0; k < int(p, 4); k++)
        for (let l = 0; l < int(p, 5); l++) {
          let from = ptr(p, 0) + i * int(p, 7) + j * int(p, 8) + k * int(p, 9) + l * int(p, 10);
          let to = ptr(p, 1) + i * int(p, 12) + j * int(p, 13) + k * int(p, 14) + l * int(p, 15);
          if (dense && n >= 32) memory.copy(to, from, <usize>n << 2);
          else for (let m = 0; m < n; m++, from += fromStep, to += toStep) store<i32>(to, load<i32>(from));
        }
}

/** Arguments: to, count, value. */
export function fill(p: usize): void {
  let to = ptr(p, 0);
  const n = int(p, 1);
  const value = i32x4.splat(int(p, 2));
  for (let k = 0; k < n; k += 4, to += 16) v128.store(to, value);
}

/**
 * Rows by index. Arguments: data, indices, out, outer, size, bytes of a row, count of indices.
 *
 * @returns whether every index was inside
 */
export function gather(p: usize): bool {
  const data = ptr(p, 0), indices = ptr(p, 1), size = int(p, 4), bytes = ptr(p, 5), n = int(p, 6);
  let out = ptr(p, 2);
  for (let o = 0; o < int(p, 3); o++)
    for (let i = 0; i < n; i++, out += bytes) {
      let at = load<i32>(indices + (<usize>i << 2));
      if (at < -size || at >= size) return false;
      if (at < 0) at += size;
      const from = data + <usize>(o * size + at) * bytes;
      if (bytes == 4) store<i32>(out, load<i32>(from));
      else memory.copy(out, from, bytes);
    }
  return true;
}

/** Where the largest or smallest number of a run is, as ARGMAX has it: NaN comes last. Arguments: x, out, outer, size, inner, largest, last. */
export function argument(p: usize): void {
  const outer = int(p, 2), size = int(p, 3), inner = int(p, 4), sign: f32 = int(p, 5) ? 1 : -1, last = int(p, 6) != 0;
  let out = ptr(p, 1);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++, out += 4) {
      let x = ptr(p, 0) + <usize>(o * size * inner + i << 2);
      let best = 0, top: f32 = -Infinity;
      for (let k = 0; k < size; k++, x += <usize>inner << 2) {
        const value = load<f32>(x) * sign;
        if (value > top || (last && value == top)) { top = value; best = k; }
      }
      store<i32>(out, best);
    }
}

/** Sums so far along an axis. Arguments: x, out, outer, size, inner, exclusive, reverse. */
export function cumsum(p: usize): void {
  const outer = int(p, 2), size = int(p, 3), inner = int(p, 4), exclusive = int(p, 5) != 0, reverse = int(p, 6) != 0;
  const step = <usize>inner << 2;
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let total: f32 = 0;
      for (let k = 0; k < size; k++) {
        const at = <usize>(o * size + (reverse ? size - 1 - k : k)) * step + (<usize>i << 2);
        const x = load<f32>(ptr(p, 0) + at);
        if (exclusive) store<f32>(ptr(p, 1) + at, total);
        total += x;
        if (!exclusive) store<f32>(ptr(p, 1) + at, total);
      }
    }
}
