// A small LSTM with a free batch and a free number of steps, for tests of what surrounds the kernels.
import { expect } from 'vitest';
import { lstm, RnnError, sequential, tensor } from '../../src/index.ts';
import type { Graph, Tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { expectClose } from './close.ts';
import { randomOf } from './random.ts';

/** Features of the input, and units. */
export const [I, H] = [3, 4];

const random = randomOf(23);
const floats = (...dims: number[]): Tensor<'float32'> => {
  const size = dims.reduce((n, dim) => n * dim, 1);
  return tensor(random.floats(size, 0.5), dims);
};

/** Input `X` [B, T, I], output `Y` [B, T, H]. */
export const graph: Graph = sequential([
  lstm({ W: floats(4 * H, I), R: floats(4 * H, H), B: floats(8 * H), returnSequences: true }),
]);

/** Random feeds. */
export const feedsOf = (steps = 2, batch = 1): Record<string, Tensor> => ({
  X: floats(batch, steps, I),
});

/** Steps `from` to `to` of feeds with one row. */
export const stepsOf = ({ X }: Record<string, Tensor>, from: number, to: number) => ({
  X: tensor((X!.data as Float32Array).slice(from * I, to * I), [1, to - from, I]),
});

/** Checks a result with the reference; the steps from `from` on are compared. */
export function expectRight(
  got: Record<string, Tensor>,
  feeds: Record<string, Tensor>,
  from = 0,
): void {
  const want = runReference(graph, feeds).get('Y')!;
  const [, steps, width] = want.dims as [number, number, number];
  const part = want.data.slice(from * width, steps * width);
  expectClose(got['Y']!.data as Float32Array, from === 0 ? want.data : part, { atol: 1e-5 });
}

/** The RnnError that some work fails with. */
export async function failureOf(work: () => unknown): Promise<RnnError> {
  try {
    await work();
  } catch (error) {
    expect(error).toBeInstanceOf(RnnError);
    return error as RnnError;
  }
  throw new Error('expected an error, got none');
}
