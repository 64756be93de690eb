// Layers on top of each other that compute side by side, against the float64 reference.
import { afterAll, describe, expect, test } from 'vitest';
import { inspect, loadModel, type LoadOptions } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter, getFullDevice, hasSubgroups } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectClose } from '../support/close.ts';
import type { RecurrentCase, RecurrentRestrictions } from '../support/random-recurrent.ts';
import { randomStack } from '../support/random-stack.ts';
import { randomOf, SEED } from '../support/random.ts';
import { storedWeights } from '../support/stored-weights.ts';

const CASES = 24;

const device = await getFullDevice();
const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
const subgroups = asAdapter(await getFullDevice(), 'gpu', hasSubgroups);
const llvmpipe = asAdapter(await getFullDevice(), 'llvmpipe', true);
afterAll(() => {
  for (const each of [device, gpu, subgroups, llvmpipe]) each.destroy();
});

/** Runs a stack on a backend and on the reference; a difference is named with all there is to know. */
async function expectRight(
  { graph, feeds, label }: RecurrentCase,
  options: LoadOptions,
): Promise<void> {
  const model = await loadModel(graph, options);
  try {
    const actual = await model.run(feeds);
    for (const [name, { data, dims }] of runReference(
      storedWeights(graph, options.weights),
      feeds,
    )) {
      expect(actual[name]!.dims, `${label} ${name}`).toEqual(dims);
      expectClose(actual[name]!.data as Float32Array, data, {
        atol: 1e-5,
        label: `${label} ${name}`,
      });
    }
  } finally {
    model.dispose();
  }
}

/** The kernels of a plan for a stack, with how often they run. */
async function kernelsOf(
  { graph, feeds }: RecurrentCase,
  options: LoadOptions,
): Promise<Readonly<Record<string, number>>> {
  const dims = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, value.dims]));
  const { plan, unplanned } = await inspect(graph, {
    ...options,
    device: undefined,
    dims,
  } as object);
  expect(unplanned).toBeUndefined();
  return plan!.kernels;
}

const PLAIN: RecurrentRestrictions = {
  lengths: undefined,
  outputs: [true, true, false],
  T: 33,
  B: 2,
};

describe.each([
  ['this adapter', device],
  ['a GPU', gpu],
  ['a GPU with subgroups', subgroups],
  ['llvmpipe', llvmpipe],
] as const)('shapes for %s', (_, target) => {
  test.each(['step', 'persistent'] as const)(
    `%s kernel: ${CASES} random stacks side by side equal the reference (SEED=${SEED})`,
    async (recurrentKernel) => {
      const random = randomOf(SEED);
      for (let i = 0; i < CASES; i++) {
        const T = random.pick([5, 9, 12, 20, 33]);
        const B = random.pick([1, 2, 3, 5, 9]);
        const stack = randomStack(random, random.int(2, 4), { T, B, maxHidden: 67 });
        await expectRight(stack, { device: target, recurrentKernel, wavefront: true });
      }
    },
    120_000,
  );
});

test.each(['f16', 'int8'] as const)(
  'weights as %s, side by side',
  async (weights) => {
    const random = randomOf(SEED);
    for (const recurrentKernel of ['step', 'persistent'] as const) {
      for (let i = 0; i < 4; i++) {
        const stack = randomStack(random, 3, { T: 20, maxHidden: 33, wild: false } as object);
        await expectRight(stack, { device, recurrentKernel, weights, wavefront: true });
      }
    }
  },
  120_000,
);

test('one dispatch has a step of all layers that are at work', async () => {
  const random = randomOf(SEED);
  const stack = randomStack(random, 3, {
    ...PLAIN,
    cell: 'lstm',
    projected: 0,
    hidden: 16,
    initialH: false,
    initialC: false,
  });
  const options = { recurrentKernel: 'step' } as const;
  const [apart, together] = [
    await kernelsOf(stack, { ...options, wavefront: false }),
    await kernelsOf(stack, { ...options, wavefront: true }),
  ];
  expect(apart['recurrent-step-0']).toBe(3 * 33);
  // Chunks of 10 steps: the layer at the top ends two chunks after that at the bottom.
  expect(together['recurrent-step-0']).toBe(33 + 2 * 10);
});
