// Strides and broadcasting: the index arithmetic of operators and of their lowerings.
import { RnnError } from '../errors.ts';
import { formatDims, sizeOf } from '../tensor.ts';
import { type Dims } from './shapes.ts';

/** Distance between neighbours along each axis of a dense row-major array. */
export function stridesOf(dims: Dims): number[] {
  const strides = dims.map(() => 1);
  for (let axis = dims.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  }
  return strides;
}

/** The shape that all of `shapes` broadcast to. https://onnx.ai/onnx/repo-docs/Broadcasting.html */
export function broadcastDims(shapes: readonly Dims[], path: string): number[] {
  const rank = Math.max(0, ...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1;
    for (const dims of shapes) {
      const dim = dims[axis - rank + dims.length] ?? 1;
      if (dim !== 1 && size !== 1 && dim !== size) {
        const got = shapes.map(formatDims).join(' and ');
        throw new RnnError('SHAPE_MISMATCH', path, `got ${got}, expected shapes that broadcast`);
      }
      if (dim !== 1) size = dim;
    }
    return size;
  });
}

/**
 * Strides of an array of shape `dims` read at the indices of the wider shape `into`.
 *
 * @param strides those of the array, where it is not dense
 */
export function broadcastStrides(
  dims: Dims,
  into: Dims,
  strides: Dims = stridesOf(dims),
): number[] {
  const added = into.length - dims.length;
  return into.map((_, axis) => ((dims[axis - added] ?? 1) === 1 ? 0 : strides[axis - added]!));
}

/** Visits every index of a shape in row-major order. The index array is reused. */
export function forEachIndex(
  dims: Dims,
  visit: (index: readonly number[], flat: number) => void,
): void {
  const index = dims.map(() => 0);
  const count = sizeOf(dims);
  for (let flat = 0; flat < count; flat++) {
    visit(index, flat);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < dims[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** Position of an index in an array with these strides. */
export function offsetOf(index: readonly number[], strides: Dims): number {
  let offset = 0;
  for (let axis = 0; axis < strides.length; axis++) offset += index[axis]! * strides[axis]!;
  return offset;
}

/** An array of shape `dims` broadcast to the shape `into`; the array itself where that is the same. */
export function broadcastTo(data: Float64Array, dims: Dims, into: Dims): Float64Array {
  const count = sizeOf(into);
  if (count === data.length) return data;
  const out = new Float64Array(count);
  const strides = broadcastStrides(dims, into);
  forEachIndex(into, (index, flat) => (out[flat] = data[offsetOf(index, strides)]!));
  return out;
}

/** A shape seen from one axis: [outer, size, inner], the sizes before, at and after it multiplied. */
export function splitDims(dims: Dims, axis: number): readonly [number, number, number] {
  return [sizeOf(dims.slice(0, axis)), dims[axis] ?? 1, sizeOf(dims.slice(axis + 1))];
}
