// Packed weights in the way they are stored on a GPU, see shaders/recurrent/weights.ts.
import type { WeightShape, WeightStorage } from '../../../shaders/recurrent/weights.ts';
import { RnnError } from '../../errors.ts';
import { float16Bits } from '../../float16.ts';

/** 4-byte words that weights of a shape take. */
export function storedWords(storage: WeightStorage, { groups, k4, span }: WeightShape): number {
  const vectors = groups * k4 * span;
  return { f32: vectors * 4, f16: vectors * 2, int8: vectors + groups * span }[storage];
}

/**
 * Stores packed weights, each rounded to the nearest number that the storage has.
 *
 * @param path of the layer, for the error
 * @throws RnnError `LIMIT_EXCEEDED` for a weight that the storage has no number near
 */
export function storeWeights(
  packed: Float32Array,
  storage: WeightStorage,
  shape: WeightShape,
  path: string,
): Float32Array | Uint32Array {
  if (storage === 'f32') return packed;
  refuseBeyond(packed, storage, path);
  return storage === 'f16' ? new Uint32Array(float16Bits(packed).buffer) : asBytes(packed, shape);
}

/** What rounds to a number beyond half precision. */
const HALF_END = 65520;

/**
 * Refuses weights that a storage has no number near: infinite ones, NaN, and what half precision ends before.
 *
 * @param path of the layer, for the error
 * @throws RnnError `LIMIT_EXCEEDED`
 */
export function refuseBeyond(
  weights: ArrayLike<number> & Iterable<number>,
  storage: Exclude<WeightStorage, 'f32'>,
  path: string,
): void {
  const limit = storage === 'f16' ? HALF_END : Infinity;
  for (const weight of weights) {
    if (Math.abs(weight) < limit) continue;
    const what = `has a weight of ${weight}, which weights: '${storage}' cannot hold; use 'f32'`;
    throw new RnnError('LIMIT_EXCEEDED', path, what);
  }
}

/** Bytes from -127 to 127, then the scale of each row: its largest weight, which is 127. */
function asBytes(weights: Float32Array, { groups, k4, span }: WeightShape): Uint32Array {
  const vectors = groups * k4 * span;
  const words = new Uint32Array(vectors + groups * span);
  const scales = new Float32Array(words.buffer, vectors * 4);
  const bytes = new Int8Array(words.buffer, 0, vectors * 4);
  const rowOf = (i: number): number => {
    const vector = i >> 2;
    return Math.floor(vector / (k4 * span)) * span + (vector % span);
  };
  for (let i = 0; i < bytes.length; i++) {
    const row = rowOf(i);
    scales[row] = Math.max(scales[row]!, Math.abs(weights[i]!));
  }
  for (let i = 0; i < bytes.length; i++) {
    const scale = scales[rowOf(i)]!;
    if (scale > 0) bytes[i] = Math.round((weights[i]! / scale) * 127);
  }
  return words;
}
