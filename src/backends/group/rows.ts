// Tensors by rows along one axis, which is that of the batch.
import { allocate, sizeOf, type Tensor, type TypedArray } from '../../tensor.ts';

const productOf = (dims: readonly number[], from: number, to: number): number => {
  let size = 1;
  for (let axis = from; axis < to; axis++) size *= dims[axis]!;
  return size;
};

/** Writes a tensor of one row into a row of another, whose other axes are the same. */
export function writeRow(into: Tensor, axis: number, row: number, { data }: Tensor): void {
  const { dims } = into;
  const [rows, inner] = [dims[axis]!, productOf(dims, axis + 1, dims.length)];
  const target = into.data as Float32Array;
  if (data.length === inner) return target.set(data as Float32Array, row * inner);
  for (let block = 0; block * inner < data.length; block++) {
    const part = data.subarray(block * inner, (block + 1) * inner) as Float32Array;
    target.set(part, (block * rows + row) * inner);
  }
}

/** A tensor of `count` rows; `rowAt` gives each of them, as a tensor of one row. */
export function stack(axis: number, count: number, rowAt: (row: number) => Tensor): Tensor {
  const { type, dims: one } = rowAt(0);
  const dims = one.with(axis, count);
  const stacked: Tensor = { type, dims, data: allocate(type, sizeOf(dims)) };
  for (let row = 0; row < count; row++) writeRow(stacked, axis, row, rowAt(row));
  return stacked;
}

/** One row of a tensor, in an array of its own. */
export function rowOf({ type, dims, data }: Tensor, axis: number, row: number): Tensor {
  const [rows, inner] = [dims[axis]!, productOf(dims, axis + 1, dims.length)];
  const outer = productOf(dims, 0, axis);
  const own = dims.with(axis, 1);
  if (outer === 1) {
    return { type, dims: own, data: data.slice(row * inner, (row + 1) * inner) };
  }
  const one = allocate(type, outer * inner) as Float32Array;
  for (let block = 0; block < outer; block++) {
    const at = (block * rows + row) * inner;
    one.set((data as Float32Array).subarray(at, at + inner), block * inner);
  }
  return { type, dims: own, data: one };
}

/** Whether two arrays of one type hold the same numbers. */
export function sameNumbers(a: TypedArray, b: TypedArray): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
