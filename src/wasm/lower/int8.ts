// Weights of 8 bits in the layout of the CPU's kernels, rounded as `storeWeights` rounds them for a GPU.
import { RnnError } from '../../errors.ts';
import type { Words } from '../program.ts';

/** Words of 4 bytes that columns of K weights take: panels [columns / 8][K / 2][8][2] of bytes, then scales. */
export const int8Words = (columns: number, K: number): number =>
  (columns / 8) * Math.ceil(K / 2) * 4 + columns;

/**
 * Packs rows of a matrix as columns.
 *
 * @param weights rows of K, one after the other, from `start` on
 * @param columns the row of each column, -1 for zeros; their count is a multiple of 8
 * @param path of the layer, for the error
 * @throws RnnError `LIMIT_EXCEEDED` for a weight that is infinite or not a number
 */
export function packInt8(
  weights: Words,
  start: number,
  columns: readonly number[],
  K: number,
  path: string,
): Float32Array {
  const pairs = Math.ceil(K / 2);
  const words = new Float32Array(int8Words(columns.length, K));
  const bytes = new Int8Array(words.buffer);
  const scales = words.subarray((columns.length / 8) * pairs * 4);
  columns.forEach((row, column) => {
    if (row < 0) return;
    const from = weights.subarray(start + row * K, start + (row + 1) * K);
    let largest = 0;
    for (const weight of from) {
      if (!Number.isFinite(weight)) {
        const what = `has a weight of ${weight}, which weights: 'int8' cannot hold; use 'f32'`;
        throw new RnnError('LIMIT_EXCEEDED', path, what);
      }
      largest = Math.max(largest, Math.abs(weight));
    }
    if (largest === 0) return;
    scales[column] = largest / 127;
    const panel = (column >> 3) * pairs * 16 + (column & 7) * 2;
    from.forEach((weight, k) => {
      bytes[panel + (k >> 1) * 16 + (k & 1)] = Math.round((weight / largest) * 127);
    });
  });
  return words;
}
