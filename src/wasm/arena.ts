// Which scratch buffers share memory: those whose lives do not overlap.
import { placesIn } from './builder.ts';
import type { BufferId, Program, Step } from './program.ts';

/** Offsets in bytes of the buffers of a program in its arena, and the bytes of that. */
export interface Arena {
  readonly offsets: ReadonlyMap<BufferId, number>;
  readonly bytes: number;
}

const ALIGNMENT = 64;
// Kernels read and write whole vectors, up to 28 bytes after the last element.
const SLACK = 64;

/** Bytes that a buffer of `count` elements takes. */
export const bytesOf = (count: number): number =>
  Math.ceil((count * 4 + SLACK) / ALIGNMENT) * ALIGNMENT;

/** Buffers that each entry, each node of the host, or each loop touches, in order. */
function touched(steps: readonly Step[]): BufferId[][] {
  return steps.flatMap((step) => {
    if (step.kind === 'table') return step.entries.map(({ words }) => placesIn(words));
    if (step.kind === 'loop') {
      // What an iteration leaves is read in the next one.
      const moved = [...step.before, ...step.after].flatMap(({ from, to }) => [from, to]);
      return [[...moved.map(({ buffer }) => buffer), ...touched(step.steps).flat()]];
    }
    const { inputs, outputs, products } = step;
    const places = [
      ...inputs.map((input) => input?.place),
      ...outputs,
      ...(products?.inputs ?? []),
    ];
    const entries = products?.recurrent.flat() ?? [];
    return [
      [
        ...places.flatMap((place) => (place ? [place.buffer] : [])),
        ...entries.flatMap(({ words }) => placesIn(words)),
      ],
    ];
  });
}

/**
 * Assigns offsets, first fit. Inputs hold their numbers from the start, outputs to the end.
 */
export function assignOffsets(program: Program): Arena {
  const order = touched(program.steps);
  const last = new Map<BufferId, number>();
  order.forEach((ids, i) => ids.forEach((id) => last.set(id, i)));
  for (const output of program.outputs) {
    if ('place' in output) last.set(output.place.buffer, order.length);
  }
  const offsets = new Map<BufferId, number>();
  const live: { from: number; to: number; last: number }[] = []; // by offset
  let bytes = 0;
  const take = (id: BufferId, until: number): void => {
    const size = bytesOf(program.buffers[id]!.count);
    let from = 0;
    let index = 0;
    while (index < live.length && live[index]!.from - from < size) from = live[index++]!.to;
    live.splice(index, 0, { from, to: from + size, last: until });
    offsets.set(id, from);
    bytes = Math.max(bytes, from + size);
  };
  for (const { place } of program.inputs) take(place.buffer, order.length);
  order.forEach((ids, i) => {
    for (const id of ids) {
      if (program.buffers[id]!.life === 'scratch' && !offsets.has(id)) take(id, last.get(id)!);
    }
    for (let k = live.length - 1; k >= 0; k--) if (live[k]!.last <= i) live.splice(k, 1);
  });
  // An output that nothing writes, because it is empty, still needs a place.
  for (const output of program.outputs) {
    if (!('place' in output)) continue;
    const { buffer } = output.place;
    const { life } = program.buffers[buffer]!;
    if (life === 'scratch' && !offsets.has(buffer)) take(buffer, order.length);
  }
  return { offsets, bytes };
}
