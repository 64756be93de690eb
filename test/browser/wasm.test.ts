// The CPU kernels in a browser, whose engine may take another build of them than Node's.
import { expect, test } from 'vitest';
import { loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import { randomOf } from '../support/random.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';

test('a model computes on wasm in a page, also without a promise', async () => {
  const random = randomOf(1);
  const floats = (...dims: [number, number]) => tensor(random.floats(dims[0] * dims[1]), dims);
  const graph = sequential([lstm({ W: floats(8, 3), R: floats(8, 2) })], { layout: 0 });
  const model = await loadModel(graph, { device: 'wasm' });
  expect(model.adapter).toMatch(/^WebAssembly (simd128|relaxed-simd)$/);
  const name = model.inputs[0]!.name;
  const X = tensor(random.floats(4 * 3), [4, 1, 3]);
  const awaited = await model.run({ [name]: X });
  expect(model.runSync({ [name]: X })).toEqual(awaited);
  model.dispose();
});

test.each(['wasm', 'js'] as const)(
  'random layers agree with the reference on %s',
  MORE_IN_FULL,
  (device) => expectLikeReference(casesOf(30, 500), { device }),
);
