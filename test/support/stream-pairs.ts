// A stream of a group, and one like it that is computed by itself: the two are to have the same results.
import { expect } from 'vitest';
import type { GroupStream, Model, Stream, StreamGroup, Tensor } from '../../src/index.ts';
import { expectClose } from './close.ts';

// The same numbers go through the same operations but for the order of a sum, in float32.
const ATOL = 2e-6;

/** Tensors by name. */
export type Results = Record<string, Tensor>;

/** Fails unless two results have the same tensors. */
export function expectSame(got: Results, want: Results, label = 'results'): void {
  expect(Object.keys(got), label).toEqual(Object.keys(want));
  for (const [name, { dims, data }] of Object.entries(want)) {
    expect(got[name]!.dims, label).toEqual(dims);
    expectClose(got[name]!.data as Float32Array, data as Float32Array, { atol: ATOL, label });
  }
}

/** See the top of the file. */
export interface Pair {
  readonly together: GroupStream;
  readonly alone: Stream;
}

/** A new stream of a group, and its like. */
export const pairOf = (model: Model, group: StreamGroup): Pair => ({
  together: group.join(),
  alone: model.stream(),
});

/** Forks of both. */
export const forkOf = ({ together, alone }: Pair): Pair => ({
  together: together.fork(),
  alone: alone.fork(),
});

/** A step of each stream at once, equal to one of its like. */
export async function stepAll(pairs: readonly Pair[], feeds: readonly Results[]): Promise<void> {
  const got = await Promise.all(pairs.map(({ together }, i) => together.step(feeds[i]!)));
  for (const [i, { alone }] of pairs.entries()) {
    expectSame(got[i]!, await alone.step(feeds[i]!), `stream ${i} of ${pairs.length}`);
  }
}
