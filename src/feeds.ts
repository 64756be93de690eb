// Checks what a caller feeds against what the model declares.
import { RnnError } from './errors.ts';
import type { ValueInfo } from './graph.ts';
import { checkArray, checkDims, sizeOf, type Tensor } from './tensor.ts';

/** @throws RnnError `INVALID_ARGUMENT` for what is no object */
export function checkIsFeeds(feeds: unknown): void {
  if (typeof feeds === 'object' && feeds !== null) return;
  const what = `got ${feeds === null ? 'null' : typeof feeds}, expected tensors by name`;
  throw new RnnError('INVALID_ARGUMENT', 'feeds', what);
}

/**
 * Checks tensors against the declared inputs of a graph.
 *
 * @returns the size of each free dimension, by its name
 * @throws RnnError `INVALID_ARGUMENT` for a feed that is missing, unknown or of another type,
 *   `SHAPE_MISMATCH` for one of another shape; the path is `feeds.NAME`
 */
export function checkFeeds(
  inputs: readonly ValueInfo[],
  feeds: Readonly<Record<string, Tensor>>,
): Map<string, number> {
  checkIsFeeds(feeds);
  const names = inputs.map((input) => input.name);
  const unknown = Object.keys(feeds).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const what = `unknown input, got '${unknown}', expected ${names.join(', ') || 'none'}`;
    throw new RnnError('INVALID_ARGUMENT', `feeds.${unknown}`, what);
  }
  const sizes = new Map<string, number>();
  for (const { name, type, dims } of inputs) {
    const path = `feeds.${name}`;
    const declared = `${type} [${dims.join(', ')}]`;
    const feed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
    if (!Array.isArray(feed?.dims) || !ArrayBuffer.isView(feed.data)) {
      const got = feed === undefined ? 'nothing' : 'something else';
      throw new RnnError(
        'INVALID_ARGUMENT',
        path,
        `input, got ${got}, expected a tensor ${declared}`,
      );
    }
    if (feed.type !== type) {
      throw new RnnError(
        'INVALID_ARGUMENT',
        path,
        `element type, got ${feed.type}, expected ${type}`,
      );
    }
    checkArray(feed.data, type, `${path}.data`);
    checkDims(feed.dims, `${path}.dims`);
    const got = `[${feed.dims.join(', ')}]`;
    if (feed.dims.length !== dims.length) {
      throw new RnnError('SHAPE_MISMATCH', path, `shape, got ${got}, expected ${declared}`);
    }
    if (sizeOf(feed.dims) !== feed.data.length) {
      if (feed.data.buffer.byteLength === 0) {
        const what = 'has no elements: its buffer was empty, or has been transferred';
        throw new RnnError('INVALID_ARGUMENT', `${path}.data`, what);
      }
      const what = `elements, got ${feed.data.length}, expected ${sizeOf(feed.dims)} for ${got}`;
      throw new RnnError('SHAPE_MISMATCH', `${path}.data`, what);
    }
    dims.forEach((dim, axis) => {
      const size = feed.dims[axis]!;
      const expected = typeof dim === 'number' ? dim : (sizes.get(dim) ?? size);
      if (size !== expected) {
        const meaning = typeof dim === 'string' ? ` (${dim}, as in an input before)` : '';
        const what = `size, got ${size}, expected ${expected}${meaning}`;
        throw new RnnError('SHAPE_MISMATCH', `${path}.dims[${axis}]`, what);
      }
      if (typeof dim === 'string') sizes.set(dim, size);
    });
  }
  return sizes;
}
