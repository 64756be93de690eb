// What ONNX leaves open of integers is the same on both backends; what 32 bits cannot hold is refused.
import { afterAll, describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { loadModel, tensor, type LoadOptions, type Tensor } from '../../src/index.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { writeOnnx } from '../support/onnx-writer.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());
const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['reference', { device: 'reference' }],
];

const int32 = (...values: number[]): Tensor => tensor(Int32Array.from(values), [values.length]);

async function binary(op: string, a: Tensor, b: Tensor, options: LoadOptions, attributes = {}) {
  const { type, dims } = a;
  const graph: Graph = {
    name: 'integers',
    inputs: [
      { name: 'a', type, dims },
      { name: 'b', type, dims },
    ],
    outputs: [{ name: 'y', type, dims }],
    constants: new Map(),
    nodes: [{ op, name: op, inputs: ['a', 'b'], outputs: ['y'], attributes }],
  };
  const model = await loadModel(graph, options);
  const { y } = await model.run({ a, b });
  model.dispose();
  return Array.from(y!.data as Int32Array);
}

describe.each(BACKENDS)('integers on %s', (_, options) => {
  const [MIN, MAX] = [-(2 ** 31), 2 ** 31 - 1];

  it('divided by zero are zero, and the smallest by -1 wraps', async () => {
    const y = await binary('Div', int32(7, -7, 0, MIN, -7), int32(0, 0, 0, -1, 2), options);
    expect(y).toEqual([0, 0, 0, MIN, -3]);
  });

  it('modulo zero are zero, and no sum on the way wraps', async () => {
    const [a, b] = [int32(7, -7, MAX - 1, 1 - MAX, -7, 7), int32(0, 0, MAX, MAX, 3, -3)];
    expect(await binary('Mod', a, b, options)).toEqual([0, 0, MAX - 1, 1, 2, -2]);
    expect(await binary('Mod', a, b, options, { fmod: 1 })).toEqual([
      0,
      0,
      MAX - 1,
      1 - MAX,
      -1,
      1,
    ]);
  });

  it('to a negative power lose their fraction', async () => {
    const y = await binary(
      'Pow',
      int32(2, 1, -1, -1, 0, -3),
      int32(-1, -5, -2, -3, -1, 3),
      options,
    );
    expect(y).toEqual([0, 1, 1, -1, 0, -27]);
  });
});

describe('64-bit integers on webgpu', () => {
  it('are refused as constants beyond 32 bits', async () => {
    const graph: Graph = {
      name: 'wide',
      inputs: [{ name: 'a', type: 'int64', dims: [2] }],
      outputs: [{ name: 'y', type: 'int64', dims: [2] }],
      constants: new Map([['big', tensor(BigInt64Array.of(1n, 5_000_000_000n), [2], 'int64')]]),
      nodes: [{ op: 'Add', name: 'add', inputs: ['a', 'big'], outputs: ['y'], attributes: {} }],
    };
    const a = tensor(BigInt64Array.of(1n, 1n), [2], 'int64');
    const model = await loadModel(graph, { device });
    await expect(model.run({ a })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      path: 'big[1]',
    });
    model.dispose();
    const exact = await loadModel(graph, { device: 'reference' });
    const { y } = await exact.run({ a });
    expect([...(y!.data as BigInt64Array)]).toEqual([2n, 5_000_000_001n]);
  });
});

describe('attributes that an operator does not have', () => {
  const file = (op: string, attributes: Record<string, number>) =>
    writeOnnx({
      nodes: [{ op, inputs: ['x'], outputs: ['y'], attributes }],
      inputs: [{ name: 'x', type: 'float32', dims: [2, 3] }],
      outputs: [{ name: 'y', type: 'float32', dims: [2, 3] }],
    });

  it('are refused with their path', () => {
    expect(() => importOnnx(file('Softmax', { axes: 0 }))).toThrow(
      expect.objectContaining({
        code: 'INVALID_MODEL',
        path: 'graph.nodes[0].axes',
        message: expect.stringContaining('expected one of axis'),
      }),
    );
    expect(importOnnx(file('Softmax', { axis: 0 })).nodes[0]!.attributes['axis']).toBe(0);
  });
});
