// Feeds and results of many steps: tensors with an axis of steps in front.
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import { allocate, formatDims, type Tensor } from '../tensor.ts';

type Tensors = Readonly<Record<string, Tensor>>;

/** Feeds of many steps. */
export interface StepFeeds {
  readonly steps: number;
  /** Without an axis of steps: the same for all of them. */
  readonly same: Tensors;
  /** [steps, …] */
  readonly each: Tensors;
}

/**
 * Sorts feeds by whether they have an axis of steps in front.
 *
 * @throws RnnError `SHAPE_MISMATCH` where none has one, or they have different numbers of steps
 */
export function splitFeeds(inputs: readonly ValueInfo[], feeds: Tensors): StepFeeds {
  const same: Record<string, Tensor> = {};
  const each: Record<string, Tensor> = {};
  let steps: number | undefined;
  for (const [name, feed] of Object.entries(feeds ?? {})) {
    const info = inputs.find((input) => input.name === name);
    if (!info || feed?.dims?.length !== info.dims.length + 1) {
      same[name] = feed;
      continue;
    }
    each[name] = feed;
    const [count] = feed.dims as [number];
    if (count >= 1 && (steps ?? count) === count) steps = count;
    else {
      const what = `steps, got ${count}, expected ${steps ?? 'one at least'}`;
      throw new RnnError('SHAPE_MISMATCH', `feeds.${name}.dims[0]`, what);
    }
  }
  if (steps !== undefined) return { steps, same, each };
  const shapes = inputs.map(({ name, dims }) => `'${name}' ${formatDims(['steps', ...dims])}`);
  const what = `no feed has an axis of steps in front, expected one of ${shapes.join(', ')}`;
  throw new RnnError('SHAPE_MISMATCH', 'feeds', what);
}

/** What `count` steps from `from` on are fed, [count, …]. */
export const stepsFrom = (each: Tensors, from: number, count: number): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(each).map(([name, { type, dims, data }]) => {
      const size = data.length / dims[0]!;
      const part = data.subarray(from * size, (from + count) * size);
      return [name, { type, dims: dims.with(0, count), data: part } as Tensor];
    }),
  );

const withDims = (tensors: Tensors, of: (dims: readonly number[]) => readonly number[]) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, value]) => [name, { ...value, dims: of(value.dims) }]),
  ) as Record<string, Tensor>;

/** What step `at` is fed. */
export const stepAt = (each: Tensors, at: number): Record<string, Tensor> =>
  withDims(stepsFrom(each, at, 1), (dims) => dims.slice(1));

/** The results of one step, [1, …]. */
export const asSteps = (results: Tensors): Record<string, Tensor> =>
  withDims(results, (dims) => [1, ...dims]);

/** The results of successive steps, [n, …] each, as one tensor [steps, …] for each output. */
export function joinSteps(parts: readonly Tensors[]): Record<string, Tensor> {
  const [first] = parts as [Tensors];
  if (parts.length === 1) return { ...first };
  return Object.fromEntries(
    Object.entries(first).map(([name, { type, dims }]) => {
      const all = parts.map((part) => part[name]!);
      const count = all.reduce((sum, part) => sum + part.dims[0]!, 0);
      const data = allocate(
        type,
        all.reduce((sum, part) => sum + part.data.length, 0),
      );
      let at = 0;
      for (const part of all) {
        (data as Float32Array).set(part.data as Float32Array, at);
        at += part.data.length;
      }
      return [name, { type, dims: [count, ...dims.slice(1)], data } as Tensor];
    }),
  );
}
