// Functions of one number, element by element.
import * as id from '../assembly/ids.ts';
import { wordAt, type PlainKernel, type PlainMemory } from './memory.ts';
import { gate, SCALARS, tanh, type Scalar } from './math.ts';

/** Applies a function to `n` elements. */
type Loop = (
  m: PlainMemory,
  x: number,
  out: number,
  n: number,
  alpha: number,
  beta: number,
) => void;

// Each loop is code of its own, so that the engine compiles it for its one function. A function that costs more
// than a call has the general loop.
const LOOPS: Readonly<Record<number, Loop>> = {
  [id.RELU]: ({ f32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = Math.max(f32[x + k]!, 0);
  },
  [id.TANH]: ({ f32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = tanh(f32[x + k]!);
  },
  [id.SIGMOID]: ({ f32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = gate(f32[x + k]!);
  },
  [id.AFFINE]: ({ f32 }, x, out, n, alpha, beta) => {
    for (let k = 0; k < n; k++) f32[out + k] = alpha * f32[x + k]! + beta;
  },
  [id.LEAKY_RELU]: ({ f32 }, x, out, n, alpha) => {
    for (let k = 0; k < n; k++) {
      const value = f32[x + k]!;
      f32[out + k] = value < 0 ? alpha * value : value;
    }
  },
  [id.SQRT]: ({ f32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = Math.sqrt(f32[x + k]!);
  },
  [id.ABS]: ({ f32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = Math.abs(f32[x + k]!);
  },
  [id.NEG]: ({ f32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = -f32[x + k]!;
  },
  [id.NOT]: ({ i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = 1 - i32[x + k]!;
  },
  [id.IS_NAN]: ({ f32, i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = Number.isNaN(f32[x + k]!) ? 1 : 0;
  },
  [id.TO_BOOL]: ({ f32, i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = f32[x + k] === 0 ? 0 : 1;
  },
  [id.TO_FLOAT]: ({ f32, i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) f32[out + k] = i32[x + k]!;
  },
  // The fraction goes, what is left wraps around: the conversion of typed arrays.
  [id.TO_INT]: ({ f32, i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = f32[x + k]!;
  },
  [id.INT_TO_BOOL]: ({ i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = i32[x + k] === 0 ? 0 : 1;
  },
  [id.INT_NEG]: ({ i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = -i32[x + k]!;
  },
  [id.INT_ABS]: ({ i32 }, x, out, n) => {
    for (let k = 0; k < n; k++) i32[out + k] = Math.abs(i32[x + k]!);
  },
};

function general(
  f32: Float32Array,
  f: Scalar,
  x: number,
  out: number,
  n: number,
  alpha: number,
  beta: number,
): void {
  for (let k = 0; k < n; k++) f32[out + k] = f(f32[x + k]!, alpha, beta);
}

/** Arguments: function, x, out, count, alpha, beta. */
export const unary: PlainKernel = (m, p) => {
  const { f32, i32 } = m;
  const [kind, n, alpha, beta] = [i32[p]!, i32[p + 3]!, f32[p + 4]!, f32[p + 5]!];
  const [x, out] = [wordAt(i32[p + 1]!), wordAt(i32[p + 2]!)];
  const loop = LOOPS[kind];
  if (loop) loop(m, x, out, n, alpha, beta);
  else general(f32, SCALARS[kind]!, x, out, n, alpha, beta);
};
