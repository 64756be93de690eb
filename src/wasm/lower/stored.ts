// Weights of 16 and 8 bits in the layout of the CPU's kernels, rounded as `storeWeights` rounds them for a GPU.
import { float16Bits } from '../../float16.ts';
import { refuseBeyond } from '../../plan/weights/quantize.ts';
import type { Words } from '../program.ts';

/** A matrix whose rows become columns of panels. */
export interface Matrix {
  /** Rows of K, one after the other, from `start` on. */
  readonly weights: Words;
  readonly start: number;
  readonly K: number;
  /** The row of each column, -1 for zeros; their count is a multiple of 8. */
  readonly columns: readonly number[];
  /** Of the layer, for the error. */
  readonly path: string;
}

/** Each column with the weights of its row. */
function* rowsOf({ weights, start, K, columns }: Matrix): Generator<readonly [number, Words]> {
  for (const [column, row] of columns.entries()) {
    if (row >= 0) yield [column, weights.subarray(start + row * K, start + (row + 1) * K)];
  }
}

/** Words of 4 bytes that columns of K weights take: panels [columns / 8][K][8] of half precision. */
export const halfWords = (columns: number, K: number): number => (columns * K) / 2;

/**
 * Packs rows of a matrix as columns, in half precision.
 *
 * @throws RnnError `LIMIT_EXCEEDED` for a weight beyond half precision
 */
export function packHalf(matrix: Matrix): Int32Array {
  const { K, columns, path } = matrix;
  const panels = new Float32Array(columns.length * K);
  for (const [column, row] of rowsOf(matrix)) {
    refuseBeyond(row, 'f16', path);
    const panel = (column >> 3) * K * 8 + (column & 7);
    row.forEach((weight, k) => {
      panels[panel + k * 8] = weight;
    });
  }
  return new Int32Array(float16Bits(panels).buffer);
}

/** Words of 4 bytes that columns of K weights take: panels [columns / 8][K / 2][8][2] of bytes, then scales. */
export const int8Words = (columns: number, K: number): number =>
  (columns / 8) * Math.ceil(K / 2) * 4 + columns;

/**
 * Packs rows of a matrix as columns, in 8 bits.
 *
 * @throws RnnError `LIMIT_EXCEEDED` for a weight that is infinite or not a number
 */
export function packInt8(matrix: Matrix): Float32Array {
  const { K, columns, path } = matrix;
  const pairs = Math.ceil(K / 2);
  const words = new Float32Array(int8Words(columns.length, K));
  const bytes = new Int8Array(words.buffer);
  const scales = words.subarray((columns.length / 8) * pairs * 4);
  for (const [column, row] of rowsOf(matrix)) {
    refuseBeyond(row, 'int8', path);
    let largest = 0;
    for (const weight of row) largest = Math.max(largest, Math.abs(weight));
    if (largest === 0) continue;
    scales[column] = largest / 127;
    const panel = (column >> 3) * pairs * 16 + (column & 7) * 2;
    row.forEach((weight, k) => {
      bytes[panel + (k >> 1) * 16 + (k & 1)] = Math.round((weight / largest) * 127);
    });
  }
  return words;
}
