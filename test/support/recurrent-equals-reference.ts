// The central claim about the kernels, for the tests of each environment.
import { expect } from 'vitest';
import { loadModel, type LoadOptions, type Model } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { expectClose } from './close.ts';
import { describeConfig, randomRecurrent, type RecurrentRestrictions } from './random-recurrent.ts';
import { randomOf } from './random.ts';
import { storedWeights } from './stored-weights.ts';

// f32 against f64: a product of H terms below one is off by about H·2⁻²⁴, 130 units by 8e-6 at worst
// and far less on average; the recurrence damps it.
const ATOL = 1e-5;

/**
 * Runs `cases` random layers on a backend and on the reference, which gets the weights as the options
 * have them stored. The case of a mismatch is named.
 */
export async function expectLikeReference(
  seed: number,
  cases: number,
  options: LoadOptions,
  restrictions: RecurrentRestrictions = { maxHidden: 130 },
): Promise<void> {
  const random = randomOf(seed);
  for (let i = 0; i < cases; i++) {
    const { graph, feeds, config } = randomRecurrent(random, restrictions);
    const stored = storedWeights(graph, options.weights);
    const label = `case ${i}: ${describeConfig(config)}`;
    let model: Model | undefined;
    try {
      model = await loadModel(graph, options);
      const actual = await model.run(feeds);
      for (const [name, { data, dims }] of runReference(stored, feeds)) {
        const where = `${label} ${name}`;
        expect(actual[name]!.dims, where).toEqual(dims);
        expectClose(actual[name]!.data as Float32Array, data, { atol: ATOL, label: where });
      }
    } catch (error) {
      throw new Error(label, { cause: error });
    } finally {
      model?.dispose();
    }
  }
}
