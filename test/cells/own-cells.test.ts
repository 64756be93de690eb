// Cells of one's own: on every kernel what the float64 step of the cell says, in streams too.
import { afterAll, describe, expect, it } from 'vitest';
import {
  bidirectional,
  dense,
  loadModel,
  lstm,
  recurrent,
  sequential,
  tensor,
  type Cell,
  type LoadOptions,
  type Tensor,
} from '../../src/index.ts';
import { PLAIN_VARIANT } from '../../src/cells/index.ts';
import type { Graph } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter, getFullDevice } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectClose } from '../support/close.ts';
import { randomOf, type Random } from '../support/random.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { layerNormLstm, minGru, sLstm } from './proof-cells.ts';

// f32 against f64: sums of up to 70 products below one are off by 70 · 2⁻²⁴ = 4e-6 at worst; the
// normalization divides by a deviation that is about one here.
const ATOL = 1e-5;

const device = await getFullDevice();
const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
const llvmpipe = asAdapter(await getFullDevice(), 'llvmpipe', true);
afterAll(() => [device, gpu, llvmpipe].forEach((each) => each.destroy()));

const CELLS: readonly (readonly [string, Cell])[] = [
  ['minGRU', minGru],
  ['sLSTM', sLstm],
  ['LayerNorm-LSTM', layerNormLstm],
];

/** Weights of a layer of a cell, as its declaration asks for them. */
function weightsOf(random: Random, cell: Cell, H: number, I: number) {
  const G = cell.gates.length;
  const own = (...dims: number[]): Tensor =>
    tensor(
      random.floats(
        dims.reduce((n, dim) => n * dim, 1),
        0.6,
      ),
      dims,
    );
  const phases = cell.phases(PLAIN_VARIANT);
  const K = cell.parameters(PLAIN_VARIANT).length;
  return {
    cell,
    W: own(G * H, I),
    ...(phases.some(({ product }) => product.length > 0) && { R: own(G * H, H) }),
    ...(K > 0 ? { P: own(K * H) } : { B: own(2 * G * H) }),
  };
}

const layerOf = (random: Random, cell: Cell, H: number, I: number) =>
  recurrent(weightsOf(random, cell, H, I));

const input = (random: Random, T: number, B: number, I: number): Tensor =>
  tensor(random.floats(T * B * I), [T, B, I]);

async function expectRight(graph: Graph, X: Tensor, options: LoadOptions): Promise<void> {
  const model = await loadModel(graph, options);
  const { Y } = await model.run({ X });
  const expected = runReference(storedWeights(graph, options.weights), { X }).get('Y')!;
  expect(Y!.dims).toEqual(expected.dims);
  expectClose(Y!.data as Float32Array, expected.data, { atol: ATOL, dims: expected.dims });
  model.dispose();
}

describe.each(CELLS)('%s', (_, cell) => {
  describe.each([
    ['this adapter', device],
    ['a GPU', gpu],
    ['llvmpipe', llvmpipe],
  ] as const)('with the kernels for %s', (__, target) => {
    it.each([
      ['step', 3, 5, 2],
      ['step', 33, 4, 5],
      ['persistent', 3, 5, 2],
      ['persistent', 40, 4, 1],
      ['persistent', 70, 3, 5],
    ] as const)('%s kernel: %i units, %i steps, %i rows', async (recurrentKernel, H, T, B) => {
      const random = randomOf(H + T);
      const graph = sequential([layerOf(random, cell, H, 7)], { layout: 0 });
      await expectRight(graph, input(random, T, B, 7), { device: target, recurrentKernel });
    });

    it('one step of one row', async () => {
      const random = randomOf(5);
      const graph = sequential([layerOf(random, cell, 16, 8)], { layout: 0 });
      await expectRight(graph, input(random, 1, 1, 8), { device: target });
    });
  });

  it.each([
    ['wasm', 5, 4, 2],
    ['wasm', 16, 3, 1],
    ['js', 5, 4, 2],
    ['js', 8, 2, 1],
  ] as const)('on %s: %i units, %i steps, %i rows', async (backend, H, T, B) => {
    const random = randomOf(H + T);
    const graph = sequential([layerOf(random, cell, H, 7)], { layout: 0 });
    await expectRight(graph, input(random, T, B, 7), { device: backend });
  });

  it('with weights that are fed on wasm', async () => {
    const random = randomOf(4);
    const graph = sequential([layerOf(random, cell, 6, 3)], { layout: 0 });
    const name = graph.nodes.find(({ op }) => op === 'Recurrent')!.inputs[1]!;
    const W = graph.constants.get(name)!;
    const constants = new Map(graph.constants);
    constants.delete(name);
    const fed = { name, type: 'float32', dims: W.dims } as const;
    const open: Graph = { ...graph, constants, inputs: [...graph.inputs, fed] };
    const feeds = { X: input(random, 4, 2, 3), [name]: W };
    using model = await loadModel(open, { device: 'wasm' });
    const { Y } = await model.run(feeds);
    expectClose(Y!.data as Float32Array, runReference(open, feeds).get('Y')!.data, { atol: ATOL });
  });

  it.each(['f16', 'int8'] as const)('weights stored as %s', async (weights) => {
    const random = randomOf(6);
    const graph = sequential([layerOf(random, cell, 24, 8)], { layout: 0 });
    await expectRight(graph, input(random, 4, 2, 8), { device, weights });
  });

  it.each([
    ['webgpu', device],
    ['wasm', 'wasm'],
    ['js', 'js'],
  ] as const)(
    'in both directions on %s, on top of an LSTM and under a dense layer',
    async (__, on) => {
      const random = randomOf(7);
      const floats = (...dims: number[]): Tensor =>
        tensor(
          random.floats(
            dims.reduce((n, dim) => n * dim, 1),
            0.5,
          ),
          dims,
        );
      const graph = sequential([
        lstm({ W: floats(48, 5), R: floats(48, 12) }),
        bidirectional(layerOf(random, cell, 9, 12), layerOf(random, cell, 9, 12)),
        dense({ W: floats(4, 18), b: floats(4), activation: 'softmax' }),
      ]);
      await expectRight(graph, tensor(random.floats(2 * 6 * 5), [2, 6, 5]), { device: on });
    },
  );

  describe.each(['webgpu', 'wasm', 'js', 'reference'] as const)('as a stream on %s', (backend) => {
    const target = backend === 'webgpu' ? device : backend;

    it('T steps equal one run; a snapshot and a fork go on alike', async () => {
      const random = randomOf(8);
      const graph = sequential([layerOf(random, cell, 12, 6)], { layout: 0 });
      const model = await loadModel(graph, { device: target });
      const X = input(random, 6, 2, 6);
      const chunk = (from: number, to: number): Tensor =>
        tensor((X.data as Float32Array).slice(from * 12, to * 12), [to - from, 2, 6]);
      const whole = (await model.run({ X }))['Y']!.data as Float32Array;
      const expectPart = (Y: Tensor | undefined, from: number, to: number): void =>
        expectClose(Y!.data as Float32Array, whole.slice(from * 24, to * 24), { atol: ATOL });

      const stream = model.stream({ batch: 2 });
      expect(stream.stateNames.map((name) => name.split('.').at(-1))).toEqual(cell.states);
      expectPart((await stream.step({ X: chunk(0, 1) }))['Y'], 0, 1);
      expectPart((await stream.step({ X: chunk(1, 4) }))['Y'], 1, 4);
      const snapshot = await stream.snapshot();
      const fork = stream.fork();
      expectPart((await stream.step({ X: chunk(4, 6) }))['Y'], 4, 6);
      stream.restore(snapshot);
      expectPart((await stream.step({ X: chunk(4, 6) }))['Y'], 4, 6);
      expectPart((await fork.step({ X: chunk(4, 5) }))['Y'], 4, 5);
      expectPart((await fork.step({ X: chunk(5, 6) }))['Y'], 5, 6);
      model.dispose();
    });
  });
});
