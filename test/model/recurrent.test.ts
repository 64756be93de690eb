// Every recurrent kernel against the float64 reference, over random configurations of all features.
import { afterAll, describe, expect, test } from 'vitest';
import { loadModel, type Model } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { describeConfig, randomRecurrent } from '../support/random-recurrent.ts';
import { randomOf, SEED } from '../support/random.ts';

// f32 against f64: a product of H terms below one is off by about H·2⁻²⁴, 130 units by 8e-6 at worst
// and far less on average; the recurrence damps it.
const ATOL = 1e-5;
const CASES = 160;

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

describe.each(['step', 'persistent'] as const)('%s kernel', (recurrentKernel) => {
  test(`${CASES} random layers equal the reference (SEED=${SEED})`, async () => {
    const random = randomOf(SEED);
    for (let i = 0; i < CASES; i++) {
      const { graph, feeds, config } = randomRecurrent(random, { maxHidden: 130 });
      const label = `case ${i}: ${describeConfig(config)}`;
      let model: Model | undefined;
      try {
        model = await loadModel(graph, { device, recurrentKernel });
        const actual = await model.run(feeds);
        for (const [name, { data, dims }] of runReference(graph, feeds)) {
          expect(actual[name]!.dims, `${label} ${name}`).toEqual(dims);
          expectClose(actual[name]!.data as Float32Array, data, {
            atol: ATOL,
            label: `${label} ${name}`,
          });
        }
      } catch (error) {
        throw new Error(label, { cause: error });
      } finally {
        model?.dispose();
      }
    }
  }, 300_000);
});
