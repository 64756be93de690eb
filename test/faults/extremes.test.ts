// Numbers at the ends of float32 and long sequences: the results stay within a bound of the float64 reference,
// saturated gates are exact, and nothing drifts.
import { afterAll, describe, expect, test } from 'vitest';
import { gru, loadModel, lstm, rnn, sequential, tensor } from '../../src/index.ts';
import type { Graph, LoadOptions, Tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getFullDevice } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';

const [I, H] = [3, 5];
const device = await getFullDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly (readonly [string, LoadOptions])[] = [
  ['step kernel', { device, recurrentKernel: 'step' }],
  ['persistent kernel', { device, recurrentKernel: 'persistent' }],
  ['wasm', { device: 'wasm' }],
];

/** One layer of each cell, with a scale of its weights. */
function layersOf(scale: number): readonly (readonly [string, Graph])[] {
  const random = randomOf(17);
  const floats = (...dims: number[]): Tensor<'float32'> =>
    tensor(random.floats(dims[0]! * dims[1]!, scale), dims);
  const weights = (gates: number) => ({
    W: floats(gates * H, I),
    R: floats(gates * H, H),
    B: tensor(random.floats(2 * gates * H, scale), [2 * gates * H]),
    returnSequences: true,
  });
  return [
    ['rnn', sequential([rnn(weights(1))])],
    ['gru', sequential([gru(weights(3))])],
    ['lstm', sequential([lstm(weights(4))])],
  ];
}

const sequence = (steps: number, value: (i: number) => number) => ({
  X: tensor(
    Float32Array.from({ length: steps * I }, (_, i) => value(i)),
    [1, steps, I],
  ),
});

const MAX = 3.4e38;
const VALUES: readonly (readonly [string, (i: number) => number])[] = [
  ['subnormal inputs', (i) => (i % 2 === 0 ? 1e-40 : -1e-44)],
  ['inputs that saturate every gate', (i) => (i % 3 === 0 ? 1e30 : -1e30)],
  ['the largest and the smallest', (i) => [MAX, 0, -0, 1.2e-38][i % 4]!],
  ['large next to small', (i) => [1e4, 1e-4, -1e4, 1e-38][i % 4]!],
];

describe.each(BACKENDS)('%s', MORE_IN_FULL, (_, options) => {
  test.each(VALUES)('%s', async (_name, value) => {
    for (const [cell, graph] of layersOf(0.3)) {
      const model = await loadModel(graph, options);
      const feeds = sequence(7, value);
      const got = (await model.run(feeds))['Y']!;
      const want = runReference(graph, feeds).get('Y')!;
      // Sums beyond float32 are infinite there and finite in float64: what the gates make of both is the same.
      expectClose(got.data as Float32Array, want.data, { atol: 1e-5, label: cell });
      model.dispose();
    }
  });

  const steps = casesOf(4000, 100_000);
  test(`${steps} steps end where float64 does`, async () => {
    const random = randomOf(5);
    for (const [cell, graph] of layersOf(0.5)) {
      const model = await loadModel(graph, options);
      const feeds = sequence(steps, () => random.next() - 0.5);
      const got = (await model.run(feeds))['Y']!.data as Float32Array;
      const want = runReference(graph, feeds).get('Y')!.data;
      expectClose(got.slice(-100 * H), want.slice(-100 * H), { atol: 1e-5, label: cell });
      expect(got.every((x) => Math.abs(x) <= 1)).toBe(true);
      model.dispose();
    }
  });
});

test(`${casesOf(20_000, 1_000_000)} calls of a stream do not drift`, MORE_IN_FULL, async () => {
  const calls = casesOf(20_000, 1_000_000);
  const [, graph] = layersOf(0.5)[2]!;
  const model = await loadModel(graph, { device: 'wasm' });
  const stream = model.stream();
  const random = randomOf(6);
  const last: number[] = [];
  let got: ArrayLike<number> = [];
  for (let i = 0; i < calls; i++) {
    const x = random.floats(I, 0.5);
    // The layer forgets: what lies 500 steps back changes nothing in the first nine digits.
    if (i >= calls - 500) last.push(...x);
    got = stream.stepSync({ X: tensor(x, [1, 1, I]) })['Y']!.data as Float32Array;
  }
  const want = runReference(graph, { X: tensor(last, [1, 500, I]) }).get('Y')!.data;
  expectClose(got, want.slice(-H), { atol: 1e-6 });
  model.dispose();
});
