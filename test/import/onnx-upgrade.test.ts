// Nodes as older operator sets wrote them mean here what they mean to ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { runReference } from '../../src/reference.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor, type DataType, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { writeOnnx, type OnnxAttribute, type OnnxNode } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { randomOf } from '../support/random.ts';

interface Case {
  readonly op: string;
  readonly opsets: readonly number[];
  readonly dims: readonly number[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  /** Inputs after the first. */
  readonly constants?: readonly Tensor[];
  readonly outputs?: readonly DataType[];
}

const ints = (...values: number[]): Tensor =>
  tensor(BigInt64Array.from(values, BigInt), [values.length]);

const REDUCTIONS = [
  'ReduceSum',
  'ReduceMean',
  'ReduceMax',
  'ReduceMin',
  'ReduceProd',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSumExp',
  'ReduceSumSquare',
];

const CASES: readonly Case[] = [
  { op: 'Squeeze', opsets: [7, 11, 12], dims: [2, 1, 3, 1], attributes: { axes: [1] } },
  { op: 'Squeeze', opsets: [7, 12, 13, 22], dims: [2, 1, 3, 1] },
  { op: 'Squeeze', opsets: [13, 22], dims: [2, 1, 3, 1], constants: [ints(1)] },
  { op: 'Unsqueeze', opsets: [7, 11, 12], dims: [2, 3], attributes: { axes: [0, 3] } },
  { op: 'Unsqueeze', opsets: [13, 22], dims: [2, 3], constants: [ints(0, 3)] },
  { op: 'Clip', opsets: [7, 10], dims: [7], attributes: { min: -0.25, max: 0.5 } },
  { op: 'Clip', opsets: [7, 10], dims: [7], attributes: { max: 0.25 } },
  { op: 'Clip', opsets: [7, 12, 22], dims: [7] },
  { op: 'Pad', opsets: [7, 10], dims: [2, 3], attributes: { pads: [0, 1, 2, 0], value: 1.5 } },
  { op: 'Pad', opsets: [7, 10], dims: [4, 5], attributes: { pads: [0, 1, 0, 2], mode: 'reflect' } },
  { op: 'Pad', opsets: [11, 18], dims: [2, 3], constants: [ints(0, 1, 2, 0)] },
  { op: 'Slice', opsets: [7, 9], dims: [4, 5], attributes: { starts: [1], ends: [3] } },
  {
    op: 'Slice',
    opsets: [7, 9],
    dims: [4, 5],
    attributes: { starts: [-3, 0], ends: [9223372036854775807n, -1n] as bigint[], axes: [1, 0] },
  },
  { op: 'Slice', opsets: [10, 22], dims: [4, 5], constants: [ints(0, 1), ints(3, 4)] },
  {
    op: 'Split',
    opsets: [7, 12],
    dims: [2, 6],
    attributes: { axis: 1, split: [1, 5] },
    outputs: ['float32', 'float32'],
  },
  {
    op: 'Split',
    opsets: [7, 12, 13],
    dims: [6, 2],
    outputs: ['float32', 'float32', 'float32'],
  },
  {
    op: 'Split',
    opsets: [18, 22],
    dims: [7, 2],
    attributes: { num_outputs: 3 },
    outputs: ['float32', 'float32', 'float32'],
  },
  { op: 'Hardmax', opsets: [7, 12], dims: [2, 3, 4], attributes: { axis: 1 } },
  { op: 'Hardmax', opsets: [12, 13, 22], dims: [2, 3, 4], attributes: { axis: -1 } },
  {
    op: 'Upsample',
    opsets: [7, 8],
    dims: [1, 2, 3, 4],
    attributes: { scales: { floats: [1, 1, 2, 3] }, mode: 'nearest' },
  },
  { op: 'Upsample', opsets: [9], dims: [1, 2, 3], constants: [tensor([1, 1, 2.5], [3])] },
  {
    op: 'Upsample',
    opsets: [9],
    dims: [1, 1, 3, 4],
    constants: [tensor([1, 1, 2, 3], [4])],
    attributes: { mode: 'linear' },
  },
  { op: 'Resize', opsets: [10], dims: [1, 2, 3], constants: [tensor([1, 1, 2.5], [3])] },
  {
    op: 'Resize',
    opsets: [10],
    dims: [1, 1, 3, 4],
    constants: [tensor([1, 1, 2, 1.5], [4])],
    attributes: { mode: 'linear' },
  },
  {
    op: 'TopK',
    opsets: [7, 9],
    dims: [2, 6],
    attributes: { k: 3, axis: 1 },
    outputs: ['float32', 'int64'],
  },
  {
    op: 'TopK',
    opsets: [10, 22],
    dims: [2, 6],
    constants: [ints(2)],
    outputs: ['float32', 'int64'],
  },
  { op: 'Dropout', opsets: [7, 10], dims: [3, 2], attributes: { ratio: 0.3 } },
  { op: 'Dropout', opsets: [12, 22], dims: [3, 2] },
  ...REDUCTIONS.flatMap((op): Case[] => [
    {
      op,
      opsets: op === 'ReduceSum' ? [7, 12] : [7, 12, 17],
      dims: [2, 3, 4],
      attributes: { axes: [1, 2], keepdims: 0 },
    },
    {
      op,
      opsets: op === 'ReduceSum' ? [13, 22] : [18, 22],
      dims: [2, 3, 4],
      constants: [ints(-2)],
    },
    { op, opsets: [7, 12, 22], dims: [2, 3] },
  ]),
  ...['Softmax', 'LogSoftmax'].flatMap((op): Case[] => [
    { op, opsets: [7, 12, 13, 22], dims: [2, 3, 4] },
    { op, opsets: [7, 12, 13, 22], dims: [3, 5] },
    { op, opsets: [7, 12, 13], dims: [2, 3, 4], attributes: { axis: 0 } },
    { op, opsets: [7, 12, 13], dims: [2, 3, 4], attributes: { axis: 2 } },
    { op, opsets: [11, 12, 13], dims: [2, 3, 4], attributes: { axis: -2 } },
    { op, opsets: [11, 12, 13], dims: [2, 3, 4], attributes: { axis: -1 } },
  ]),
  {
    op: 'BatchNormalization',
    opsets: [7, 9, 14, 15, 22],
    dims: [2, 3, 4],
    constants: [1, 2, 3, 4].map((k) => tensor([0.5 * k, 1, 2], [3])),
  },
  { op: 'Flatten', opsets: [7, 9, 11, 22], dims: [2, 3, 4], attributes: { axis: 2 } },
  { op: 'Cast', opsets: [7, 13, 22], dims: [5], attributes: { to: 7 }, outputs: ['int64'] },
  { op: 'Identity', opsets: [7, 22], dims: [5] },
  { op: 'Swish', opsets: [24], dims: [5], attributes: { alpha: 0.5 } },
  { op: 'Swish', opsets: [24], dims: [5] },
];

const titled = CASES.flatMap((found) =>
  found.opsets.map((opset) => ({
    ...found,
    opset,
    title: `${found.op} ${JSON.stringify(found.attributes ?? {}, (_, v: unknown) =>
      typeof v === 'bigint' ? String(v) : v,
    )} of opset ${opset} on [${found.dims.join(', ')}]`,
  })),
);

// ONNX Runtime as installed does not have them all yet; their meaning is given by the document.
const UNKNOWN_TO_RUNTIME = new Set(['Swish']);

describe('operators of every opset', () => {
  it.each(titled)('$title', async ({ op, opset, dims, attributes, constants = [], outputs }) => {
    const random = randomOf(7);
    const x = tensor(random.floats(dims.reduce((a, b) => a * b, 1)), dims);
    const names = (outputs ?? ['float32']).map((_, k) => `y${k}`);
    const initializers = Object.fromEntries(constants.map((value, k) => [`c${k}`, value]));
    const node: OnnxNode = {
      op,
      name: 'node',
      inputs: ['x', ...Object.keys(initializers)],
      outputs: names,
      ...(attributes && { attributes }),
    };
    const file = writeOnnx(
      {
        nodes: [node],
        inputs: [{ name: 'x', type: 'float32', dims: dims.map((_, axis) => `d${axis}`) }],
        outputs: names.map((name, k) => ({ name, type: outputs?.[k] ?? 'float32' })),
        initializers,
      },
      { opset, irVersion: opset < 9 ? 4 : 8 },
    );
    const graph = importOnnx(file);
    const alpha = Number(attributes?.['alpha'] ?? 1);
    const expected = UNKNOWN_TO_RUNTIME.has(op)
      ? { y0: { ...x, data: (x.data as Float32Array).map((v) => v / (1 + Math.exp(-alpha * v))) } }
      : await runOnnxRuntime(file, { x });
    for (const form of [graph, simplify(graph)]) {
      for (const [name, { dims: shape, type, data }] of runReference(form, { x })) {
        const want = expected[name as 'y0']!;
        expect({ type, dims: shape }).toEqual({ type: want.type, dims: want.dims });
        expectClose(data, want.data as Float32Array, { atol: 1e-5, label: name });
      }
    }
  });

  it('Softmax of opset 12 on a free shape needs no shape to be known', () => {
    const file = writeOnnx(
      {
        nodes: [{ op: 'Softmax', inputs: ['x'], outputs: ['y'], attributes: { axis: 1 } }],
        inputs: [{ name: 'x', type: 'float32', dims: ['a', 'b', 'c'] }],
        outputs: [{ name: 'y', type: 'float32', dims: ['a', 'b', 'c'] }],
      },
      { opset: 12 },
    );
    expect(importOnnx(file).nodes.map(({ op }) => op)).toEqual([
      'Shape',
      'Flatten',
      'Softmax',
      'Reshape',
    ]);
  });

  it('Scatter is ScatterElements', () => {
    const file = writeOnnx(
      {
        nodes: [{ op: 'Scatter', inputs: ['x', 'i', 'x'], outputs: ['y'] }],
        inputs: [{ name: 'x', type: 'float32', dims: [3] }],
        outputs: [{ name: 'y', type: 'float32' }],
        initializers: { i: ints(0, 1, 2) },
      },
      { opset: 9 },
    );
    expect(importOnnx(file).nodes[0]).toMatchObject({ op: 'ScatterElements', outputs: ['y'] });
  });

  it('refuses an axis that is given twice', () => {
    const file = writeOnnx({
      nodes: [{ op: 'Squeeze', inputs: ['x', 'c'], outputs: ['y'], attributes: { axes: [0] } }],
      inputs: [{ name: 'x', type: 'float32', dims: [1, 1] }],
      outputs: [{ name: 'y', type: 'float32' }],
      initializers: { c: ints(0) },
    });
    expect(() => importOnnx(file)).toThrow(/graph\.nodes\[0\]\.axes: .*attribute and as an input/);
  });

  it.each([
    ['spatial', { op: 'BatchNormalization', attributes: { spatial: 0 }, opset: 8 }, 'spatial'],
    ['groups', { op: 'GroupNormalization', attributes: { num_groups: 1 }, opset: 18 }, 'opset 18'],
  ])('refuses the withdrawn form with %s', (_, { op, attributes, opset }, message) => {
    const file = writeOnnx(
      {
        nodes: [{ op, inputs: ['x', 'x', 'x'], outputs: ['y'], attributes }],
        inputs: [{ name: 'x', type: 'float32', dims: [1] }],
        outputs: [{ name: 'y', type: 'float32' }],
      },
      { opset },
    );
    expect(() => importOnnx(file)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_OPERATOR',
        message: expect.stringContaining(message),
      }),
    );
  });

  it('refuses the broadcasting of opset 6 in a newer file', () => {
    const file = writeOnnx({
      nodes: [
        { op: 'Add', inputs: ['x', 'x'], outputs: ['y'], attributes: { broadcast: 1, axis: 0 } },
      ],
      inputs: [{ name: 'x', type: 'float32', dims: [1] }],
      outputs: [{ name: 'y', type: 'float32' }],
    });
    expect(() => importOnnx(file)).toThrow(/graph\.nodes\[0\]\.broadcast/);
  });

  it.each([5, 6, 28, 999])('refuses opset %d', (opset) => {
    const file = writeOnnx({ nodes: [], outputs: [] }, { opset });
    expect(() => importOnnx(file)).toThrow(`operator set, got ${opset}, expected 7 to 27`);
  });
});
