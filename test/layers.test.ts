// Graphs built in code: they compute what the equations say, and wrong weights are named.
import { describe, expect, it } from 'vitest';
import { RnnError, type RnnErrorCode } from '../src/errors.ts';
import type { Graph } from '../src/graph.ts';
import {
  bidirectional,
  dense,
  embedding,
  gru,
  input,
  lstm,
  rnn,
  sequential,
  type Layer,
  type RecurrentLayer,
} from '../src/layers.ts';
import { runReference } from '../src/reference.ts';
import { tensor, type Tensor } from '../src/tensor.ts';
import { expectClose } from './support/close.ts';
import { randomOf } from './support/random.ts';
import { SEED } from './support/settings.ts';

const random = randomOf(SEED);
const weights = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.7,
    ),
    dims,
  );
const run = (graph: Graph, X: Tensor) => runReference(graph, { X }).get('Y')!;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** Row `row` of a matrix times v. */
const dot = ({ data, dims }: Tensor<'float32'>, row: number, v: readonly number[]): number =>
  v.reduce((sum, x, k) => sum + x * data[row * dims.at(-1)! + k]!, 0);
const units = (count: number): number[] => [...Array(count).keys()];

const [I, H, T] = [3, 2, 4];
/** One row of a batch, step by step, by the equations of the ONNX specification. */
const EQUATIONS = {
  rnn: (W: Tensor<'float32'>, R: Tensor<'float32'>, B: Tensor<'float32'>, steps: number[][]) => {
    let h = [0, 0];
    return steps.map((x) => {
      h = units(H).map((j) => Math.tanh(dot(W, j, x) + dot(R, j, h) + B.data[j]! + B.data[H + j]!));
      return h;
    });
  },
  lstm: (W: Tensor<'float32'>, R: Tensor<'float32'>, B: Tensor<'float32'>, steps: number[][]) => {
    let [h, c] = [
      [0, 0],
      [0, 0],
    ];
    return steps.map((x) => {
      const gate = (g: number, j: number): number =>
        dot(W, g * H + j, x) +
        dot(R, g * H + j, h!) +
        B.data[g * H + j]! +
        B.data[(4 + g) * H + j]!;
      c = units(H).map(
        (j) => sigmoid(gate(2, j)) * c![j]! + sigmoid(gate(0, j)) * Math.tanh(gate(3, j)),
      );
      h = units(H).map((j) => sigmoid(gate(1, j)) * Math.tanh(c![j]!));
      return h;
    });
  },
  gru: (W: Tensor<'float32'>, R: Tensor<'float32'>, B: Tensor<'float32'>, steps: number[][]) => {
    let h = [0, 0];
    return steps.map((x) => {
      const from = (g: number, j: number): number => dot(W, g * H + j, x) + B.data[g * H + j]!;
      const back = (g: number, j: number): number =>
        dot(R, g * H + j, h) + B.data[(3 + g) * H + j]!;
      h = units(H).map((j) => {
        const z = sigmoid(from(0, j) + back(0, j));
        const r = sigmoid(from(1, j) + back(1, j));
        return (1 - z) * Math.tanh(from(2, j) + r * back(2, j)) + z * h[j]!;
      });
      return h;
    });
  },
};
const BUILDERS = { rnn, lstm, gru };
const GATES = { rnn: 1, lstm: 4, gru: 3 };
const KINDS = ['rnn', 'lstm', 'gru'] as const;

/** W, R and B of one direction. */
const parts = (kind: keyof typeof GATES, inputs = I) => {
  const rows = GATES[kind] * H;
  return { W: weights(rows, inputs), R: weights(rows, H), B: weights(2 * rows) };
};
const sequence = (batch: number, time: number, features: number): Tensor =>
  tensor(random.floats(batch * time * features), [batch, time, features]);

describe.each(KINDS)('%s', (kind) => {
  const build = BUILDERS[kind];

  it('computes its equations, batch first', () => {
    const { W, R, B } = parts(kind);
    const X = sequence(2, T, I);
    const Y = run(sequential([build({ W, R, B })]), X);
    expect(Y.dims).toEqual([2, T, H]);
    const rows = [0, 1].map((b) =>
      units(T).map((t) =>
        Array.from(X.data.slice((b * T + t) * I, (b * T + t + 1) * I) as Float32Array),
      ),
    );
    expectClose(Y.data, rows.flatMap((steps) => EQUATIONS[kind](W, R, B, steps)).flat(), {
      atol: 1e-12,
    });
  });

  it('takes weights with or without an axis of directions, as tensors or as numbers', () => {
    const { W, R, B } = parts(kind);
    const wide = (x: Tensor) => tensor(x.data as Float32Array, [1, ...x.dims]);
    const rows = ({ data, dims: [count = 0, width = 0] }: Tensor): number[][] =>
      units(count).map((i) => Array.from(data.slice(i * width, (i + 1) * width) as Float32Array));
    const X = sequence(1, T, I);
    const want = run(sequential([build({ W, R, B })]), X).data;
    expect(run(sequential([build({ W: wide(W), R: wide(R), B: wide(B) })]), X).data).toEqual(want);
    const numbers = { W: rows(W), R: rows(R), B: Array.from(B.data) };
    expect(run(sequential([build(numbers)]), X).data).toEqual(want);
  });

  it('gives its last output alone', () => {
    const layer = parts(kind);
    const X = sequence(2, T, I);
    const all = run(sequential([build(layer)]), X).data;
    const Y = run(sequential([build({ ...layer, returnSequences: false })]), X);
    expect(Y.dims).toEqual([2, H]);
    expect(Array.from(Y.data)).toEqual(
      [0, 1].flatMap((b) => Array.from(all.slice((b * T + T - 1) * H, (b + 1) * T * H))),
    );
  });

  it('in both directions is one layer each way, whichever way it is written', () => {
    const [f, b] = [parts(kind), parts(kind)];
    const X = sequence(2, T, I);
    const [yf, yb] = [
      run(sequential([build(f)]), X).data,
      run(sequential([build({ ...b, direction: 'reverse' })]), X).data,
    ];
    const both = bidirectional(build(f), build(b));
    const joined = units(2 * T).flatMap((k) => [
      ...yf.slice(k * H, (k + 1) * H),
      ...yb.slice(k * H, (k + 1) * H),
    ]);
    expectClose(run(sequential([both]), X).data, joined, { atol: 1e-12 });
    const stacked = (key: 'W' | 'R' | 'B') =>
      tensor(Float32Array.of(...f[key].data, ...b[key].data), [2, ...f[key].dims]);
    const options = {
      W: stacked('W'),
      R: stacked('R'),
      B: stacked('B'),
      direction: 'bidirectional',
    } as const;
    expectClose(run(sequential([build(options)]), X).data, joined, { atol: 1e-12 });
    const merged = { sum: 1, ave: 0.5 } as const;
    for (const [mode, factor] of Object.entries(merged)) {
      const Y = run(sequential([bidirectional(build(f), build(b), mode as 'sum')]), X);
      expectClose(
        Y.data,
        yf.map((y, i) => (y + yb[i]!) * factor),
        { atol: 1e-12 },
      );
    }
    const product = run(sequential([build({ ...options, merge: 'mul' })]), X);
    expectClose(
      product.data,
      yf.map((y, i) => y * yb[i]!),
      { atol: 1e-12 },
    );
  });

  it('time first computes the same', () => {
    for (const direction of ['forward', 'bidirectional'] as const) {
      for (const returnSequences of [true, false]) {
        const D = direction === 'forward' ? 1 : 2;
        const rows = GATES[kind] * H;
        const layer = build({
          W: weights(D, rows, I),
          R: weights(D, rows, H),
          direction,
          returnSequences,
        });
        const X = sequence(2, T, I);
        const turned = tensor(
          Float32Array.from({ length: T * 2 * I }, (_, k) => {
            const [t, b, i] = [Math.floor(k / (2 * I)), Math.floor(k / I) % 2, k % I];
            return X.data[(b * T + t) * I + i] as number;
          }),
          [T, 2, I],
        );
        const a = run(sequential([layer]), X);
        const b = run(sequential([layer], { layout: 0 }), turned);
        if (!returnSequences) expectClose(b.data, a.data, { atol: 1e-12 });
        else {
          expect(b.dims).toEqual([T, 2, D * H]);
          const width = D * H;
          const back = a.data.map((_, k) => {
            const [row, t, i] = [Math.floor(k / (T * width)), Math.floor(k / width) % T, k % width];
            return b.data[(t * 2 + row) * width + i]!;
          });
          expectClose(back, a.data, { atol: 1e-12 });
        }
      }
    }
  });
});

describe('options of a layer reach its node', () => {
  const attributes = (layer: RecurrentLayer) => sequential([layer]).nodes[0]!.attributes;

  it('activations, clip and gates', () => {
    expect(
      attributes(
        lstm({
          ...parts('lstm'),
          clip: 3,
          coupled: true,
          activations: ['hardsigmoid', 'RELU', 'tanh'],
        }),
      ),
    ).toMatchObject({
      activations: ['HardSigmoid', 'Relu', 'Tanh'],
      clip: 3,
      coupled: true,
      layout: 1,
    });
    expect(attributes(gru(parts('gru')))).toMatchObject({ resetAfter: true });
    expect(attributes(gru({ ...parts('gru'), resetAfter: false }))).toMatchObject({
      resetAfter: false,
    });
    expect(
      attributes(rnn({ ...parts('rnn'), activations: ['leakyrelu'], alphas: [0.2] })),
    ).toMatchObject({
      activations: ['LeakyRelu'],
      alphas: [0.2],
    });
  });

  it('peepholes and a projection', () => {
    const O = 1;
    const layer = lstm({
      W: weights(4 * H, I),
      R: weights(4 * H, O),
      P: weights(3 * H),
      projection: weights(O, H),
    });
    const graph = sequential([layer]);
    expect(graph.outputs[0]!.dims).toEqual(['batch', 'time', O]);
    expect(run(graph, sequence(2, T, I)).dims).toEqual([2, T, O]);
    expect(graph.nodes[0]!.inputs).toHaveLength(10);
  });
});

describe('sequential', () => {
  it('stacks an embedding, recurrent layers and a dense one', () => {
    const E = weights(5, I);
    const graph = sequential(
      [
        embedding({ weights: E }),
        lstm(parts('lstm')),
        gru({ ...parts('gru', H), returnSequences: false }),
        dense({ W: weights(3, H), b: weights(3), activation: 'softmax' }),
      ],
      { name: 'letters' },
    );
    expect(graph.name).toBe('letters');
    expect(graph.inputs).toEqual([{ name: 'X', type: 'int32', dims: ['batch', 'time'] }]);
    expect(graph.outputs).toEqual([{ name: 'Y', type: 'float32', dims: ['batch', 3] }]);
    expect(graph.nodes.filter(({ op }) => op === 'Recurrent').map(({ name }) => name)).toEqual([
      'lstm_0',
      'gru_0',
    ]);
    const Y = run(graph, tensor(Int32Array.of(0, 1, 4, 2, 2, 3), [2, 3]));
    expect(Y.dims).toEqual([2, 3]);
    expectClose(
      [0, 3].map((at) => Y.data.slice(at, at + 3).reduce((a, b) => a + b, 0)),
      [1, 1],
    );
  });

  it('dense multiplies rows of W with every step', () => {
    const [W, b] = [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [0.5, 0, -20],
    ];
    const X = tensor([1, 1, 0, 2], [1, 2, 2]);
    expect(Array.from(run(sequential([dense({ W, b })]), X).data)).toEqual([
      3.5, 7, -9, 4.5, 8, -8,
    ]);
    const relu = sequential([dense({ W, b, activation: 'Relu' })]);
    expect(Array.from(run(relu, X).data)).toEqual([3.5, 7, 0, 4.5, 8, 0]);
  });

  it('takes an input that says more than the first layer', () => {
    const graph = sequential([input({ features: I, layout: 0 }), rnn(parts('rnn'))]);
    expect(graph.inputs[0]!.dims).toEqual(['time', 'batch', I]);
    expect(graph.outputs[0]!.dims).toEqual(['time', 'batch', H]);
  });
});

describe('what does not fit is named', () => {
  const good = parts('lstm');
  const cases: Readonly<
    Record<string, readonly [() => readonly Layer[], RnnErrorCode, string, RegExp]>
  > = {
    'no layers': [() => [], 'INVALID_ARGUMENT', 'layers', /at least one/],
    'W of another number of gates': [
      () => [dense({ W: weights(I, 2) }), lstm({ ...good, W: weights(3 * H, I) })],
      'SHAPE_MISMATCH',
      'layers[1].W',
      /got shape \[1, 6, 3\], expected \[1, 8, 3\] \(D × 4·H × I\)/,
    ],
    'R of another shape': [
      () => [lstm({ ...good, R: weights(7, H) })],
      'SHAPE_MISMATCH',
      'layers[0].R',
      /4·H, H/,
    ],
    'B of another length': [
      () => [lstm({ ...good, B: weights(8) })],
      'SHAPE_MISMATCH',
      'layers[0].B',
      /expected \[1, 16\]/,
    ],
    'weights of one direction for two': [
      () => [lstm({ ...good, direction: 'bidirectional' })],
      'SHAPE_MISMATCH',
      'layers[0].R',
      /expected \[2, 8, 2\]/,
    ],
    'an input of another width': [
      () => [input({ features: 5 }), lstm(good)],
      'SHAPE_MISMATCH',
      'layers[1].W',
      /\[batch, time, 5\], expected float32 with 3 features/,
    ],
    'a recurrent layer behind a single step': [
      () => [lstm({ ...good, returnSequences: false }), rnn(parts('rnn', H))],
      'SHAPE_MISMATCH',
      'layers[1]',
      /3 axes/,
    ],
    'an embedding in the middle': [
      () => [rnn(parts('rnn')), embedding({ weights: weights(4, 2) })],
      'SHAPE_MISMATCH',
      'layers[1]',
      /ids, as first layer/,
    ],
    'ragged numbers': [
      () => [dense({ W: [[1, 2], [3]] })],
      'INVALID_ARGUMENT',
      'layers[0].W',
      /different lengths/,
    ],
    'weights that are none': [
      () => [lstm({ ...good, W: undefined as never })],
      'INVALID_ARGUMENT',
      'layers[0].W',
      /a tensor, or numbers/,
    ],
    'integers for weights': [
      () => [dense({ W: tensor(new Int32Array(4), [2, 2]) })],
      'INVALID_ARGUMENT',
      'layers[0].W',
      /int32/,
    ],
    'an activation that is not known': [
      () => [gru({ ...parts('gru'), activations: ['sigmoid', 'blur'] })],
      'INVALID_ARGUMENT',
      'layers[0].activations[1]',
      /'?blur/,
    ],
    'too few activations': [
      () => [gru({ ...parts('gru'), activations: ['sigmoid'] })],
      'INVALID_ARGUMENT',
      'layers[0].activations',
      /got 1, expected 2/,
    ],
    'peepholes for a gru': [
      () => [gru({ ...parts('gru'), P: weights(6) } as never)],
      'INVALID_ARGUMENT',
      'layers[0].P',
      /none for a gru/,
    ],
    'a negative clip': [
      () => [rnn({ ...parts('rnn'), clip: -1 })],
      'INVALID_ARGUMENT',
      'layers[0].clip',
      /0 or more/,
    ],
    'two layers of one name': [
      () => [rnn({ ...parts('rnn'), name: 'a' }), dense({ W: weights(1, H), name: 'a' })],
      'INVALID_ARGUMENT',
      'layers[1].name',
      /name of its own/,
    ],
    'layouts that differ': [
      () => [rnn({ ...parts('rnn'), layout: 0 }), rnn({ ...parts('rnn', H), layout: 1 })],
      'INVALID_ARGUMENT',
      'layers[1].layout',
      /got 1, expected 0/,
    ],
    'directions of different kinds': [
      () => [bidirectional(rnn(parts('rnn')), gru(parts('gru')))],
      'INVALID_ARGUMENT',
      'bidirectional.backward',
      /got gru, expected rnn/,
    ],
    'directions of different sizes': [
      () => [bidirectional(rnn(parts('rnn')), rnn({ W: weights(3, I), R: weights(3, 3) }))],
      'SHAPE_MISMATCH',
      'bidirectional.backward.R',
      /expected \[1, 2, 2\]/,
    ],
  };

  it.for(Object.entries(cases))('%s', ([, [layers, code, path, message]]) => {
    let error: unknown;
    try {
      sequential(layers());
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).message).toMatch(message);
    expect(error).toMatchObject({ code, path });
  });
});
