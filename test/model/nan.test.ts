// NaN in the feeds and weights of recurrent layers: the GPU puts it where the float64 reference does. Nothing
// of a bad row reaches the others, and nothing of what was in memory before reaches a result.
import { afterAll, describe, expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { loadModel, tensor, type LoadOptions, type Tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter, getFullDevice, hasSubgroups } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectClose } from '../support/close.ts';
import { exampleOf, expectForAll } from '../support/property.ts';
import { recurrentCases, type RecurrentCase } from '../support/random-recurrent.ts';
import { recurrentStacks } from '../support/random-stack.ts';
import type { RecurrentRestrictions } from '../support/recurrent-config.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, isFull, MORE_IN_FULL, SEED } from '../support/settings.ts';

const CASES = casesOf(1, 12); // of each cell

const device = await getFullDevice();
const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
const subgroups = asAdapter(await getFullDevice(), 'gpu', hasSubgroups);
const llvmpipe = asAdapter(await getFullDevice(), 'llvmpipe', true);
afterAll(() => {
  for (const each of [device, gpu, subgroups, llvmpipe]) each.destroy();
});

type Feeds = Readonly<Record<string, Tensor>>;

/** `value` with NaN at some of its numbers, or at those that `where` tells. */
function withNan(value: Tensor, where: (index: number) => boolean): Tensor {
  const data = Float32Array.from(value.data as Float32Array, (x, i) => (where(i) ? NaN : x));
  return tensor(data, value.dims);
}

/** One number of each of a few feeds and weights replaced by NaN. */
function poisoned({ graph, feeds, label }: RecurrentCase): RecurrentCase {
  const random = randomOf(label.length + SEED);
  const spoil = (name: string, value: Tensor): readonly [string, Tensor] => {
    const isX = name === 'X';
    if (value.type !== 'float32' || (!isX && !random.chance(0.15))) return [name, value];
    const at = random.int(0, value.data.length - 1);
    return [name, withNan(value, (i) => i === at)];
  };
  const config = {} as RecurrentCase['config'];
  return {
    config,
    label: `NaN: ${label}`,
    graph: { ...graph, constants: new Map([...graph.constants].map(([n, v]) => spoil(n, v))) },
    feeds: Object.fromEntries(Object.entries(feeds).map(([n, v]) => spoil(n, v))),
  };
}

async function expectSameNan(graph: Graph, feeds: Feeds, label: string, options: LoadOptions) {
  const model = await loadModel(graph, options);
  try {
    const actual = await model.run(feeds);
    for (const [name, { data, dims }] of runReference(graph, feeds)) {
      const closeness = { nanEqual: true, label: `${label} ${name}`, dims };
      expectClose(actual[name]!.data as Float32Array, data, closeness);
    }
  } finally {
    model.dispose();
  }
}

const TARGETS = [
  ['this adapter', device],
  ['a GPU', gpu],
  ['a GPU with subgroups', subgroups],
  ['llvmpipe', llvmpipe],
] as const;

// A software adapter compiles a kernel in about 0.1 s.
describe.each(isFull ? TARGETS : TARGETS.slice(2, 3))(
  'NaN, in shapes for %s',
  MORE_IN_FULL,
  (_, target) => {
    describe.each(['step', 'persistent'] as const)('%s kernel', (recurrentKernel) => {
      const options = { device: target, recurrentKernel };
      test.each<RecurrentRestrictions>([
        { cell: 'lstm' },
        { cell: 'gru' },
        { cell: 'rnn' },
        { cell: 'lstm', clip: 0.5, packed: true },
        { cell: 'gru', masked: true, maskedOutput: 'repeat' },
      ])(`${CASES} random layers of %o, SEED=${SEED}`, (restrictions) =>
        expectForAll(
          recurrentCases({ T: [1, 3, 6], B: [2, 3, 5], maxHidden: 40, ...restrictions }),
          CASES,
          (made) => {
            const { graph, feeds, label } = poisoned(made);
            return expectSameNan(graph, feeds, label, options);
          },
        ),
      );
    });

    test('in a stack, as a wavefront', () =>
      expectForAll(recurrentStacks({ T: [9], B: [3], maxHidden: 20 }), CASES, (made) => {
        const { graph, feeds, label } = poisoned(made);
        return expectSameNan(graph, feeds, label, { device: target, wavefront: true });
      }));
  },
);

describe('every activation of a cell', () => {
  const names = [
    'Relu Tanh Sigmoid Affine LeakyRelu ThresholdedRelu ScaledTanh HardSigmoid Elu Softsign Softplus Selu',
    'Exp Relu6 Swish HardSwish Mish',
  ].flatMap((line) => line.split(' '));
  test.each(names)('%s', async (name) => {
    const made = exampleOf(
      recurrentCases({
        cell: 'rnn',
        activations: [name],
        direction: 'forward',
        T: 1,
        B: 2,
        hidden: 5,
      }),
    );
    const X = made.feeds['X']!;
    const feeds = { ...made.feeds, X: withNan(X, (i) => i === X.data.length - 1) };
    await expectSameNan(made.graph, feeds, made.label, { device });
  });
});

describe.each(isFull ? TARGETS : TARGETS.slice(2))(
  'rows of a batch, in shapes for %s',
  MORE_IN_FULL,
  (_, target) => {
    const layer = (restrictions: RecurrentRestrictions) =>
      exampleOf(
        recurrentCases({
          T: 4,
          B: 5,
          hidden: 7,
          layout: 0,
          outputs: [true, true, false],
          ...restrictions,
        }),
      );

    test.each(['step', 'persistent'] as const)(
      'a bad row stays alone: %s',
      async (recurrentKernel) => {
        const made = layer({ cell: 'lstm', lengths: undefined, mask: undefined });
        const X = made.feeds['X']!;
        const [, B, I] = X.dims as [number, number, number];
        const feeds = { ...made.feeds, X: withNan(X, (i) => Math.floor(i / I) % B === 2) };
        const options = { device: target, recurrentKernel };
        const model = await loadModel(made.graph, options);
        const [good, bad] = [await model.run(made.feeds), await model.run(feeds)];
        model.dispose();
        const { Y: y, Y_h: h } = bad as { Y: Tensor; Y_h: Tensor };
        for (const [name, value] of [
          ['Y', y],
          ['Y_h', h],
        ] as const) {
          const O = value.dims.at(-1)!;
          value.data.forEach((x: number | bigint, i: number) => {
            const isBad = Math.floor(i / O) % B === 2;
            expect(Number.isNaN(x), `${name}[${i}]`).toBe(isBad);
            if (!isBad) expect(x).toBe((good[name]!.data as Float32Array)[i]);
          });
        }
      },
    );

    test.each(['step', 'persistent'] as const)(
      'NaN behind the end of a row is not read: %s',
      async (recurrentKernel) => {
        const made = layer({ cell: 'gru', lengths: [4, 2, 0, 1, 3], mask: undefined });
        const X = made.feeds['X']!;
        const [, B, I] = X.dims as [number, number, number];
        const ends = [4, 2, 0, 1, 3];
        const isBehind = (i: number): boolean =>
          Math.floor(i / I / B) >= ends[Math.floor(i / I) % B]!;
        const options = { device: target, recurrentKernel };
        const model = await loadModel(made.graph, options);
        const [clean, padded] = [
          await model.run(made.feeds),
          await model.run({ ...made.feeds, X: withNan(X, isBehind) }),
        ];
        model.dispose();
        for (const name of Object.keys(clean))
          expect(padded[name]!.data).toEqual(clean[name]!.data);
      },
    );

    test.each(['step', 'persistent'] as const)(
      'NaN that an operator before has left in memory is not read: %s',
      async (recurrentKernel) => {
        const made = layer({ cell: 'lstm', lengths: undefined, mask: undefined, projected: 3 });
        const node = (op: string, inputs: readonly string[], output: string, attributes = {}) => ({
          op,
          name: output,
          inputs,
          outputs: [output],
          attributes,
        });
        // The scratch memory of these is free again when the layer runs, and is taken by its states.
        const places = ['a', 'b', 'c', 'd'];
        const graph: Graph = {
          ...made.graph,
          inputs: [...made.graph.inputs, { name: 'bad', type: 'float32', dims: [64, 64] }],
          outputs: [...made.graph.outputs, { name: 'sum', type: 'float32', dims: [1, 1] }],
          nodes: [
            ...places.map((place) => node('Softmax', ['bad'], place)),
            node('Concat', places, 'all', { axis: 0 }),
            node('ReduceSum', ['all'], 'sum'),
            ...made.graph.nodes,
          ],
        };
        const bad = tensor(new Float32Array(64 * 64).fill(NaN), [64, 64]);
        const feeds = { ...made.feeds, bad };
        await expectSameNan(graph, feeds, made.label, { device: target, recurrentKernel });
      },
    );
  },
);
