// Checks what a caller feeds against what the model declares.
import { RnnError } from './errors.ts';
import type { ValueInfo } from './graph.ts';
import { checkArray, checkDims, sizeOf, type DataType, type Tensor } from './tensor.ts';

/** A tensor that stays on the GPU: a result of `output: 'gpu'`, or a buffer of the app with its shape. */
export interface GpuTensor {
  /** Element type in the graph. */
  readonly type: DataType;
  /** Sizes, outermost first. */
  readonly dims: readonly number[];
  /**
   * Row-major from its start; f32 for floating point types, i32 for integers and bool. It belongs to whoever made
   * it, and that of a result to the caller, who destroys it when done.
   */
  readonly buffer: GPUBuffer;
}

/** Tensors by input name. Where the GPU computes, any of them may be there already. */
export type Feeds = Readonly<Record<string, Tensor | GpuTensor>>;

/** Whether a feed is on the GPU, as far as its form tells. */
export function isGpuTensor(feed: unknown): feed is GpuTensor {
  const given = (feed ?? {}) as Partial<GpuTensor & Tensor>;
  return Array.isArray(given.dims) && given.buffer !== undefined && given.data === undefined;
}

/** Whether any feed is on the GPU. */
export const hasGpuTensor = (feeds: Feeds): boolean => Object.values(feeds ?? {}).some(isGpuTensor);

/** @throws RnnError `INVALID_ARGUMENT` for what is no object */
export function checkIsFeeds(feeds: unknown, path = 'feeds'): void {
  if (typeof feeds === 'object' && feeds !== null) return;
  const what = `got ${feeds === null ? 'null' : typeof feeds}, expected tensors by name`;
  throw new RnnError('INVALID_ARGUMENT', path, what);
}

/** @throws RnnError `INVALID_ARGUMENT` for a tensor on the GPU */
function refuseGpuTensor(declared: string, path: string): never {
  const what = `got a tensor on the GPU, which only webgpu takes, expected numbers ${declared}`;
  throw new RnnError('INVALID_ARGUMENT', path, what);
}

/** @throws RnnError as {@link checkFeeds} */
function checkElements(feed: Tensor, path: string): void {
  const count = sizeOf(feed.dims);
  if (count === feed.data.length) return;
  if (feed.data.buffer.byteLength === 0) {
    const what = 'has no elements: its buffer was empty, or has been transferred';
    throw new RnnError('INVALID_ARGUMENT', `${path}.data`, what);
  }
  const what = `elements, got ${feed.data.length}, expected ${count} for [${feed.dims.join(', ')}]`;
  throw new RnnError('SHAPE_MISMATCH', `${path}.data`, what);
}

/** A feed that is a tensor of the declared type and rank. @throws RnnError as {@link checkFeeds} */
function checkFeed(
  { name, type, dims }: ValueInfo,
  feed: Partial<Tensor & GpuTensor> | undefined,
  takesGpu: boolean,
): Tensor | GpuTensor {
  const path = `feeds.${name}`;
  const declared = `${type} [${dims.join(', ')}]`;
  const isOnGpu = isGpuTensor(feed);
  if (isOnGpu && !takesGpu) refuseGpuTensor(declared, path);
  if (!Array.isArray(feed?.dims) || !(isOnGpu || ArrayBuffer.isView(feed.data))) {
    const got = feed === undefined ? 'nothing' : 'something else';
    const what = `input, got ${got}, expected a tensor ${declared}`;
    throw new RnnError('INVALID_ARGUMENT', path, what);
  }
  if (feed.type !== type) {
    const what = `element type, got ${feed.type}, expected ${type}`;
    throw new RnnError('INVALID_ARGUMENT', path, what);
  }
  if (!isOnGpu) checkArray(feed.data, type, `${path}.data`);
  checkDims(feed.dims, `${path}.dims`);
  if (feed.dims.length !== dims.length) {
    const what = `shape, got [${feed.dims.join(', ')}], expected ${declared}`;
    throw new RnnError('SHAPE_MISMATCH', path, what);
  }
  if (isOnGpu) return feed;
  checkElements(feed as Tensor, path);
  return feed as Tensor;
}

/**
 * Checks tensors against the declared inputs of a graph.
 *
 * @param takesGpu whether tensors on the GPU are taken; their buffers are not looked at
 * @returns the size of each free dimension, by its name
 * @throws RnnError `INVALID_ARGUMENT` for a feed that is missing, unknown or of another type,
 *   `SHAPE_MISMATCH` for one of another shape; the path is `feeds.NAME`
 */
export function checkFeeds(
  inputs: readonly ValueInfo[],
  feeds: Feeds,
  takesGpu = false,
): Map<string, number> {
  checkIsFeeds(feeds);
  const names = inputs.map((input) => input.name);
  const unknown = Object.keys(feeds).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const what = `unknown input, got '${unknown}', expected ${names.join(', ') || 'none'}`;
    throw new RnnError('INVALID_ARGUMENT', `feeds.${unknown}`, what);
  }
  const sizes = new Map<string, number>();
  for (const info of inputs) {
    const { name, dims } = info;
    const feed = checkFeed(info, Object.hasOwn(feeds, name) ? feeds[name] : undefined, takesGpu);
    dims.forEach((dim, axis) => {
      const size = feed.dims[axis]!;
      const expected = typeof dim === 'number' ? dim : (sizes.get(dim) ?? size);
      if (size !== expected) {
        const meaning = typeof dim === 'string' ? ` (${dim}, as in an input before)` : '';
        const what = `size, got ${size}, expected ${expected}${meaning}`;
        throw new RnnError('SHAPE_MISMATCH', `feeds.${name}.dims[${axis}]`, what);
      }
      if (typeof dim === 'string') sizes.set(dim, size);
    });
  }
  return sizes;
}
