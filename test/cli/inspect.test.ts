// What `inspect` says of a model is what the model has and what a run of it does.
import { describe, expect, test } from 'vitest';
import { inspect, loadModel, RnnError, tensor, type Graph } from '../../src/index.ts';
import { writeOnnx, type OnnxGraph } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { writeSafetensors } from '../import/safetensors-files.ts';

const random = randomOf(3);
const weights = (...dims: number[]) => ({
  dims,
  data: random.floats(dims.reduce((n, dim) => n * dim, 1)),
});
const float = (...dims: number[]) => tensor(weights(...dims).data, dims);
/** nn.GRU(5, 8) and nn.Linear(8, 2). */
const MODEL = writeSafetensors({
  'rnn.weight_ih_l0': weights(24, 5),
  'rnn.weight_hh_l0': weights(24, 8),
  'rnn.bias_ih_l0': weights(24),
  'rnn.bias_hh_l0': weights(24),
  'fc.weight': weights(2, 8),
  'fc.bias': weights(2),
});
const PARAMETERS = 24 * 5 + 24 * 8 + 2 * 24 + 2 * 8 + 2;

const value = (name: string, dims: (number | string)[]) =>
  ({ name, type: 'float32', dims }) as const;

describe('a model that runs', () => {
  test('parameters, layers, shapes and kernels', async () => {
    const found = await inspect(MODEL, { dims: { x: [7, 3, 5] } });
    expect(found.inputs).toEqual([value('x', ['T', 'B', 5])]);
    expect(found.parameters).toBe(PARAMETERS);
    expect(found.bytes).toBe(PARAMETERS * 4);
    expect([found.unsupported, found.hostInputs, found.unplanned]).toEqual([[], [], undefined]);
    const recurrent = found.layers.find(({ op }) => op === 'Recurrent')!;
    expect(recurrent).toMatchObject({
      name: 'rnn',
      path: 'graph.nodes[0]',
      shapes: [[7, 1, 3, 8]],
      parameters: 24 * 5 + 24 * 8 + 48,
    });
    expect(recurrent.kernels).toContain('recurrent-persistent');
    const plan = found.plan!;
    expect(plan.inputs).toEqual({ x: [7, 3, 5] });
    expect(plan.outputs).toEqual({ y: [7, 3, 2] });
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    expect(plan.dispatches).toBe(sum(found.layers.map(({ dispatches }) => dispatches)));
    expect(plan.dispatches).toBe(sum(Object.values(plan.kernels)));
    // x is not scratch; y, [7, 3, 2] of float32, is.
    expect(plan.scratchBytes).toBeGreaterThanOrEqual(7 * 3 * 2 * 4);
    expect(plan.weightBytes).toBeGreaterThanOrEqual(PARAMETERS * 4);
    const model = await loadModel(MODEL, { device: 'reference' });
    const { y } = await model.run({ x: tensor(new Float32Array(7 * 3 * 5), [7, 3, 5]) });
    expect(y!.dims).toEqual(plan.outputs['y']);
  });

  test('parameters are those that the framework counts', async () => {
    const lstm = (B: number[], h: number) =>
      inspect(
        writeOnnx({
          inputs: [value('x', [3, 1, 2])],
          initializers: {
            w: float(1, 16, 2),
            r: float(1, 16, 4),
            b: tensor(Float32Array.from(B), [1, 32]),
            h: tensor(new Float32Array(4).fill(h), [1, 1, 4]),
            two: tensor(Float32Array.of(2), []),
          },
          nodes: [
            { op: 'Pow', inputs: ['x', 'two'], outputs: ['x2'] },
            {
              op: 'LSTM',
              inputs: ['x2', 'w', 'r', 'b', '', 'h', 'h'],
              outputs: ['y'],
              attributes: { hidden_size: 4 },
            },
          ],
          outputs: [{ name: 'y', type: 'float32' }],
        }),
      );
    const products = 16 * 2 + 16 * 4;
    const both = Array.from({ length: 32 }, (_, i) => i + 1);
    const counts = async (...from: Parameters<typeof lstm>) => {
      const { parameters, bytes, layers } = await lstm(...from);
      const own = layers.reduce((sum, layer) => sum + layer.parameters, 0);
      return [parameters, bytes, own];
    };
    const times = (count: number) => [count, count * 4, count];
    expect(await counts(both, 1)).toEqual(times(products + 32 + 4));
    expect(await counts(both, 0)).toEqual(times(products + 32));
    // Keras has one bias: the other half is an exporter's.
    expect(await counts([...both.slice(0, 16), ...Array<number>(16).fill(0)], 0)).toEqual(
      times(products + 16),
    );
  });

  test('a step kernel runs once for each time step', async () => {
    const options = { dims: { x: [7, 3, 5] }, recurrentKernel: 'step' } as const;
    const { plan } = await inspect(MODEL, options);
    const steps = Object.entries(plan!.kernels).filter(([name]) =>
      name.startsWith('recurrent-step'),
    );
    expect(steps.reduce((sum, [, runs]) => sum + runs, 0)).toBe(7);
  });

  test('free sizes are 1, and a size said once holds wherever its name stands', async () => {
    const architecture = { initialState: true };
    const free = await inspect(MODEL, { architecture });
    expect(free.plan!.inputs).toEqual({ x: [1, 1, 5], h0: [1, 1, 8] });
    const said = await inspect(MODEL, { architecture, dims: { h0: [1, 4, 8] } });
    expect(said.plan!.inputs).toEqual({ x: [1, 4, 5], h0: [1, 4, 8] });
  });

  test.each([
    [{ dims: { z: [1] } }, 'INVALID_ARGUMENT', 'options.dims.z'],
    [{ dims: { x: [1, 5] } }, 'SHAPE_MISMATCH', 'options.dims.x'],
    [{ dims: { x: [1, 1, 6] } }, 'SHAPE_MISMATCH', 'options.dims.x[2]'],
    [{ dims: { x: [1.5, 1, 5] } }, 'INVALID_ARGUMENT', 'options.dims.x[0]'],
    [{ values: { x: [1] } }, 'SHAPE_MISMATCH', 'options.values.x'],
  ])('%j is refused', async (options, code, path) => {
    const fault = await inspect(MODEL, options).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(RnnError);
    expect([(fault as RnnError).code, (fault as RnnError).path]).toEqual([code, path]);
  });
});

describe('a model that does not', () => {
  const branch = (op: string): OnnxGraph => ({
    nodes: [{ op, name: `${op} inside`, inputs: ['x'], outputs: ['b'] }],
    outputs: [{ name: 'b', type: 'float32' }],
  });

  test('operators that are missing are told with their places, inside branches too', async () => {
    const file = writeOnnx({
      inputs: [value('x', [2]), { name: 'c', type: 'bool', dims: [] }],
      nodes: [
        { op: 'Det', name: 'first', inputs: ['x'], outputs: ['d'] },
        {
          op: 'If',
          inputs: ['c'],
          outputs: ['y'],
          attributes: { then_branch: branch('Relu'), else_branch: branch('TfIdfVectorizer') },
        },
      ],
      outputs: [value('y', [2])],
    });
    const found = await inspect(file);
    expect(found.unsupported).toEqual([
      { op: 'Det', name: 'first', path: 'graph.nodes[0]' },
      {
        op: 'TfIdfVectorizer',
        name: 'TfIdfVectorizer inside',
        path: 'graph.nodes[1].else_branch.nodes[0]',
      },
    ]);
    expect([found.plan, found.unplanned]).toEqual([undefined, 'operators are missing']);
    expect(found.layers.map(({ op }) => op)).toEqual(['Det', 'If', 'Relu', 'TfIdfVectorizer']);
  });

  test('numbers that decide what runs are asked for, and decide', async () => {
    const file = writeOnnx({
      inputs: [value('x', [2]), { name: 'c', type: 'bool', dims: [] }],
      nodes: [
        {
          op: 'If',
          inputs: ['c'],
          outputs: ['y'],
          attributes: { then_branch: branch('Relu'), else_branch: branch('Tanh') },
        },
      ],
      outputs: [value('y', [2])],
    });
    const open = await inspect(file);
    expect([open.hostInputs, open.plan]).toEqual([['c'], undefined]);
    expect(open.unplanned).toContain('numbers of c');
    const then = await inspect(file, { values: { c: [1] } });
    expect(then.layers.map(({ op }) => op)).toEqual(['Relu']);
    const otherwise = await inspect(file, { values: { c: [0] } });
    expect(otherwise.layers.map(({ op }) => op)).toEqual(['Tanh']);
  });

  test('sizes that do not fit leave the rest told', async () => {
    const graph: Graph = {
      name: 'g',
      inputs: [value('a', ['N']), value('b', ['M'])],
      outputs: [value('y', ['N'])],
      constants: new Map(),
      nodes: [{ op: 'Add', name: 'add', inputs: ['a', 'b'], outputs: ['y'], attributes: {} }],
    };
    const found = await inspect(graph, { dims: { a: [2], b: [3] } });
    expect(found.plan).toBeUndefined();
    expect(found.unplanned).toContain('graph.nodes[0]');
    expect(found.layers).toHaveLength(1);
  });
});
