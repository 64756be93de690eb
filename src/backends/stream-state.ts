// The state of a stream as plain tensors: what `snapshot` gives and `restore` takes.
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import { arrayOf, checkDims, formatDims, sizeOf } from '../tensor.ts';
import type { DataType, Tensor } from '../tensor.ts';
import type { Feeds, Tensors } from './backend.ts';

/**
 * Tensors with arrays of their own, for calls that wait while the caller goes on. What is no tensor stays as
 * it is, for the check of the call.
 */
export function copyOf(tensors: Tensors): Record<string, Tensor> {
  const copies = Object.entries(tensors).map(([name, value]: [string, Partial<Tensor> | null]) => {
    const data = value?.data;
    const isArray = ArrayBuffer.isView(data) && !((data as ArrayBufferView) instanceof DataView);
    return [name, isArray ? { ...value, data: data.slice() } : value];
  });
  return Object.fromEntries(copies) as Record<string, Tensor>;
}

/** The same for feeds, of which those on a GPU stay as they are. */
export const ownedFeeds = <F extends Feeds>(feeds: F): F => copyOf(feeds as Tensors) as Feeds as F;

/** A number as JSON can have it: what JSON lacks is text, which restore reads. */
function jsonNumber(value: number | bigint): number | string {
  if (typeof value === 'bigint' || !Number.isFinite(value)) return String(value);
  return Object.is(value, -0) ? '-0' : value;
}

/** Tensors that survive JSON.stringify and structuredClone. */
export function portable(tensors: Tensors): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, dims, data }]) => {
      // Hidden from structuredClone, which refuses functions.
      const toJSON = { value: () => ({ type, dims, data: Array.from(data, jsonNumber) }) };
      return [name, Object.defineProperty({ type, dims: [...dims], data }, 'toJSON', toJSON)];
    }),
  );
}

/** @throws RnnError `SHAPE_MISMATCH` for a state of other shapes */
export function checkShapes(state: Tensors, expected: Tensors): void {
  for (const [name, { dims }] of Object.entries(state)) {
    const want = expected[name]?.dims ?? [];
    if (want.join() !== dims.join()) {
      const what = `got ${formatDims(dims)}, expected ${formatDims(want)}`;
      throw new RnnError('SHAPE_MISMATCH', `state.${name}`, what);
    }
  }
}

/** One tensor of a state, copied. @throws RnnError as {@link checkedState} */
function checkedTensor(name: string, value: unknown, type: DataType): Tensor {
  const path = `state.${name}`;
  const given = (typeof value === 'object' ? value : undefined) as Partial<Tensor> | undefined;
  if (!given || !Array.isArray(given.dims) || !given.data) {
    throw new RnnError('INVALID_ARGUMENT', path, `expected a tensor of ${type} from snapshot`);
  }
  if (given.type !== type) {
    const what = `element type, got ${String(given.type)}, expected ${type}`;
    throw new RnnError('INVALID_ARGUMENT', path, what);
  }
  checkDims(given.dims, `${path}.dims`);
  const data = arrayOf(given.data, type, `${path}.data`);
  if (data.length !== sizeOf(given.dims)) {
    const what = `elements, got ${data.length}, expected ${sizeOf(given.dims)}`;
    throw new RnnError('SHAPE_MISMATCH', `${path}.data`, `${what} for ${formatDims(given.dims)}`);
  }
  return { type, dims: [...given.dims], data } as Tensor;
}

/**
 * A state that a caller wants to restore, copied; undefined where it is empty, which is the state
 * before the first step.
 *
 * @param infos the inputs of the streamed graph that hold its state
 * @param initial what the stream has begun with, if it has
 * @throws RnnError `INVALID_ARGUMENT` for what is no snapshot of this model, `SHAPE_MISMATCH` for one
 *   of other shapes
 */
export function checkedState(
  state: unknown,
  infos: readonly ValueInfo[],
  initial: Tensors | undefined,
): Tensors | undefined {
  if (typeof state !== 'object' || state === null) {
    const what = `got ${state === null ? 'null' : typeof state}, expected tensors by name`;
    throw new RnnError('INVALID_ARGUMENT', 'state', what);
  }
  const names = infos.map(({ name }) => name);
  const unknown = Object.keys(state).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const what = `unknown state, expected ${names.join(', ') || 'none'}`;
    throw new RnnError('INVALID_ARGUMENT', `state.${unknown}`, what);
  }
  if (Object.keys(state).length === 0) return undefined;
  const missing = names.find((name) => !Object.hasOwn(state, name));
  if (missing !== undefined) {
    throw new RnnError('INVALID_ARGUMENT', `state.${missing}`, 'is missing');
  }
  const given = state as Readonly<Record<string, unknown>>;
  const copy = Object.fromEntries(
    infos.map(({ name, type }) => [name, checkedTensor(name, given[name], type)]),
  );
  if (initial) checkShapes(copy, initial);
  return copy;
}
