// The central claim about the kernels, for the tests of each environment.
import fc from 'fast-check';
import { expect } from 'vitest';
import { loadModel, type LoadOptions } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from './close.ts';
import { expectForAll } from './property.ts';
import { recurrentCases, type RecurrentCase } from './random-recurrent.ts';
import { randomOf } from './random.ts';
import type { RecurrentRestrictions } from './recurrent-config.ts';
import { storedWeights } from './stored-weights.ts';

// f32 against f64: a product of H terms below one is off by about H·2⁻²⁴, 130 units by 8e-6 at worst
// and far less on average; the recurrence damps it.
const ATOL = 1e-5;

/**
 * Fails unless a graph gives the shapes and numbers of the reference, which gets the weights as the options
 * have them stored.
 *
 * @param atol what is allowed where more than weights is rounded
 */
export async function expectRight(
  { graph, feeds, label }: Pick<RecurrentCase, 'graph' | 'feeds' | 'label'>,
  options: LoadOptions,
  atol = ATOL,
): Promise<void> {
  const stored = storedWeights(graph, options.weights);
  const model = await loadModel(graph, options);
  try {
    const actual = await model.run(feeds);
    for (const [name, { data, dims }] of runReference(stored, feeds)) {
      const where = `${label} ${name}`;
      expect(actual[name]!.dims, where).toEqual(dims);
      expectClose(actual[name]!.data as Float32Array, data, { atol, label: where });
    }
  } finally {
    model.dispose();
  }
}

/**
 * Whether float32 is enough for a case. Rounding errors of a computation are like errors of its inputs:
 * weights, states and inputs that are off by up to 2⁻²² of each must leave the outputs within a fifth
 * of the tolerance. Few cases are not like that, such as deep stacks of many steps whose state grows.
 */
function isWellConditioned({ graph, feeds }: RecurrentCase): boolean {
  const random = randomOf(1);
  const perturbed = (value: Tensor): Tensor =>
    value.type === 'float32'
      ? tensor(
          (value.data as Float32Array).map((x) => x * (1 + (2 * random.next() - 1) * 2 ** -22)),
          value.dims,
        )
      : value;
  const constants = [...graph.constants].map(([name, value]) => [name, perturbed(value)] as const);
  const inputs = Object.entries(feeds).map(([name, value]) => [name, perturbed(value)] as const);
  const other = runReference(
    { ...graph, constants: new Map(constants) },
    Object.fromEntries(inputs),
  );
  return [...runReference(graph, feeds)].every(([name, { data }]) =>
    data.every((x, i) => Math.abs(x - other.get(name)!.data[i]!) <= ATOL / 5),
  );
}

/** Runs random layers or stacks on a backend and on the reference. */
export const expectAllRight = (
  arbitrary: fc.Arbitrary<RecurrentCase>,
  cases: number,
  options: LoadOptions,
  atol?: number,
): Promise<void> =>
  expectForAll(arbitrary, cases, (recurrent) => {
    fc.pre(isWellConditioned(recurrent));
    return expectRight(recurrent, options, atol);
  });

/** Runs random layers on a backend and on the reference. */
export const expectLikeReference = (
  cases: number,
  options: LoadOptions,
  restrictions: RecurrentRestrictions = { maxHidden: 130 },
  atol?: number,
): Promise<void> => expectAllRight(recurrentCases(restrictions), cases, options, atol);
