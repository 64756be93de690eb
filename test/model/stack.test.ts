// Layers on top of each other that compute side by side, against the float64 reference.
import { afterAll, describe, expect, test } from 'vitest';
import type { Node, ValueInfo } from '../../src/graph.ts';
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
  { recurrentKernel, wavefront }: Required<Pick<LoadOptions, 'recurrentKernel' | 'wavefront'>>,
): Promise<Readonly<Record<string, number>>> {
  const dims = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, value.dims]));
  const { plan, unplanned } = await inspect(graph, { recurrentKernel, wavefront, dims });
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
        const stack = randomStack(random, 3, { T: 20, maxHidden: 33 });
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

describe('what is no stack is computed layer by layer, and right', () => {
  const options = { device, recurrentKernel: 'step', wavefront: true } as const;
  const H = 8;
  const plain = { ...PLAIN, cell: 'gru', layout: 0, hidden: H, I: H, T: 12 } as const;
  /** Steps that are dispatched: those of layers by themselves, or fewer. */
  const stepsOf = async (stack: RecurrentCase): Promise<number> =>
    (await kernelsOf(stack, options))['recurrent-step-0']!;
  const changed = (change: (nodes: Node[], outputs: ValueInfo[]) => void): RecurrentCase => {
    const stack = randomStack(randomOf(SEED), 2, { ...plain, resetAfter: true, initialH: false });
    const { graph } = stack;
    const nodes = graph.nodes.map((node) => ({ ...node, inputs: [...node.inputs] }));
    const outputs = [...graph.outputs];
    change(nodes as Node[], outputs);
    return { ...stack, graph: { ...graph, nodes: nodes as Node[], outputs } };
  };
  const input = (node: Node, slot: number, name: string): void => {
    (node.inputs as string[])[slot] = name;
  };

  test('two layers as they come are a stack', async () => {
    const stack = changed(() => undefined);
    expect(await stepsOf(stack)).toBeLessThan(24);
    await expectRight(stack, options);
  });
  test('a layer that begins from the final state of the one below', async () => {
    const stack = changed((nodes) => input(nodes[2]!, 5, '0/Y_h'));
    expect(await stepsOf(stack)).toBe(24);
    await expectRight(stack, options);
  });
  test('a layer that begins from something made of that state', async () => {
    const stack = changed((nodes) => {
      const tanh = { op: 'Tanh', name: 'tanh', attributes: {}, inputs: ['0/Y_h'], outputs: ['t'] };
      nodes.splice(2, 0, tanh);
      input(nodes[3]!, 5, 't');
    });
    expect(await stepsOf(stack)).toBe(24);
    await expectRight(stack, options);
  });
  test('a layer whose output someone else reads', async () => {
    const stack = changed((_, outputs) =>
      outputs.push({ name: '0/Y', type: 'float32', dims: [12, 1, 2, H] }),
    );
    expect(await stepsOf(stack)).toBe(24);
    await expectRight(stack, options);
  });
  test('a layer with other activations', async () => {
    const stack = changed((nodes) => {
      const { attributes } = nodes[2]!;
      nodes[2] = {
        ...nodes[2]!,
        attributes: { ...attributes, activations: ['HardSigmoid', 'Tanh'] },
      };
    });
    expect(await stepsOf(stack)).toBe(24);
    await expectRight(stack, options);
  });
  test('a stack whose states are read between its layers is one nonetheless', async () => {
    const stack = changed((nodes, outputs) => {
      const tanh = { op: 'Tanh', name: 'tanh', attributes: {}, inputs: ['0/Y_h'], outputs: ['t'] };
      nodes.splice(1, 0, tanh);
      outputs.push({ name: 't', type: 'float32', dims: [1, 2, H] });
    });
    expect(await stepsOf(stack)).toBeLessThan(24);
    await expectRight(stack, options);
  });
});
