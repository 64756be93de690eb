// What must hold of streams and batches whatever the layer: T steps equal one run, two streams never
// mix, rows of a batch never mix. On the GPU and on the reference.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { loadModel, tensor, type LoadOptions, type Model, type Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { expectForAll, printedAs, times } from '../support/property.ts';
import { recurrentCases, type RecurrentCase } from '../support/random-recurrent.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const CELLS = ['rnn', 'lstm', 'gru'] as const;
const BACKENDS: readonly [string, LoadOptions][] = [
  ['step kernel', { device, recurrentKernel: 'step' }],
  ['persistent kernel', { device, recurrentKernel: 'persistent' }],
  ['wasm', { device: 'wasm' }],
  ['js', { device: 'js' }],
  ['reference', { device: 'reference' }],
];
// The same numbers go through the same operations in both ways, but for the order of a sum.
const ATOL = 2e-6;
const CASES = casesOf(1, 6); // a software adapter compiles a kernel in 0.1 s, and each layer has its own
/** How many steps the parts of a sequence have. */
const cuts = times(9, fc.integer({ min: 1, max: 3 }));

type Case = RecurrentCase & { readonly X: Tensor<'float32'> };

/** Random forward layers, time first, whose time and batch are free, and a sequence for each. */
const layers = (cell: (typeof CELLS)[number]): fc.Arbitrary<Case> =>
  recurrentCases({
    cell,
    direction: 'forward',
    layout: 0,
    lengths: undefined,
    mask: undefined,
    initialH: false,
    initialC: false,
    outputs: [true, true, cell === 'lstm'],
    maxHidden: 20,
    T: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    B: [1, 2, 3, 4],
  }).map((made) => {
    const { graph, feeds, config, label } = made;
    const free: Graph = {
      ...graph,
      inputs: [{ name: 'X', type: 'float32', dims: ['T', 'B', config.I] }],
      outputs: graph.outputs.map(({ name, type }) => ({ name, type, dims: [] })),
    };
    return printedAs({ ...made, graph: free, X: feeds['X']! as Tensor<'float32'> }, label);
  });

/** Time steps `from` to `to` of X [T, B, I]. */
function slice(X: Tensor<'float32'>, from: number, to: number): Tensor {
  const [, B, I] = X.dims as [number, number, number];
  return tensor(X.data.slice(from * B * I, to * B * I), [to - from, B, I]);
}

const floats = (value: Tensor | undefined): Float32Array => value!.data as Float32Array;

async function using<T>(model: Model, work: (model: Model) => Promise<T>): Promise<T> {
  try {
    return await work(model);
  } finally {
    model.dispose();
  }
}

describe.each(BACKENDS)('on the %s', MORE_IN_FULL, (_name, options) => {
  describe.each(CELLS)('%s', (cell) => {
    test('T steps equal one run, however the sequence is cut', () =>
      expectForAll(fc.tuple(layers(cell), cuts), CASES, async ([layer, lengths]) => {
        const { graph, X, config, label } = layer;
        await using(await loadModel(graph, options), async (model) => {
          const whole = await model.run({ X });
          const stream = model.stream();
          const parts: number[] = [];
          let last: Record<string, Tensor> = {};
          for (let t = 0, part = 0; t < config.T; part++) {
            const next = Math.min(config.T, t + lengths[part]!);
            last = await stream.step({ X: slice(X, t, next) });
            parts.push(...floats(last['Y']));
            t = next;
          }
          expectClose(parts, floats(whole['Y']), { atol: ATOL, label });
          for (const name of ['Y_h', 'Y_c']) {
            if (whole[name])
              expectClose(floats(last[name]), floats(whole[name]), { atol: ATOL, label });
          }
        });
      }));

    test('two streams in turns equal two separate ones; fork and restore go on alike', () =>
      expectForAll(layers(cell), CASES, async ({ graph, X, config, label }) => {
        const other = tensor(
          X.data.map((x) => -0.5 * x),
          X.dims,
        ) as Tensor<'float32'>;
        await using(await loadModel(graph, options), async (model) => {
          const [wholeA, wholeB] = await Promise.all([model.run({ X }), model.run({ X: other })]);
          const [a, b] = [model.stream(), model.stream()];
          const calls = Array.from({ length: config.T }, (_, t) => [
            a.step({ X: slice(X, t, t + 1) }),
            b.step({ X: slice(other, t, t + 1) }),
          ]);
          const results = await Promise.all(calls.map((pair) => Promise.all(pair)));
          expectClose(
            results.flatMap(([y]) => [...floats(y!['Y'])]),
            floats(wholeA['Y']),
            { atol: ATOL, label },
          );
          expectClose(
            results.flatMap(([, y]) => [...floats(y!['Y'])]),
            floats(wholeB['Y']),
            { atol: ATOL, label },
          );

          const snapshot = await a.snapshot();
          const fork = a.fork();
          const restored = model.stream();
          restored.restore(snapshot);
          const [x, y, z] = await Promise.all(
            [a, fork, restored].map((stream) => stream.step({ X: slice(X, 0, 1) })),
          );
          expect(floats(y!['Y'])).toEqual(floats(x!['Y']));
          expect(floats(z!['Y'])).toEqual(floats(x!['Y']));
          a.reset();
          const again = await a.step({ X: slice(X, 0, 1) });
          expectClose(
            floats(again['Y']),
            floats(wholeA['Y']).subarray(0, again['Y']!.data.length),
            { atol: ATOL, label },
          );
        });
      }));

    test('a row of a batch equals that row alone', () =>
      expectForAll(layers(cell), CASES, async ({ graph, X, config, label }) => {
        const { T, B, I } = config;
        await using(await loadModel(graph, options), async (model) => {
          const whole = await model.run({ X });
          const O = whole['Y']!.dims[3]!;
          for (let row = 0; row < B; row++) {
            const one = new Float32Array(T * I);
            for (let t = 0; t < T; t++) {
              one.set(X.data.subarray((t * B + row) * I, (t * B + row + 1) * I), t * I);
            }
            const alone = await model.run({ X: tensor(one, [T, 1, I]) });
            const expected = Array.from({ length: T }, (_, t) => [
              ...floats(whole['Y']).subarray((t * B + row) * O, (t * B + row + 1) * O),
            ]).flat();
            expectClose(floats(alone['Y']), expected, { atol: ATOL, label });
          }
        });
      }));
  });
});
