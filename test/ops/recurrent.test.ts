// A Recurrent node is refused unless everything in it agrees with everything else.
import { describe, expect, it } from 'vitest';
import type { Node } from '../../src/graph.ts';
import { operatorOf, type HostValue, type Inputs, type ValueType } from '../../src/ops/index.ts';
import { RnnError } from '../../src/errors.ts';
import { expectForAll } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';

const PATH = 'graph.nodes[3]';
const f32 = (...dims: number[]): ValueType => ({ type: 'float32', dims });

// T 5, B 3, I 4, H 6, both directions.
const ATTRIBUTES = {
  cell: 'lstm',
  direction: 'bidirectional',
  hidden: 6,
  layout: 0,
  activations: ['Sigmoid', 'Tanh', 'Tanh', 'Sigmoid', 'Tanh', 'Tanh'],
  alphas: [NaN, NaN, NaN, NaN, NaN, NaN],
  betas: [NaN, NaN, NaN, NaN, NaN, NaN],
  clip: 0,
  coupled: false,
  resetAfter: false,
  maskedOutput: 'zero',
} as const;

const INPUTS = {
  X: f32(5, 3, 4),
  W: f32(2, 24, 4),
  R: f32(2, 24, 6),
  B: f32(2, 48),
  lengths: { type: 'int32', dims: [3] } as ValueType,
  initialH: f32(2, 3, 6),
  initialC: f32(2, 3, 6),
  P: f32(2, 18),
  mask: { type: 'bool', dims: [5, 3] } as ValueType,
  projection: undefined as ValueType | undefined,
};

type Change = Partial<Record<keyof typeof INPUTS, ValueType | undefined>>;

function infer(
  attributes: Readonly<Record<string, unknown>> = {},
  inputs: Change = {},
  outputs: readonly string[] = ['Y', 'Y_h', 'Y_c'],
  lengths?: readonly number[],
): readonly ValueType[] {
  const slots: Inputs<ValueType> = Object.values({ ...INPUTS, ...inputs });
  const node = {
    op: 'Recurrent',
    name: 'layer',
    inputs: slots.map((input, i) => (input ? `x${i}` : '')),
    outputs,
    attributes: { ...ATTRIBUTES, ...attributes },
  } as unknown as Node;
  const host = (slot: number): HostValue | undefined =>
    slot === 4 && lengths
      ? { type: 'int32', dims: [3], data: Float64Array.from(lengths) }
      : undefined;
  return operatorOf(node, PATH).infer(node, slots, host, PATH).types;
}

const GRU = {
  cell: 'gru',
  activations: ['Sigmoid', 'Tanh', 'Sigmoid', 'Tanh'],
  alphas: [NaN, NaN, NaN, NaN],
  betas: [NaN, NaN, NaN, NaN],
};
const GRU_INPUTS: Change = {
  W: f32(2, 18, 4),
  R: f32(2, 18, 6),
  B: f32(2, 36),
  initialC: undefined,
  P: undefined,
};

describe('Recurrent', () => {
  it('tells the shapes of its outputs', () => {
    expect(infer()).toEqual([f32(5, 2, 3, 6), f32(2, 3, 6), f32(2, 3, 6)]);
    expect(infer({}, {}, ['Y'])).toEqual([f32(5, 2, 3, 6)]);
    expect(infer(GRU, GRU_INPUTS, ['', 'Y_h'])).toEqual([f32(5, 2, 3, 6), f32(2, 3, 6)]);
    expect(infer(GRU, GRU_INPUTS, ['Y', '', ''])).toHaveLength(2);
  });

  it('with layout 1 and a projection', () => {
    const inputs: Change = {
      X: f32(3, 5, 4),
      R: f32(2, 24, 7),
      initialH: f32(3, 2, 7),
      initialC: f32(3, 2, 6),
      mask: { type: 'float32', dims: [3, 5] },
      projection: f32(2, 7, 6),
    };
    expect(infer({ layout: 1 }, inputs)).toEqual([f32(3, 5, 2, 7), f32(3, 2, 7), f32(3, 2, 6)]);
  });

  it('agrees with the graphs that tests generate', () =>
    expectForAll(recurrentCases(), 200, ({ graph, feeds, label }) => {
      const [node] = graph.nodes;
      const inputs = node!.inputs.map((name) => feeds[name] ?? graph.constants.get(name));
      const { types } = operatorOf(node!, PATH).infer(node!, inputs, () => undefined, PATH);
      for (const { name, type, dims } of graph.outputs) {
        expect(types[node!.outputs.indexOf(name)], label).toEqual({ type, dims });
      }
    }));

  it.each<[string, Readonly<Record<string, unknown>>, Change, string]>([
    // Weights that lie about the hidden size: what a hostile file would use to read out of bounds.
    [
      'hidden larger than the weights',
      { hidden: 7 },
      {},
      '.W: shape, got [2, 24, 4], expected [2, 28, 4] (D × 4·H × I)',
    ],
    ['hidden without end', { hidden: 1e9 }, {}, '.W: shape'],
    [
      'R of another hidden size',
      {},
      { R: f32(2, 24, 7) },
      '.R: shape, got [2, 24, 7], expected [2, 24, 6]',
    ],
    ['R of another number of gates', {}, { R: f32(2, 18, 6) }, '.R: shape'],
    ['W of one direction', {}, { W: f32(1, 24, 4) }, '.W: shape'],
    [
      'X of another width',
      {},
      { X: f32(5, 3, 5) },
      '.W: shape, got [2, 24, 4], expected [2, 24, 5]',
    ],
    ['X without rows', {}, { X: f32(5, 4) }, '.X: shape, got [5, 4], expected [T, B, I]'],
    ['no X', {}, { X: undefined }, '.X: input of Recurrent, got nothing'],
    ['no W', {}, { W: undefined }, '.W: input of Recurrent, got nothing'],
    ['no R', {}, { R: undefined }, '.R: input of Recurrent, got nothing'],
    [
      'X of integers',
      {},
      { X: { type: 'int32', dims: [5, 3, 4] } },
      '.X: element type of an input of Recurrent, got int32',
    ],
    [
      'W of another type',
      {},
      { W: { type: 'float64', dims: [2, 24, 4] } },
      '.W: element type, got float64, expected float32',
    ],
    ['half a bias', {}, { B: f32(2, 24) }, '.B: shape, got [2, 24], expected [2, 48]'],
    [
      'lengths of another batch',
      {},
      { lengths: { type: 'int32', dims: [4] } },
      '.lengths: shape, got [4], expected [3]',
    ],
    ['lengths that are not whole', {}, { lengths: f32(3) }, '.lengths: element type'],
    [
      'a state of another batch',
      {},
      { initialH: f32(2, 4, 6) },
      '.initialH: shape, got [2, 4, 6], expected [2, 3, 6]',
    ],
    ['a state with batch first', {}, { initialC: f32(3, 2, 6) }, '.initialC: shape'],
    ['peepholes of four gates', {}, { P: f32(2, 24) }, '.P: shape, got [2, 24], expected [2, 18]'],
    [
      'a mask with batch first',
      {},
      { mask: { type: 'bool', dims: [3, 5] } },
      '.mask: shape, got [3, 5], expected [5, 3] (T × B)',
    ],
    ['a projection of another hidden size', {}, { projection: f32(2, 6, 5) }, '.projection: shape'],
    ['a projection to nothing', {}, { projection: f32(2, 0, 6) }, '.projection: width, got 0'],
    ['a projection without axes', {}, { projection: f32() }, '.projection: shape'],
    [
      'a projection that R does not know',
      {},
      { projection: f32(2, 3, 6) },
      '.R: shape, got [2, 24, 6], expected [2, 24, 3]',
    ],
    [
      'a GRU with a cell state',
      GRU,
      { ...GRU_INPUTS, initialC: f32(2, 3, 6) },
      '.initialC: input of a gru, got a value, expected none',
    ],
    ['a GRU with peepholes', GRU, { ...GRU_INPUTS, P: f32(2, 18) }, '.P: input of a gru'],
    [
      'a GRU with a projection',
      GRU,
      { ...GRU_INPUTS, projection: f32(2, 6, 6) },
      '.projection: input of a gru',
    ],
    [
      'a coupled GRU',
      { ...GRU, coupled: true },
      GRU_INPUTS,
      '.coupled: attribute, got [true], expected one of false',
    ],
    ['an LSTM with a reset gate', { resetAfter: true }, {}, '.resetAfter: attribute, got [true]'],
    [
      'an unknown cell',
      { cell: 'toString' },
      {},
      '.cell: attribute, got [toString], expected one of rnn, lstm, gru',
    ],
    [
      'an unknown direction',
      { direction: 'backward' },
      {},
      '.direction: attribute, got [backward]',
    ],
    ['no hidden size', { hidden: undefined }, {}, '.hidden: attribute'],
    [
      'hidden 0',
      { hidden: 0 },
      {},
      '.hidden: attribute, got [0], expected a whole number, 1 or more',
    ],
    ['half a unit', { hidden: 1.5 }, {}, '.hidden: attribute'],
    ['layout 2', { layout: 2 }, {}, '.layout: attribute, got [2], expected one of 0, 1'],
    [
      'activations of one direction',
      { activations: ['Sigmoid', 'Tanh', 'Tanh'] },
      {},
      '.activations: attribute',
    ],
    [
      'an unknown activation',
      { activations: ['Sigmoid', 'Tanh', 'Tanh', 'Sigmoid', 'constructor', 'Tanh'] },
      {},
      '.activations: attribute',
    ],
    [
      'alphas of one direction',
      { alphas: [1, 1, 1] },
      {},
      '.alphas: attribute, got [1,1,1], expected 6 numbers',
    ],
    ['betas that are no numbers', { betas: ['1', 1, 1, 1, 1, 1] }, {}, '.betas: attribute'],
    [
      'a negative clip',
      { clip: -1 },
      {},
      '.clip: attribute, got [-1], expected a number, 0 or more',
    ],
    ['an endless clip', { clip: Infinity }, {}, '.clip: attribute'],
    ['a masked output nobody knows', { maskedOutput: 'hold' }, {}, '.maskedOutput: attribute'],
  ])('refuses %s', (_, attributes, inputs, message) => {
    expect(() => infer(attributes, inputs)).toThrow(RnnError);
    expect(() => infer(attributes, inputs)).toThrow(`${PATH}${message}`);
  });

  it('refuses lengths that are negative or beyond T, as soon as they are known', () => {
    expect(infer({}, {}, ['Y'], [0, 5, 3])).toHaveLength(1);
    expect(() => infer({}, {}, ['Y'], [0, 6, 3])).toThrow(
      `${PATH}.lengths[1]: length, got 6, expected 0 to 5`,
    );
    expect(() => infer({}, {}, ['Y'], [0, 1, -1])).toThrow(`${PATH}.lengths[2]: length, got -1`);
    expect(() => infer({}, {}, ['Y'], [0, NaN, 1])).toThrow(`${PATH}.lengths[1]: length, got NaN`);
  });

  it('refuses Y_c of a GRU, and a fourth output', () => {
    expect(() => infer(GRU, GRU_INPUTS)).toThrow(
      `${PATH}.outputs[2]: number of outputs of Recurrent`,
    );
    expect(() => infer({}, {}, ['', '', '', 'more'])).toThrow(`${PATH}.outputs[3]`);
  });
});

describe('operatorOf', () => {
  it('names what is missing and what is there', () => {
    const node = { op: 'FooBar', name: 'foo', inputs: [], outputs: [], attributes: {} };
    const message =
      /^graph\.nodes\[3\]: operator of node 'foo' is not supported, got FooBar, expected one of Abs, .*If, /;
    expect(() => operatorOf(node, PATH)).toThrow(message);
    expect(() => operatorOf({ ...node, op: 'constructor' }, PATH)).toThrow(/got constructor/);
  });
});
