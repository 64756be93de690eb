// Weights in the order of each framework, and in every form in which numbers come.
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import {
  bidirectional,
  conv1d,
  dense,
  functional,
  gru,
  input,
  lstm,
  multiHeadAttention,
  rnn,
  sequential,
  type Layer,
  type WeightOrder,
} from '../../src/layers.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { block, matrix, range, transpose, vector, weights, type Matrix } from './formulas.ts';

const [I, H] = [3, 2];
const X = weights(2, 4, I);
const run = (graph: Graph, x: Tensor = X) => runReference(graph, { X: x }).get('Y')!.data;
const stacked = (layer: Layer, x?: Tensor) => run(sequential([layer]), x);
const tensorOf = (rows: Matrix): Tensor => tensor(rows.flat(), [rows.length, rows[0]!.length]);

// Where each framework has the blocks of the graph: LSTM i o f c, GRU z r h.
// https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html: i f g o; GRU: r z n
// https://github.com/keras-team/keras/blob/master/keras/src/layers/rnn/lstm.py: i f c o; gru.py: z r h
const BLOCKS = {
  rnn: { pytorch: [0], keras: [0] },
  lstm: { pytorch: [0, 2, 3, 1], keras: [0, 2, 3, 1] },
  gru: { pytorch: [1, 0, 2], keras: [0, 1, 2] },
} as const;
const BUILDERS = { rnn, lstm, gru };

describe.each(['rnn', 'lstm', 'gru'] as const)('%s', (kind) => {
  const build = BUILDERS[kind];
  const G = BLOCKS[kind].pytorch.length;
  const [W, R] = [weights(G * H, I), weights(G * H, H)];
  const [input1, recurrent1] = [weights(G * H), weights(G * H)];
  const B = tensor([...vector(input1), ...vector(recurrent1)], [2 * G * H]);
  const reordered = (rows: Matrix, order: readonly number[]): Matrix =>
    order.flatMap((k) => [...block(rows, k, G)]);
  const columnsOf = (x: Tensor, order: readonly number[]): Matrix => reordered(matrix(x), order);
  const biasOf = (x: Tensor, order: readonly number[]): number[] =>
    reordered(
      vector(x).map((value) => [value]),
      order,
    ).flat();

  it("in PyTorch's order: weight_ih, weight_hh, [bias_ih, bias_hh]", () => {
    const order = BLOCKS[kind].pytorch;
    const layer = build({
      order: 'pytorch',
      W: tensorOf(columnsOf(W, order)),
      R: tensorOf(columnsOf(R, order)),
      B: [Float32Array.from(biasOf(input1, order)), tensor(biasOf(recurrent1, order))],
    });
    expect(stacked(layer)).toEqual(stacked(build({ W, R, B })));
  });

  it("in Keras' order: kernel, recurrent_kernel, bias", () => {
    const order = BLOCKS[kind].keras;
    const both = kind === 'gru';
    const layer = build({
      order: 'keras',
      W: tensorOf(transpose(columnsOf(W, order))),
      R: tensorOf(transpose(columnsOf(R, order))),
      B: both ? [biasOf(input1, order), biasOf(recurrent1, order)] : biasOf(input1, order),
    });
    const one = tensor([...vector(input1), ...range(G * H).map(() => 0)], [2 * G * H]);
    expect(stacked(layer)).toEqual(stacked(build({ W, R, B: both ? B : one })));
  });

  it('in two directions at once', () => {
    const [W2, R2, B2] = [weights(G * H, I), weights(G * H, H), weights(2 * G * H)];
    const pair = bidirectional(build({ W, R, B }), build({ W: W2, R: R2, B: B2 }));
    const order = BLOCKS[kind].pytorch;
    const halves = matrix(tensor(B2.data, [2, G * H])).map((half) => tensor(half));
    const layer = build({
      direction: 'bidirectional',
      order: 'pytorch',
      W: [W, W2].map((x) => tensorOf(columnsOf(x, order))),
      R: [R, R2].map((x) => tensorOf(columnsOf(x, order))),
      B: [
        [biasOf(input1, order), biasOf(recurrent1, order)],
        halves.map((half) => biasOf(half, order)),
      ],
    });
    expect(stacked(layer)).toEqual(stacked(pair));
  });

  it.each(['onnx', 'pytorch', 'keras'] as const)('as flat arrays, in the order of %s', (order) => {
    const axes =
      order === 'keras'
        ? [
            [I, G * H],
            [H, G * H],
          ]
        : [
            [G * H, I],
            [G * H, H],
          ];
    const [a, b] = axes as [number[], number[]];
    const bias = weights((order === 'keras' && kind !== 'gru' ? 1 : 2) * G * H);
    const flat = build({ order, W: W.data, R: Float64Array.from(R.data), B: bias.data });
    const shaped = build({
      order,
      W: tensor(W.data, a),
      R: tensor(R.data, b),
      B: tensor(bias.data, order === 'keras' && kind === 'gru' ? [2, G * H] : undefined),
    });
    expect(stacked(flat)).toEqual(stacked(shaped));
  });
});

it("the bias of Keras' GRU has one row where the reset gate scales h", () => {
  const [W, R, B] = [weights(3 * H, I), weights(3 * H, H), weights(3 * H)];
  const columns = (x: Tensor): Tensor => tensorOf(transpose(matrix(x)));
  const keras = { order: 'keras', W: columns(W), R: columns(R), B, resetAfter: false } as const;
  const wide = tensor([...vector(B), ...range(3 * H).map(() => 0)]);
  expect(stacked(gru(keras))).toEqual(stacked(gru({ W, R, B: wide, resetAfter: false })));
  expect(() => sequential([gru({ ...keras, resetAfter: true })])).toThrow(
    /layers\[0\]\.B.*got shape \[6\], expected \[1, 2, 6\]/,
  );
});

it('projections and peepholes are the same in every order', () => {
  const O = 1;
  const own = { W: weights(4 * H, I), R: weights(4 * H, O), P: weights(3 * H) };
  const projection = weights(O, H);
  const order = BLOCKS.lstm.pytorch;
  const rows = (x: Tensor): Tensor => tensorOf(order.flatMap((k) => [...block(matrix(x), k, 4)]));
  const other = { ...own, W: rows(own.W), R: rows(own.R), order: 'pytorch' } as const;
  expect(stacked(lstm({ ...other, projection }))).toEqual(stacked(lstm({ ...own, projection })));
});

describe('layers around', () => {
  it.each(['onnx', 'pytorch', 'keras'] as const)('dense, in the order of %s', (order) => {
    const [W, b] = [weights(5, I), weights(5)];
    const given = order === 'keras' ? tensorOf(transpose(matrix(W))) : W;
    const want = stacked(dense({ W, b }));
    expect(stacked(dense({ W: given, b, order }))).toEqual(want);
    expect(stacked(dense({ W: given.data as Float32Array, b: b.data, order }))).toEqual(want);
  });

  it('conv1d: [filters, channels, steps], in Keras [steps, channels, filters]', () => {
    const [K, O] = [3, 4];
    const W = weights(O, I, K);
    const turned = new Float32Array(W.data.length);
    for (const o of range(O))
      for (const i of range(I))
        for (const k of range(K)) turned[(k * I + i) * O + o] = W.data[(o * I + i) * K + k]!;
    const keras = conv1d({ W: tensor(turned, [K, I, O]), order: 'keras', padding: 'same' });
    expect(stacked(keras)).toEqual(stacked(conv1d({ W, padding: 'same' })));
  });

  it('multi-head attention: heads are an axis in Keras', () => {
    const [heads, width] = [2, 2];
    const [W, b] = [weights(heads * width, I), weights(heads * width)];
    const out = weights(3, heads * width);
    const turned = (x: Tensor) => tensorOf(transpose(matrix(x)));
    const build = (order: WeightOrder): Graph => {
      const is = order === 'keras';
      const one = is
        ? { W: tensor(turned(W).data, [I, heads, width]), b: tensor(b.data, [heads, width]) }
        : { W, b };
      const output = { W: is ? tensor(turned(out).data, [heads, width, 3]) : out };
      const x = input('X', ['batch', 'time', I]);
      const layer = multiHeadAttention({ heads, query: one, key: one, value: one, output, order });
      return functional({ outputs: { Y: layer(x) } });
    };
    expect(run(build('keras'))).toEqual(run(build('pytorch')));
  });
});

it('GRU with z swapped takes gates that are odd about one half, and refuses others', () => {
  const [W, R] = [weights(3 * H, I), weights(3 * H, H)];
  const options = { W, R, activations: ['hard_sigmoid', 'tanh'], alphas: [0.1, Number.NaN] };
  // 1 - f(x) = f(-x): swapped twice it is what it was.
  const negative = (x: Tensor): Tensor =>
    tensor(
      vector(x).map((value, i) => (i < x.data.length / 3 ? -value : value)),
      x.dims,
    );
  const swapped = gru({ ...options, W: negative(W), R: negative(R), updateGate: 'takesNew' });
  expectClose(stacked(swapped), stacked(gru(options)), { atol: 1e-12 });
  const relu = gru({ W, R, activations: ['relu', 'tanh'], updateGate: 'takesNew' });
  expect(() => sequential([relu])).toThrow(/activations\[0\].*got relu, expected one with 1 - f/);
  const other = lstm({ W: weights(8, I), R: weights(8, H), updateGate: 'takesNew' } as never);
  expect(() => sequential([other])).toThrow(/updateGate.*none for a lstm/);
});
