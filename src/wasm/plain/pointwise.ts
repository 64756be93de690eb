// Functions of two or three numbers, element by element, with broadcasting.
import * as id from '../assembly/ids.ts';
import { wordAt, type PlainKernel, type PlainMemory } from './memory.ts';

/** Applies a function along the last axis: `n` elements, at steps of 0 or 1. */
type Loop = (
  m: PlainMemory,
  out: number,
  n: number,
  a: number,
  da: number,
  b: number,
  db: number,
  c: number,
  dc: number,
) => void;

// Each loop is code of its own, so that the engine compiles it for its one function.
const LOOPS: Readonly<Record<number, Loop>> = {
  [id.ADD]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = f32[a]! + f32[b]!;
  },
  [id.SUB]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = f32[a]! - f32[b]!;
  },
  [id.MUL]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = f32[a]! * f32[b]!;
  },
  [id.DIV]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = f32[a]! / f32[b]!;
  },
  [id.MIN]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = Math.min(f32[a]!, f32[b]!);
  },
  [id.MAX]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = Math.max(f32[a]!, f32[b]!);
  },
  [id.EQUAL]: ({ f32, i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = f32[a] === f32[b] ? 1 : 0;
  },
  [id.LESS]: ({ f32, i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = f32[a]! < f32[b]! ? 1 : 0;
  },
  [id.LESS_OR_EQUAL]: ({ f32, i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = f32[a]! <= f32[b]! ? 1 : 0;
  },
  [id.PRELU]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) {
      const x = f32[a]!;
      f32[out + k] = x < 0 ? x * f32[b]! : x;
    }
  },
  [id.POW]: ({ f32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) f32[out + k] = f32[a]! ** f32[b]!;
  },
  [id.SELECT]: ({ i32 }, out, n, a, da, b, db, c, dc) => {
    for (let k = 0; k < n; k++, a += da, b += db, c += dc)
      i32[out + k] = i32[a] ? i32[b]! : i32[c]!;
  },
  [id.INT_ADD]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! + i32[b]!;
  },
  [id.INT_SUB]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! - i32[b]!;
  },
  [id.INT_MUL]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = Math.imul(i32[a]!, i32[b]!);
  },
  [id.INT_MIN]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = Math.min(i32[a]!, i32[b]!);
  },
  [id.INT_MAX]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = Math.max(i32[a]!, i32[b]!);
  },
  [id.INT_EQUAL]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a] === i32[b] ? 1 : 0;
  },
  [id.INT_LESS]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! < i32[b]! ? 1 : 0;
  },
  [id.INT_LESS_OR_EQUAL]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! <= i32[b]! ? 1 : 0;
  },
  [id.AND]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! & i32[b]!;
  },
  [id.OR]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! | i32[b]!;
  },
  [id.XOR]: ({ i32 }, out, n, a, da, b, db) => {
    for (let k = 0; k < n; k++, a += da, b += db) i32[out + k] = i32[a]! ^ i32[b]!;
  },
};

/**
 * Arguments: function, out, sizes of 5 axes; then of a, b and c: pointer, bytes from element to element along each
 * axis.
 */
export const pointwise: PlainKernel = (m, p) => {
  const { i32 } = m;
  const loop = LOOPS[i32[p]!]!;
  const n = i32[p + 6]!;
  /** Where an operand is at an index of the outer axes. */
  const at = (operand: number, i: number, j: number, k: number, l: number): number =>
    wordAt(
      i32[operand]! +
        i * i32[operand + 1]! +
        j * i32[operand + 2]! +
        k * i32[operand + 3]! +
        l * i32[operand + 4]!,
    );
  const [da, db, dc] = [i32[p + 12]! >> 2, i32[p + 18]! >> 2, i32[p + 24]! >> 2];
  let out = wordAt(i32[p + 1]!);
  for (let i = 0; i < i32[p + 2]!; i++)
    for (let j = 0; j < i32[p + 3]!; j++)
      for (let k = 0; k < i32[p + 4]!; k++)
        for (let l = 0; l < i32[p + 5]!; l++, out += n) {
          const a = at(p + 7, i, j, k, l);
          const b = at(p + 13, i, j, k, l);
          loop(m, out, n, a, da, b, db, at(p + 19, i, j, k, l), dc);
        }
};
