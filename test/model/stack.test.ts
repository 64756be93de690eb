// Layers on top of each other that run concurrently, against the float64 reference.
import { afterAll, describe, expect, test } from 'vitest';
import type { Node, ValueInfo } from '../../src/graph.ts';
import { inspect, type LoadOptions } from '../../src/index.ts';
import { getAdapter, getFullDevice, hasSubgroups } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { exampleOf } from '../support/property.ts';
import type { RecurrentCase } from '../support/random-recurrent.ts';
import { recurrentStacks } from '../support/random-stack.ts';
import type { RecurrentRestrictions } from '../support/recurrent-config.ts';
import { expectAllRight, expectRight } from '../support/recurrent-equals-reference.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

const CASES = casesOf(2, 24);
const WEIGHT_CASES = casesOf(1, 4);

const device = await getFullDevice();
const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
const subgroups = asAdapter(await getFullDevice(), 'gpu', hasSubgroups);
const llvmpipe = asAdapter(await getFullDevice(), 'llvmpipe', true);
afterAll(() => {
  for (const each of [device, gpu, subgroups, llvmpipe]) each.destroy();
});

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
] as const)('shapes for %s', MORE_IN_FULL, (_, target) => {
  test.each(['step', 'persistent'] as const)(
    `%s kernel: ${CASES} random stacks run concurrently equal the reference (SEED=${SEED})`,
    (recurrentKernel) => {
      const stacks = recurrentStacks({
        T: [5, 9, 12, 20, 33],
        B: [1, 2, 3, 5, 9],
        maxHidden: 67,
      });
      const options = { device: target, recurrentKernel, wavefront: true };
      return expectAllRight(stacks, CASES, options);
    },
  );
});

describe.each(['step', 'persistent'] as const)('%s kernel', MORE_IN_FULL, (recurrentKernel) => {
  test.each(['f16', 'int8'] as const)('weights as %s', (weights) => {
    const stacks = recurrentStacks({ T: 20, maxHidden: 33 }, 3);
    const options = { device, recurrentKernel, weights, wavefront: true };
    return expectAllRight(stacks, WEIGHT_CASES, options);
  });
});

test('one dispatch has a step of all layers that are at work', async () => {
  const fixed = {
    cell: 'lstm',
    projected: 0,
    hidden: 16,
    initialH: false,
    initialC: false,
  } as const;
  const stack = exampleOf(recurrentStacks({ ...PLAIN, ...fixed }, 3));
  const options = { recurrentKernel: 'step' } as const;
  const [sequential, concurrent] = [
    await kernelsOf(stack, { ...options, wavefront: false }),
    await kernelsOf(stack, { ...options, wavefront: true }),
  ];
  expect(sequential['recurrent-step-0']).toBe(3 * 33);
  // Chunks of 10 steps: the layer at the top ends two chunks after that at the bottom.
  expect(concurrent['recurrent-step-0']).toBe(33 + 2 * 10);
});

describe('what is no stack is computed layer by layer, and right', () => {
  const options = { device, recurrentKernel: 'step', wavefront: true } as const;
  const H = 8;
  const plain = { ...PLAIN, cell: 'gru', layout: 0, hidden: H, I: H, T: 12 } as const;
  /** Steps that are dispatched: those of layers by themselves, or fewer. */
  const stepsOf = async (stack: RecurrentCase): Promise<number> =>
    (await kernelsOf(stack, options))['recurrent-step-0']!;
  const changed = (change: (nodes: Node[], outputs: ValueInfo[]) => void): RecurrentCase => {
    const stack = exampleOf(recurrentStacks({ ...plain, resetAfter: true, initialH: false }, 2));
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
