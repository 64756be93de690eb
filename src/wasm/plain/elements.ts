// Kernels that move elements, or look along an axis one element after the other. Elements are copied as int32, which
// keeps every bit.
import { wordAt, type PlainKernel } from './memory.ts';

/** A run from which on moving it as a block is faster than element by element. */
const LONG = 32;

/** Copies by strides. Arguments: from, to, sizes of 5 axes, bytes of each for from, for to. */
export const copy: PlainKernel = ({ i32 }, p) => {
  const n = i32[p + 6]!;
  const [fromStep, toStep] = [i32[p + 11]! >> 2, i32[p + 16]! >> 2];
  const isLong = fromStep === 1 && toStep === 1 && n >= LONG;
  const at = (start: number, by: number, i: number, j: number, k: number, l: number): number =>
    wordAt(start + i * i32[by]! + j * i32[by + 1]! + k * i32[by + 2]! + l * i32[by + 3]!);
  for (let i = 0; i < i32[p + 2]!; i++)
    for (let j = 0; j < i32[p + 3]!; j++)
      for (let k = 0; k < i32[p + 4]!; k++)
        for (let l = 0; l < i32[p + 5]!; l++) {
          let from = at(i32[p]!, p + 7, i, j, k, l);
          let to = at(i32[p + 1]!, p + 12, i, j, k, l);
          if (isLong) i32.copyWithin(to, from, from + n);
          else for (let x = 0; x < n; x++, from += fromStep, to += toStep) i32[to] = i32[from]!;
        }
};

/** Arguments: to, count, value. */
export const fill: PlainKernel = ({ i32 }, p) => {
  const to = wordAt(i32[p]!);
  i32.fill(i32[p + 2]!, to, to + i32[p + 1]!);
};

/** Rows by index. Arguments: data, indices, out, outer, size, bytes of a row, count of indices. */
export const gather: PlainKernel = ({ i32 }, p) => {
  const [data, indices] = [wordAt(i32[p]!), wordAt(i32[p + 1]!)];
  const [size, row, n] = [i32[p + 4]!, i32[p + 5]! >> 2, i32[p + 6]!];
  let out = wordAt(i32[p + 2]!);
  for (let o = 0; o < i32[p + 3]!; o++)
    for (let k = 0; k < n; k++, out += row) {
      let at = i32[indices + k]!;
      if (at < -size || at >= size) return false;
      if (at < 0) at += size;
      const from = data + (o * size + at) * row;
      if (row === 1) i32[out] = i32[from]!;
      else i32.copyWithin(out, from, from + row);
    }
  return true;
};

/** Where the largest or smallest number of a run is. Arguments: x, out, outer, size, inner, largest, last. */
export const argument: PlainKernel = ({ f32, i32 }, p) => {
  const [outer, size, inner] = [i32[p + 2]!, i32[p + 3]!, i32[p + 4]!];
  const sign = i32[p + 5] ? 1 : -1;
  const last = i32[p + 6] !== 0;
  const start = wordAt(i32[p]!);
  let out = wordAt(i32[p + 1]!);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++, out++) {
      let best = 0;
      let top = -Infinity;
      let x = start + o * size * inner + i;
      for (let k = 0; k < size; k++, x += inner) {
        const value = f32[x]! * sign;
        if (value > top || (last && value === top)) {
          top = value;
          best = k;
        }
      }
      i32[out] = best;
    }
};

/** Sums so far along an axis. Arguments: x, out, outer, size, inner, exclusive, reverse. */
export const cumsum: PlainKernel = ({ f32, i32 }, p) => {
  const [outer, size, inner] = [i32[p + 2]!, i32[p + 3]!, i32[p + 4]!];
  const [exclusive, reverse] = [i32[p + 5] !== 0, i32[p + 6] !== 0];
  const [x, out] = [wordAt(i32[p]!), wordAt(i32[p + 1]!)];
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let total = 0;
      for (let k = 0; k < size; k++) {
        const at = (o * size + (reverse ? size - 1 - k : k)) * inner + i;
        const value = f32[x + at]!;
        f32[out + at] = exclusive ? total : total + value;
        total += value;
      }
    }
};
