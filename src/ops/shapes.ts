// Shapes and axes, as the attributes of nodes name them. Index arithmetic is in indexing.ts.
import { RnnError } from '../errors.ts';
import { formatDims } from '../tensor.ts';

/** Sizes, outermost first. */
export type Dims = readonly number[];

/** Whether two shapes are the same. */
export const sameDims = (a: Dims, b: Dims): boolean =>
  a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/** An axis counted from the front; negative ones count from the back. */
export function axisOf(axis: number, rank: number, path: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? 'none for a scalar' : `${-rank} to ${rank - 1}`;
    throw new RnnError('INVALID_MODEL', path, `axis out of range, got ${axis}, expected ${range}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Several axes counted from the front; naming one twice is an error. */
export function axesOf(axes: readonly number[], rank: number, path: string): number[] {
  const found = axes.map((axis) => axisOf(axis, rank, path));
  if (new Set(found).size !== found.length) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `an axis twice, got ${formatDims(axes)}, expected each once`,
    );
  }
  return found;
}
