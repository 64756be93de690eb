// Cuts sequences into the steps of a stream, and joins what the steps give.
import type { ValueInfo } from '../graph.ts';
import { allocate, sizeOf, type Tensor } from '../tensor.ts';
import { UsageError } from './usage.ts';

/** What each step is fed. */
export interface Steps {
  readonly count: number;
  readonly feeds: (step: number) => Record<string, Tensor>;
  /** What all steps gave, as one. */
  readonly join: (results: readonly Readonly<Record<string, Tensor>>[]) => Record<string, Tensor>;
}

/** Names that files give the axis of time. */
const TIME = /^(t|l|time.*|seq.*|steps?|n?_?frames|length|.*_len(gth)?)$/i;

/** Elements from `start` to `end` along an axis. */
export function sliceAxis(value: Tensor, axis: number, start: number, end: number): Tensor {
  const { type, dims, data } = value;
  const size = dims[axis]!;
  const inner = sizeOf(dims.slice(axis + 1));
  const result = allocate(type, (data.length / Math.max(size, 1)) * (end - start));
  const width = (end - start) * inner;
  for (let outer = 0; outer * width < result.length; outer++) {
    const from = (outer * size + start) * inner;
    (result as Float32Array).set(data.subarray(from, from + width) as Float32Array, outer * width);
  }
  return { type, dims: dims.with(axis, end - start), data: result } as Tensor;
}

/** Tensors one after the other along an axis. */
export function joinAxis(parts: readonly Tensor[], axis: number): Tensor {
  const { type, dims } = parts[0]!;
  const total = parts.reduce((sum, part) => sum + part.dims[axis]!, 0);
  const outer = sizeOf(dims.slice(0, axis));
  const result = allocate(type, outer * total * sizeOf(dims.slice(axis + 1)));
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const { data } of parts) {
      const width = data.length / outer;
      const row = data.subarray(o * width, (o + 1) * width);
      (result as Float32Array).set(row as Float32Array, at);
      at += width;
    }
  }
  return { type, dims: dims.with(axis, total), data: result } as Tensor;
}

interface Sequence {
  readonly info: ValueInfo;
  readonly value: Tensor;
  /** Of time; -1 where the first axis of the file has one step each. */
  readonly axis: number;
}

function sequenceOf(info: ValueInfo, value: Tensor, axes: ReadonlyMap<string, number>): Sequence[] {
  const own = axes.get(info.name);
  if (value.dims.length === info.dims.length + 1) return [{ info, value, axis: -1 }];
  const named = info.dims.findIndex((dim) => typeof dim === 'string' && TIME.test(dim));
  const axis = own ?? named;
  if (own !== undefined && !(own < info.dims.length)) {
    throw new UsageError(`--axis ${info.name}=${own}: the input is [${info.dims.join(', ')}]`);
  }
  return axis < 0 ? [] : [{ info, value, axis }];
}

/**
 * Cuts the inputs that have time into steps of `length`; the others go to every step.
 *
 * @param states outputs that are fed back: of these only the last value counts
 */
export function cutIntoSteps(
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  feeds: Readonly<Record<string, Tensor>>,
  length: number,
  axes: ReadonlyMap<string, number>,
  states: readonly string[] = [],
): Steps {
  const given = inputs.filter(({ name }) => Object.hasOwn(feeds, name));
  const sequences = given.flatMap((info) => sequenceOf(info, feeds[info.name]!, axes));
  const counts = sequences.map(({ value, axis }) =>
    axis < 0 ? value.dims[0]! : Math.ceil(value.dims[axis]! / length),
  );
  const count = counts[0];
  if (count === undefined) {
    throw new UsageError('no input has an axis of time: say which, --axis NAME=0');
  }
  if (counts.some((other) => other !== count)) {
    const list = sequences.map(({ info }, k) => `${info.name} ${counts[k]}`).join(', ');
    throw new UsageError(`the inputs have different numbers of steps: ${list}`);
  }
  const pieceOf = ({ value, axis }: Sequence, step: number): Tensor => {
    if (axis >= 0) {
      const end = Math.min((step + 1) * length, value.dims[axis]!);
      return sliceAxis(value, axis, step * length, end);
    }
    const piece = sliceAxis(value, 0, step, step + 1);
    return { ...piece, dims: piece.dims.slice(1) };
  };
  const times = sequences.flatMap(({ info, axis }) =>
    axis < 0 ? [] : [{ axis, dim: info.dims[axis]! }],
  );
  return {
    count,
    feeds: (step) => ({
      ...feeds,
      ...Object.fromEntries(sequences.map((item) => [item.info.name, pieceOf(item, step)])),
    }),
    join: (results) =>
      Object.fromEntries(
        outputs.map(({ name, dims }): [string, Tensor] => {
          const parts = results.map((result) => result[name]!);
          if (states.includes(name)) return [name, parts.at(-1)!];
          if (times.length === 0) {
            const stacked = parts.map((part) => ({ ...part, dims: [1, ...part.dims] }));
            return [name, joinAxis(stacked, 0)];
          }
          const axis = timeAxis(dims, parts, times[0]!, length);
          // A state: its last value is what a run of the whole sequence gives.
          return [name, axis < 0 ? parts.at(-1)! : joinAxis(parts, axis)];
        }),
      ),
  };
}

/** Which axis of an output is time: the one called so, or the same with as many steps as were fed. */
function timeAxis(
  dims: ValueInfo['dims'],
  parts: readonly Tensor[],
  { axis, dim }: { readonly axis: number; readonly dim: number | string },
  length: number,
): number {
  const named = typeof dim === 'string' ? dims.indexOf(dim) : -1;
  if (named >= 0) return named;
  const isFree = dims[axis] === undefined || typeof dims[axis] === 'string';
  const fits = parts.slice(0, -1).every((part) => part.dims[axis] === length);
  return isFree && fits && parts[0]!.dims.length > axis ? axis : -1;
}
