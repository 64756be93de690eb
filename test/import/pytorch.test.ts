// What the PyTorch importer makes of names, shapes and an architecture, and what it refuses.
import { describe, expect, test } from 'vitest';
import { loadModel, tensor, type PyTorchArchitecture, type Tensor } from '../../src/index.ts';
import { importPytorch } from '../../src/import/pytorch/index.ts';
import { RnnError } from '../../src/errors.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { rawSafetensors, writeSafetensors, type Written } from './safetensors-files.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;
const random = randomOf(5);
const fileOf = (shapes: Shapes): Uint8Array => {
  const size = (dims: readonly number[]): number => dims.reduce((n, dim) => n * dim, 1);
  const entries = Object.entries(shapes).map(([name, dims]): [string, Written] => [
    name,
    { dims, data: random.floats(size(dims), 0.5) },
  ]);
  return writeSafetensors(Object.fromEntries(entries));
};
const graphOf = (shapes: Shapes, architecture?: PyTorchArchitecture) =>
  importPytorch(new Map([['model.safetensors', fileOf(shapes)]]), { architecture });

/** The tensors of nn.RNN (1), nn.GRU (3) or nn.LSTM (4). */
function recurrent(name: string, gates: number, I: number, H: number, options = ''): Shapes {
  const shapes: Record<string, readonly number[]> = {};
  const ends = options.includes('bi') ? ['_l0', '_l0_reverse'] : ['_l0'];
  for (const end of ends) {
    shapes[`${name}weight_ih${end}`] = [gates * H, I];
    shapes[`${name}weight_hh${end}`] = [gates * H, H];
    if (options.includes('bare')) continue;
    shapes[`${name}bias_ih${end}`] = [gates * H];
    shapes[`${name}bias_hh${end}`] = [gates * H];
  }
  return shapes;
}
const linear = (name: string, I: number, O: number): Shapes => ({
  [`${name}.weight`]: [O, I],
  [`${name}.bias`]: [O],
});
const infoOf = ({ name, type, dims }: { name: string; type: string; dims: readonly unknown[] }) =>
  `${name} ${type} [${dims.join(', ')}]`;

function faultOf(work: () => unknown): RnnError {
  try {
    work();
  } catch (error) {
    if (error instanceof RnnError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('without an architecture', () => {
  test.each([
    ['rnn', 1],
    ['gru', 3],
    ['lstm', 4],
  ] as const)('%s is told by the rows of weight_hh', (cell, gates) => {
    const graph = graphOf(recurrent('', gates, 3, 5, 'bi'));
    expect(graph.nodes[0]!.attributes).toMatchObject({
      cell,
      hidden: 5,
      direction: 'bidirectional',
    });
    expect(graph.inputs.map(infoOf)).toEqual(['x float32 [T, B, 3]']);
    const c = cell === 'lstm' ? ['cn float32 [2, B, 5]'] : [];
    expect(graph.outputs.map(infoOf)).toEqual([
      'y float32 [T, B, 10]',
      'hn float32 [2, B, 5]',
      ...c,
    ]);
  });

  test('embedding, numbered modules and a linear layer stand in order, whatever that of the file', () => {
    const shapes = {
      ...linear('fc', 8, 7),
      ...recurrent('rnns.10.', 3, 4, 8),
      ...recurrent('rnns.2.', 4, 6, 4, 'bare'),
      'emb.weight': [9, 6],
    };
    const graph = graphOf(shapes, { batchFirst: true });
    const { inputs, outputs, nodes } = graph;
    expect(inputs.map(infoOf)).toEqual(['x int32 [B, T]']);
    expect(outputs.map(infoOf)).toEqual(['y float32 [B, T, 7]']);
    expect(nodes.map(({ op }) => op).filter((op) => op !== 'Reshape')).toEqual([
      'Gather',
      'Recurrent',
      'Recurrent',
      'MatMul',
      'Add',
    ]);
    expect(nodes.flatMap(({ attributes }) => attributes['cell'] ?? [])).toEqual(['lstm', 'gru']);
  });

  test.each([
    ['no recurrent layer', linear('fc', 3, 4), 'no recurrent layer'],
    ['other weights', { ...recurrent('a.', 4, 3, 3), 'n.gamma': [3] }, 'n.gamma'],
    [
      'two linear layers in a row',
      { ...recurrent('a.', 4, 3, 5), ...linear('fc1', 5, 5), ...linear('fc2', 5, 2) },
      'what is between',
    ],
    [
      'a linear layer before',
      { ...recurrent('a.', 4, 3, 5), ...linear('fc', 2, 3) },
      "'fc' takes 2 features",
    ],
    [
      'encoder and decoder',
      { ...recurrent('encoder.', 3, 4, 4), ...recurrent('decoder.', 3, 4, 4) },
      'how',
    ],
    [
      'a matrix that fits on both sides',
      { ...recurrent('a.', 3, 4, 4), 'm.weight': [9, 4] },
      'may be an embedding',
    ],
    ['rows of no cell', { weight_ih_l0: [10, 3], weight_hh_l0: [10, 5] }, '1 (RNN), 3 (GRU)'],
  ] as const)('%s: asks for the layers', (_, shapes, part) => {
    const fault = faultOf(() => graphOf(shapes));
    expect([fault.code, fault.path]).toEqual(['INVALID_ARGUMENT', 'options.architecture']);
    expect(fault.message).toContain(part);
    expect(fault.message).toContain('options.architecture.layers');
  });
});

describe('files that do not fit', () => {
  const cases: readonly (readonly [string, Shapes, PyTorchArchitecture, string, string])[] = [
    [
      'a bias of another size',
      { ...recurrent('', 4, 3, 5), bias_hh_l0: [19] },
      {},
      'INVALID_MODEL',
      'state_dict.bias_hh_l0',
    ],
    [
      'a second layer of another width',
      { ...recurrent('', 3, 3, 5), weight_ih_l1: [15, 4], weight_hh_l1: [15, 5] },
      {},
      'INVALID_MODEL',
      'state_dict.weight_ih_l1',
    ],
    [
      'a bias without its other half',
      { weight_ih_l0: [5, 3], weight_hh_l0: [5, 5], bias_ih_l0: [5] },
      { layers: [{ type: 'rnn' }] },
      'INVALID_ARGUMENT',
      'options.architecture.layers[0].name',
    ],
    [
      'the same where the layer was found out',
      { weight_ih_l0: [5, 3], weight_hh_l0: [5, 5], bias_ih_l0: [5] },
      {},
      'INVALID_MODEL',
      'state_dict.bias_hh_l0',
    ],
    [
      'another cell than the weights have',
      recurrent('', 4, 3, 5),
      { layers: [{ type: 'gru' }] },
      'INVALID_ARGUMENT',
      'options.architecture.layers[0].type',
    ],
    [
      'a module that is not there',
      recurrent('lstm.', 4, 3, 5),
      { layers: [{ type: 'lstm', name: 'rnn' }] },
      'INVALID_ARGUMENT',
      'options.architecture.layers[0].name',
    ],
    [
      'tensors that no layer takes',
      { ...recurrent('lstm.', 4, 3, 5), ...linear('fc', 5, 2) },
      { layers: [{ type: 'lstm', name: 'lstm' }] },
      'INVALID_ARGUMENT',
      'options.architecture.layers',
    ],
    [
      'layers that do not meet',
      { ...recurrent('lstm.', 4, 3, 5), ...linear('fc', 6, 2) },
      {
        layers: [
          { type: 'lstm', name: 'lstm' },
          { type: 'linear', name: 'fc' },
        ],
      },
      'SHAPE_MISMATCH',
      'options.architecture.layers[1]',
    ],
    [
      'an embedding of numbers',
      { ...recurrent('lstm.', 4, 3, 5), 'emb.weight': [4, 5] },
      {
        layers: [
          { type: 'lstm', name: 'lstm' },
          { type: 'embedding', name: 'emb' },
        ],
      },
      'INVALID_ARGUMENT',
      'options.architecture.layers[1]',
    ],
    [
      'a prefix that nothing has',
      recurrent('', 4, 3, 5),
      { prefix: 'model.' },
      'INVALID_ARGUMENT',
      'options.architecture.prefix',
    ],
  ];
  test.each(cases)('%s', (_, shapes, architecture, code, path) => {
    const fault = faultOf(() => graphOf(shapes, architecture));
    expect([fault.code, fault.path]).toEqual([code, path]);
  });

  test.each([
    [{ layer: [] }, '.layer'],
    [{ layers: [] }, '.layers'],
    [{ layers: [{ type: 'transformer' }] }, '.layers[0].type'],
    [{ layers: [{ type: 'lstm', batch_first: true }] }, '.layers[0].batch_first'],
    [{ layers: [{ type: 'lstm', nonlinearity: 'relu' }] }, '.layers[0].nonlinearity'],
    [{ layers: [{ type: 'lstm', output: 'first' }] }, '.layers[0].output'],
    [{ layers: [{ type: 'linear', activation: 'step' }] }, '.layers[0].activation'],
    [{ layers: [{ type: 'activation' }] }, '.layers[0].activation'],
    [{ layers: [{ type: 'lstm', tensors: { a: 1 } }] }, '.layers[0].tensors'],
    [{ input: { type: 'float64' } }, '.input.type'],
    [{ input: { dims: [-1] } }, '.input.dims'],
    [{ names: { y: '' } }, '.names.y'],
  ])('the architecture %j', (architecture, path) => {
    const shapes = recurrent('', 4, 3, 5);
    const fault = faultOf(() => graphOf(shapes, architecture as unknown as PyTorchArchitecture));
    const where = `options.architecture${path}`;
    expect([fault.code, fault.path]).toEqual(['INVALID_ARGUMENT', where]);
  });
});

describe('layers', () => {
  const run = async (
    tensors: Readonly<Record<string, Written>>,
    architecture: PyTorchArchitecture,
    x: Tensor,
  ): Promise<Tensor> => {
    const file = writeSafetensors(tensors);
    const model = await loadModel(file, { device: 'reference', architecture });
    const { y } = await model.run({ x });
    return y!;
  };

  // By hand, from the formulas in PyTorch's documentation.
  test('linear with each function', async () => {
    const tensors = {
      'fc.weight': { dims: [2, 3], data: [1, 2, 3, -1, -2, -3] },
      'fc.bias': { dims: [2], data: [0.5, 0.25] },
    };
    const x = tensor([0.1, 0.2, 0.3], [1, 1, 3]);
    const z = [1.9, -1.15];
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const sum = Math.exp(z[0]!) + Math.exp(z[1]!);
    const want = {
      relu: [1.9, 0],
      leakyRelu: [1.9, -0.0115],
      elu: [1.9, Math.expm1(-1.15)],
      selu: [1.9 * 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772 * Math.expm1(-1.15)],
      gelu: [1.8454388, -0.1438327], // x/2·(1 + erf(x/√2))
      silu: z.map((v) => v * sigmoid(v)),
      mish: z.map((v) => v * Math.tanh(Math.log1p(Math.exp(v)))),
      tanh: z.map(Math.tanh),
      sigmoid: z.map(sigmoid),
      hardSigmoid: z.map((v) => v / 6 + 0.5),
      softplus: z.map((v) => Math.log1p(Math.exp(v))),
      softsign: z.map((v) => v / (1 + Math.abs(v))),
      softmax: z.map((v) => Math.exp(v) / sum),
      logSoftmax: z.map((v) => v - Math.log(sum)),
    } as const;
    for (const [activation, values] of Object.entries(want)) {
      const name = activation as keyof typeof want;
      const layers = [{ type: 'linear', name: 'fc', activation: name }] as const;
      const y = await run(tensors, { layers }, x);
      expect(y.dims).toEqual([1, 1, 2]);
      expectClose(y.data as Float32Array, values, { atol: 1e-6, label: activation });
    }
  });

  test('conv1d, batchNorm1d, permute, layerNorm', async () => {
    const tensors = {
      'conv.weight': { dims: [2, 1, 2], data: [1, 1, 1, -1] },
      'bn.running_mean': { dims: [2], data: [1, 2] },
      'bn.running_var': { dims: [2], data: [4, 9] },
      'bn.weight': { dims: [2], data: [2, 3] },
      'bn.bias': { dims: [2], data: [0, 2] },
      'bn.num_batches_tracked': { dims: [], dtype: 'I64', bytes: new Uint8Array(8) },
      'ln.weight': { dims: [2], data: [1, 2] },
      'ln.bias': { dims: [2], data: [0, 0.5] },
    };
    const x = tensor([1, 2, 4, 8], [1, 1, 4]);
    const conv = { type: 'conv1d', name: 'conv', stride: 2, padding: 1 } as const;
    const bn = { type: 'batchNorm1d', name: 'bn', eps: 0 } as const;
    const permute = { type: 'permute', dims: [0, 2, 1] } as const;
    const ln = { type: 'layerNorm', name: 'ln', eps: 0 } as const;
    const y = await run(tensors, { layers: [conv, bn, permute], ignore: ['ln'] }, x);
    // Windows [0 1] [2 4] [8 0]: sums 1 6 8 and differences -1 -2 8.
    expect(y.dims).toEqual([1, 3, 2]);
    expectClose(y.data as Float32Array, [0, -1, 5, -2, 7, 8], { atol: 1e-6 });
    const normal = await run(tensors, { layers: [conv, bn, permute, ln] }, x);
    expectClose(normal.data as Float32Array, [1, -1.5, 1, -1.5, -1, 2.5], { atol: 1e-6 });
    const same = await run(
      tensors,
      { layers: [{ type: 'conv1d', name: 'conv', padding: 'same' }], ignore: ['ln', 'bn'] },
      x,
    );
    // The odd zero stands at the end.
    expectClose(same.data as Float32Array, [3, 6, 12, 8, -1, -2, -4, 8], { atol: 1e-6 });
  });

  test('the last step and the final state are what the sequence says', async () => {
    const shapes = { ...recurrent('rnn.', 3, 2, 4, 'bi'), ...linear('fc', 8, 2) };
    const file = fileOf(shapes);
    const x = tensor(randomOf(1).floats(3 * 5 * 2), [3, 5, 2]); // B 3, T 5
    const ask = async (output: 'sequence' | 'last' | 'hidden') => {
      const architecture: PyTorchArchitecture = {
        batchFirst: true,
        ignore: ['fc'],
        layers: [
          { type: 'gru', name: 'rnn', output, dropout: 0.5 },
          { type: 'dropout', p: 0.5 },
        ],
      };
      const model = await loadModel(file, { device: 'reference', architecture });
      return model.run({ x });
    };
    const { y, hn } = await ask('sequence');
    const [all, states] = [y!.data as Float32Array, hn!.data as Float32Array];
    const last = (await ask('last'))['y']!;
    const hidden = (await ask('hidden'))['y']!;
    expect([last.dims, hidden.dims, hn!.dims]).toEqual([
      [3, 8],
      [3, 8],
      [2, 3, 4],
    ]);
    for (let b = 0; b < 3; b++) {
      const row = all.subarray((b * 5 + 4) * 8, (b * 5 + 5) * 8);
      expectClose((last.data as Float32Array).subarray(b * 8, b * 8 + 8), row);
      const want = [
        ...states.subarray(b * 4, b * 4 + 4),
        ...states.subarray(12 + b * 4, 16 + b * 4),
      ];
      expectClose((hidden.data as Float32Array).subarray(b * 8, b * 8 + 8), want);
      // Forward ends with the sequence, backward at its beginning.
      expectClose(row.subarray(0, 4), states.subarray(b * 4, b * 4 + 4));
      expectClose(all.subarray(b * 40 + 4, b * 40 + 8), states.subarray(12 + b * 4, 16 + b * 4));
    }
  });

  test('names of inputs and outputs; states of two modules have theirs before them', () => {
    const shapes = { ...recurrent('a.', 4, 3, 5), ...recurrent('b.', 3, 5, 2) };
    const graph = graphOf(shapes, {
      initialState: true,
      lengths: true,
      names: { x: 'input', y: 'output', lengths: 'len' },
      layers: [
        { type: 'lstm', name: 'a' },
        { type: 'gru', name: 'b' },
      ],
    });
    expect(graph.inputs.map(infoOf)).toEqual([
      'input float32 [T, B, 3]',
      'a.h0 float32 [1, B, 5]',
      'a.c0 float32 [1, B, 5]',
      'len int32 [B]',
      'b.h0 float32 [1, B, 2]',
    ]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['output', 'a.hn', 'a.cn', 'b.hn']);
  });

  test('a module twice, and weights under other names', async () => {
    const tensors = {
      w: { dims: [2, 2], data: [0, 1, 1, 0] },
      v: { dims: [2, 2], data: [2, 0, 0, 3] },
    };
    const swap = { type: 'linear', tensors: { weight: 'w' } } as const;
    const scale = { type: 'linear', tensors: { weight: 'v' } } as const;
    const x = tensor([1, 10], [1, 1, 2]);
    const y = await run(tensors, { layers: [swap, scale, swap] }, x);
    expect([...(y.data as Float32Array)]).toEqual([3, 20]);
  });

  test('weights in two files are one model; one twice is refused', () => {
    const [one, two] = [fileOf(recurrent('rnn.', 4, 3, 5)), fileOf(linear('fc', 5, 2))];
    const graph = importPytorch(
      new Map([
        ['1.safetensors', one],
        ['2.safetensors', two],
      ]),
    );
    expect(graph.outputs.map(infoOf)).toEqual(['y float32 [T, B, 2]']);
    const files = new Map([
      ['1.safetensors', one],
      ['2.safetensors', one],
    ]);
    const fault = faultOf(() => importPytorch(files));
    expect([fault.code, fault.path]).toEqual(['INVALID_MODEL', '2.safetensors']);
  });

  test('a file whose first bytes are those of a pickle is still what it is', async () => {
    const text = JSON.stringify({ a: { dtype: 'F32', shape: [1, 1], data_offsets: [0, 4] } });
    const file = rawSafetensors(text.padEnd(640), new Uint8Array(4)); // 640 is 80 02
    const layers = [{ type: 'linear', tensors: { weight: 'a' } }] as const;
    const model = await loadModel(file, { device: 'reference', architecture: { layers } });
    expect(model.inputs.map(infoOf)).toEqual(['x float32 [T, B, 1]']);
  });
});
