// What the kernels compute with a fused multiply-add. Models take the best build that the engine accepts.
import { expect, test } from 'vitest';
import { loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import { randomOf } from '../support/random.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';
import { BUILDS } from './builds.ts';

const best = BUILDS.at(-1)!;

test('a model takes the best build', async () => {
  const random = randomOf(1);
  const floats = (...dims: [number, number]) => tensor(random.floats(dims[0] * dims[1]), dims);
  const graph = sequential([lstm({ W: floats(8, 3), R: floats(8, 2) })]);
  const model = await loadModel(graph, { device: 'wasm' });
  expect(model.adapter).toBe(`WebAssembly ${best}`);
  model.dispose();
});

test(`random layers on ${best}`, MORE_IN_FULL, () =>
  expectLikeReference(casesOf(40, 1000), { device: 'wasm' }),
);
