// LSTM, GRU and RNN nodes become Recurrent nodes that compute what ONNX Runtime computes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CELLS, type CellName } from '../../src/cells/index.ts';
import { recurrentAttributes } from '../../src/graph.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { onnxOfRecurrent } from '../support/onnx-recurrent.ts';
import { writeOnnx, type OnnxAttribute } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { expectForAll } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';

type Attributes = Readonly<Record<string, OnnxAttribute | undefined>>;

const OP: Readonly<Record<CellName, string>> = { lstm: 'LSTM', gru: 'GRU', rnn: 'RNN' };

const ones = (dims: readonly number[], value: number): Tensor =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value), dims);

/** A layer of one unit that differs in its attributes alone. */
function smallLayer(cell: CellName, attributes: Attributes, opset = 14): Uint8Array {
  const D = attributes['direction'] === 'bidirectional' ? 2 : 1;
  const G = CELLS[cell].gates.length;
  return writeOnnx(
    {
      nodes: [{ op: OP[cell], inputs: ['X', 'W', 'R'], outputs: ['Y'], attributes }],
      inputs: [{ name: 'X', type: 'float32', dims: ['T', 1, 1] }],
      outputs: [{ name: 'Y', type: 'float32' }],
      initializers: { W: ones([D, G, 1], 1), R: ones([D, G, 1], 0.5) },
    },
    { opset, irVersion: 8 },
  );
}

const X = tensor([0.4, -2], [2, 1, 1]);

// activation_alpha and activation_beta are handed out in order to those that take one.
const SEMANTICS: readonly [string, CellName, Attributes][] = [
  [
    'Affine takes alpha and beta',
    'rnn',
    { activations: ['Affine'], activation_alpha: [3], activation_beta: [0.25] },
  ],
  ['Affine without alpha', 'rnn', { activations: ['Affine'] }],
  ['ScaledTanh without alpha', 'lstm', { activations: ['Sigmoid', 'ScaledTanh', 'Tanh'] }],
  [
    'ScaledTanh',
    'gru',
    { activations: ['Sigmoid', 'ScaledTanh'], activation_alpha: [1.7], activation_beta: [0.6] },
  ],
  ['HardSigmoid by default', 'lstm', { activations: ['HardSigmoid', 'Tanh', 'Tanh'] }],
  [
    'HardSigmoid with its own',
    'gru',
    { activations: ['HardSigmoid', 'Tanh'], activation_alpha: [0.3], activation_beta: [0.1] },
  ],
  ['LeakyRelu by default', 'rnn', { activations: ['LeakyRelu'] }],
  ['Elu by default', 'rnn', { activations: ['Elu'] }],
  ['ThresholdedRelu by default', 'rnn', { activations: ['ThresholdedRelu'] }],
  ['Softsign and Softplus', 'lstm', { activations: ['Softsign', 'Softplus', 'Tanh'] }],
  ['any case', 'gru', { activations: ['sigmoid', 'TANH'] }],
  [
    'alpha passes Tanh by',
    'rnn',
    {
      direction: 'bidirectional',
      activations: ['Tanh', 'Affine'],
      activation_alpha: [3],
      activation_beta: [0.25],
    },
  ],
  [
    'alpha goes in order',
    'rnn',
    {
      direction: 'bidirectional',
      activations: ['LeakyRelu', 'Affine'],
      activation_alpha: [3, 5],
      activation_beta: [0.25],
    },
  ],
  [
    'alpha runs out',
    'rnn',
    {
      direction: 'bidirectional',
      activations: ['Affine', 'LeakyRelu'],
      activation_alpha: [3],
      activation_beta: [0.25],
    },
  ],
  [
    'three of an LSTM',
    'lstm',
    {
      activations: ['HardSigmoid', 'Tanh', 'Affine'],
      activation_alpha: [0.3, 2],
      activation_beta: [0.1, 0.5],
    },
  ],
  [
    'different in each direction',
    'lstm',
    {
      direction: 'bidirectional',
      activations: ['Sigmoid', 'LeakyRelu', 'Tanh', 'Tanh', 'Affine', 'Elu'],
      activation_alpha: [0.5, 2],
      activation_beta: [0.25],
    },
  ],
  ['two names for an RNN of one direction', 'rnn', { activations: ['Relu', 'Tanh'] }],
  ['more alphas than needed', 'rnn', { activations: ['LeakyRelu'], activation_alpha: [0.5, 7] }],
  ['clip', 'lstm', { clip: 0.5 }],
  ['clip that limits nothing', 'gru', { clip: 3.4028234663852886e38 }],
  ['coupled gates', 'lstm', { input_forget: 1 }],
  ['linear_before_reset, any number but zero', 'gru', { linear_before_reset: 2 }],
  ['reverse', 'gru', { direction: 'reverse' }],
];

describe('attributes of recurrent layers', () => {
  it.each(SEMANTICS)('%s (%s)', async (_, cell, attributes) => {
    const file = smallLayer(cell, { hidden_size: 1, ...attributes });
    const { Y } = await runOnnxRuntime(file, { X });
    const actual = runReference(importOnnx(file), { X }).get('Y')!;
    expect(actual.dims).toEqual(Y!.dims);
    expectClose(actual.data, Y!.data as Float32Array, { atol: 1e-6 });
  });

  it.each(Object.keys(OP) as CellName[])('a bare %s has every attribute written out', (cell) => {
    const [node] = importOnnx(smallLayer(cell, {})).nodes;
    const { activations } = CELLS[cell];
    expect(node!.op).toBe('Recurrent');
    expect(recurrentAttributes(node!)).toEqual({
      cell,
      direction: 'forward',
      hidden: 1, // from R
      layout: 0,
      activations,
      alphas: activations.map(() => NaN),
      betas: activations.map(() => NaN),
      clip: 0,
      coupled: false,
      resetAfter: false,
      maskedOutput: 'zero',
    });
  });

  it.each<[string, CellName, Attributes, string]>([
    [
      'an unknown activation',
      'lstm',
      { activations: ['Sigmoid', 'Gelu', 'Tanh'] },
      'activations[1]',
    ],
    ['too few activations', 'gru', { activations: ['Sigmoid'] }, 'activations'],
    [
      'one direction of two',
      'lstm',
      { direction: 'bidirectional', activations: ['Sigmoid', 'Tanh', 'Tanh'] },
      'activations',
    ],
    ['an unknown direction', 'lstm', { direction: 'Forward' }, 'direction'],
    ['a layout of 2', 'gru', { layout: 2 }, 'layout'],
    ['no clip', 'gru', { clip: 0 }, 'clip'],
    ['a negative clip', 'lstm', { clip: -1 }, 'clip'],
    ['a clip that is no number', 'lstm', { clip: NaN }, 'clip'],
    [
      'an alpha that is no number',
      'rnn',
      { activations: ['LeakyRelu'], activation_alpha: [NaN] },
      'activation_alpha[0]',
    ],
    [
      'an infinite beta',
      'rnn',
      { activations: ['Affine'], activation_beta: [Infinity] },
      'activation_beta[0]',
    ],
    ['another width than R', 'lstm', { hidden_size: 2 }, 'hidden_size'],
    ['no width', 'lstm', { hidden_size: 0 }, 'hidden_size'],
    ['a negative width', 'gru', { hidden_size: -1 }, 'hidden_size'],
    ['a width of 2^62', 'gru', { hidden_size: 2n ** 62n }, 'hidden_size'],
    ['a width that is text', 'gru', { hidden_size: 'many' }, 'hidden_size'],
    ['activations that are numbers', 'gru', { activations: [1, 2] }, 'activations'],
  ])('refuses %s (%s)', (_, cell, attributes, field) => {
    expect(() => importOnnx(smallLayer(cell, attributes))).toThrow(
      expect.objectContaining({ code: 'INVALID_MODEL', path: `graph.nodes[0].${field}` }),
    );
  });

  it('refuses a width that neither the attribute nor R tells', () => {
    const file = writeOnnx({
      nodes: [{ op: 'GRU', inputs: ['X', 'W', 'R'], outputs: ['Y'] }],
      inputs: ['X', 'W', 'R'].map((name) => ({ name, type: 'float32', dims: ['a', 'b', 'c'] })),
      outputs: [{ name: 'Y', type: 'float32' }],
    });
    expect(() => importOnnx(file)).toThrow(/graph\.nodes\[0\]\.hidden_size: .*R 'R'/);
  });
});

describe('weights that do not fit', () => {
  const H = 4;
  const fits = { W: [1, 16, 3], R: [1, 16, H], B: [1, 32], P: [1, 12] };
  const layer = (dims: object, attributes: Attributes = {}, inputs = 'X W R B    P'): Uint8Array =>
    writeOnnx({
      nodes: [
        {
          op: 'LSTM',
          inputs: inputs.split(' '),
          outputs: ['Y'],
          attributes: { hidden_size: H, ...attributes },
        },
      ],
      inputs: [{ name: 'X', type: 'float32', dims: ['T', 1, 3] }],
      outputs: [{ name: 'Y', type: 'float32' }],
      initializers: Object.fromEntries(
        Object.entries({ ...fits, ...dims }).map(([name, size]) => [name, ones(size, 1)]),
      ),
    });

  it('those that do are read', () => {
    expect(importOnnx(layer({})).nodes).toHaveLength(1);
  });

  it.each<[number, string, object, Attributes?]>([
    [1, "W 'W' of LSTM, got shape [1, 12, 3], expected [1, 16, I] for 4", { W: [1, 12, 3] }],
    [1, 'got shape [16, 3], expected [1, 16, I]', { W: [16, 3] }],
    [2, 'got shape [2, 16, 4], expected [1, 16, 4]', { R: [2, 16, H] }],
    [3, 'got shape [1, 16], expected [1, 32]', { B: [1, 16] }],
    [7, 'got shape [1, 4], expected [1, 12]', { P: [1, 4] }],
    [1, 'expected [2, 16, I] for 4 units, bidirectional', {}, { direction: 'bidirectional' }],
  ])('input %i: %s', (slot, says, dims, attributes) => {
    expect(() => importOnnx(layer(dims, attributes))).toThrow(
      expect.objectContaining({
        code: 'SHAPE_MISMATCH',
        path: `graph.nodes[0].inputs[${slot}]`,
        message: expect.stringContaining(says),
      }),
    );
  });

  it('weights that are left out', () => {
    expect(() => importOnnx(layer({}, {}, 'X  R'))).toThrow(
      /nodes\[0\]\.inputs\[1\]: W of LSTM, got nothing/,
    );
  });
});

describe('random layers, written to a file and read again', () => {
  it('give what ONNX Runtime gives', () =>
    expectForAll(
      fc.tuple(
        recurrentCases({ onnx: true, maxHidden: 9, maskedOutput: 'zero', minLength: 1 }),
        fc.boolean(),
      ),
      60,
      async ([layer, rawData]) => {
        const { graph, feeds, label } = layer;
        const file = onnxOfRecurrent(layer, { opset: 14, irVersion: 8, rawData });
        const imported = importOnnx(file);
        expect(imported.nodes[0]!.attributes, label).toEqual(graph.nodes[0]!.attributes);
        const expected = await runOnnxRuntime(file, feeds);
        for (const [name, { dims, data }] of runReference(imported, feeds)) {
          expect(dims, label).toEqual(expected[name]!.dims);
          const want = expected[name]!.data as Float32Array;
          expectClose(data, want, { atol: 1e-5, rtol: 1e-5, label: `${label}: ${name}`, dims });
        }
      },
    ));
});
