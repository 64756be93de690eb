// Graphs of layers that are no stack: shapes are inferred, layers shared, and what does not fit is named.
import { describe, expect, it } from 'vitest';
import { RnnError, type RnnErrorCode } from '../../src/errors.ts';
import type { Graph } from '../../src/graph.ts';
import {
  activation,
  add,
  attention,
  batchNorm,
  bidirectional,
  concat,
  conv1d,
  dense,
  dropout,
  embedding,
  functional,
  gru,
  input,
  layerNorm,
  lstm,
  multiHeadAttention,
  pool,
  residual,
  rnn,
  sequential,
  softmax,
  stack,
  timeDistributed,
  type Layer,
} from '../../src/layers.ts';
import { loadModel } from '../../src/load-model.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { cube, dot, matrix, range, transpose, vector, weights, type Matrix } from './formulas.ts';

const [I, H, T] = [3, 2, 6];
const x = input('x', ['batch', 'time', I]);
const X = weights(2, T, I);
const rows = cube(X);
const parts = (gates: number, inputs = I) => ({
  W: weights(gates * H, inputs),
  R: weights(gates * H, H),
});
const value = (graph: Graph, feeds: Record<string, Tensor>, name = 'y') =>
  runReference(graph, feeds).get(name)!;
const applied = (layer: Layer) => value(functional({ outputs: { y: layer(x) } }), { x: X });

describe('a graph', () => {
  it('calls nodes after layers in the order in which they were applied, and has shared weights once', () => {
    const shared = dense({ W: weights(H, I) });
    const [a, b] = [shared(x), shared(x)];
    const y = lstm(parts(4, H))(add([a, b]));
    const z = lstm({ ...parts(4, H), name: 'last' })(a);
    const graph = functional({ inputs: [x], outputs: { y, z }, name: 'two' });
    expect(graph.name).toBe('two');
    expect(graph.nodes.filter(({ op }) => op !== 'Squeeze').map(({ name }) => name)).toEqual([
      'dense_0',
      'dense_0_1',
      'add_0',
      'lstm_0',
      'last',
    ]);
    expect([...graph.constants.keys()].filter((name) => name.startsWith('dense'))).toHaveLength(1);
    expect(graph.outputs).toEqual([
      { name: 'y', type: 'float32', dims: ['batch', 'time', H] },
      { name: 'z', type: 'float32', dims: ['batch', 'time', H] },
    ]);
  });

  it('has the inputs that its outputs need, or those that are listed', () => {
    const other = input('other', ['batch', 'time', I]);
    const y = rnn(parts(1))(x);
    expect(functional({ outputs: { y } }).inputs.map(({ name }) => name)).toEqual(['x']);
    const both = functional({ inputs: [other, x], outputs: { y, same: other } });
    expect(both.inputs.map(({ name }) => name)).toEqual(['other', 'x']);
    expect(value(both, { x: X, other: X }, 'same').data).toEqual(Float64Array.from(X.data));
  });

  it('leaves out what no output needs', () => {
    const { y, states } = lstm(parts(4)).withStates(x);
    const nodes = functional({ outputs: { y } }).nodes;
    expect(nodes.map(({ op }) => op)).toEqual(['Recurrent', 'Squeeze']);
    expect(nodes[0]!.outputs.slice(1)).toEqual(['', '']);
    const last = functional({ outputs: { c: states[1]! } });
    expect(last.nodes[0]!.outputs.map((name) => name !== '')).toEqual([false, false, true]);
  });

  it('a step with its states equals the sequence, in both directions too', () => {
    const layer = lstm(parts(4));
    const { y, states } = layer.withStates(x);
    const whole = functional({ outputs: { y, h: states[0]!, c: states[1]! } });
    const [h0, c0] = ['h0', 'c0'].map((name) => input(name, ['batch', H]));
    const next = layer.withStates(x, { initialState: [h0!, c0!] });
    const step = functional({
      outputs: { y: next.y, h: next.states[0]!, c: next.states[1]! },
    });
    const part = (from: number, to: number): Tensor =>
      tensor(rows.map((steps) => steps.slice(from, to)).flat(2), [2, to - from, I]);
    const first = runReference(whole, { x: part(0, 2) });
    const state = (name: string): Tensor =>
      tensor(Float32Array.from(first.get(name)!.data), [2, H]);
    const rest = runReference(step, { x: part(2, T), h0: state('h'), c0: state('c') });
    const all = runReference(whole, { x: X });
    expectClose(rest.get('c')!.data, all.get('c')!.data, { atol: 1e-6 });
    expectClose(rest.get('h')!.data, all.get('h')!.data, { atol: 1e-6 });
    const pair = bidirectional(gru(parts(3)), gru(parts(3)), 'none').withStates(x);
    const [forward, backward] = pair.y;
    const [hf, hb] = pair.states;
    const outputs = { forward, backward, hf: hf!, hb: hb! };
    const got = runReference(functional({ outputs }), { x: X });
    const at = (name: string, t: number): number[] =>
      cube(got.get(name) as unknown as Tensor).flatMap((steps) => [...steps[t]!]);
    expect([...got.get('hf')!.data]).toEqual(at('forward', T - 1));
    expect([...got.get('hb')!.data]).toEqual(at('backward', 0));
  });

  it('carries explicit states in a stream on the device', async () => {
    const [h0, frame] = [input('h0', ['batch', H]), input('frame', ['batch', 'time', I])];
    const { y, states } = gru(parts(3)).withStates(frame, { initialState: [h0] });
    const model = await loadModel(functional({ outputs: { y, h: states[0]! } }), {
      device: 'wasm',
    });
    const zeros = tensor(new Float32Array(2 * H), [2, H]);
    const whole = await model.run({ frame: X, h0: zeros });
    const stream = model.stream({ state: { h: 'h0' }, batch: 2 });
    let last: Tensor | undefined;
    for (const t of range(T)) {
      const step = tensor(rows.map((steps) => steps[t]!).flat(), [2, 1, I]);
      last = (await stream.step({ frame: step }))['y'];
    }
    const want = cube(whole['y']!).flatMap((steps) => [...steps[T - 1]!]);
    expectClose(last!.data as Float32Array, want);
    model.dispose();
  });

  it('skips masked steps and stops at the length of a row', () => {
    const mask = input('mask', ['batch', 'time'], 'bool');
    const lengths = input('lengths', ['batch'], 'int64');
    const layer = rnn({ ...parts(1), returnSequences: false });
    const outputs = { m: layer(x, { mask }), l: layer(x, { lengths }), y: layer(x) };
    const got = runReference(functional({ outputs }), {
      x: X,
      mask: tensor(
        Uint8Array.from(range(2 * T), (k) => Number(k % T < 4)),
        [2, T],
        'bool',
      ),
      lengths: tensor(BigInt64Array.of(4n, 4n), [2]),
    });
    expect(got.get('m')!.data).toEqual(got.get('l')!.data);
    expect(got.get('m')!.data).not.toEqual(got.get('y')!.data);
  });
});

describe('a layer computes', () => {
  const taps = (steps: Matrix, W: Tensor, at: (t: number, k: number) => number, count: number) =>
    range(count).map((t) =>
      cube(W).map((filter) =>
        range(W.dims[2]!).reduce((sum, k) => {
          const step = steps[at(t, k)];
          return (
            sum +
            (step
              ? dot(
                  step,
                  filter.map((row) => row[k]!),
                )
              : 0)
          );
        }, 0),
      ),
    );

  it.each([
    ['valid', 1, 1, T - 2, (t: number, k: number) => t + k],
    ['valid', 2, 1, 2, (t: number, k: number) => 2 * t + k],
    ['same', 1, 2, T, (t: number, k: number) => t + 2 * k - 2],
    ['same', 2, 1, T / 2, (t: number, k: number) => 2 * t + k],
    ['causal', 1, 2, T, (t: number, k: number) => t + 2 * k - 4],
    ['causal', 2, 1, T / 2, (t: number, k: number) => 2 * t + k - 2],
  ] as const)('conv1d, %s, stride %i, dilation %i', (padding, stride, dilation, count, at) => {
    const W = weights(4, I, 3);
    const got = applied(conv1d({ W, padding, stride, dilation }));
    expect(got.dims).toEqual([2, count, 4]);
    const want = rows.map((steps) => taps(steps, W, at, count));
    expectClose(got.data, want.flat(2), { atol: 1e-6 });
  });

  it('conv1d in groups, and time first', () => {
    const W = weights(6, 1, 2);
    const grouped = applied(conv1d({ W, groups: I, b: weights(6), activation: 'relu' }));
    expect(grouped.dims).toEqual([2, T - 1, 6]);
    const other = weights(4, I, 3);
    const turned = tensor(
      range(T)
        .flatMap((t) => rows.map((steps) => steps[t]!))
        .flat(),
      [T, 2, I],
    );
    const layers = [conv1d({ W: other, padding: 'causal' }), pool('max', { size: 2 })];
    const want = value(sequential(layers), { X }, 'Y');
    const got = value(sequential(layers, { layout: 0 }), { X: turned }, 'Y');
    expect(got.dims).toEqual([T / 2, 2, 4]);
    const back = range(T / 2).map((t) => matrix({ ...got, dims: [T, 4] } as never)[t * 2]!);
    expect(back).toEqual(cube(want as unknown as Tensor)[0]);
  });

  it('pool: windows, the whole sequence, and the last step', () => {
    const columns = rows.map((steps) => transpose(steps));
    const max = columns.flatMap((each) => each.map((column) => Math.max(...column)));
    expectClose(applied(pool('max')).data, max, { atol: 1e-12 });
    const mean = columns.flatMap((each) => each.map((c) => c.reduce((a, b) => a + b) / T));
    expectClose(applied(pool('average')).data, mean, { atol: 1e-12 });
    expect([...applied(pool('last')).data]).toEqual(rows.flatMap((steps) => [...steps[T - 1]!]));
    const pairs = rows.flatMap((steps) =>
      range(T / 2).flatMap((t) =>
        range(I).map((i) => (steps[2 * t]![i]! + steps[2 * t + 1]![i]!) / 2),
      ),
    );
    expectClose(applied(pool('average', { size: 2 })).data, pairs, { atol: 1e-12 });
  });

  it('layerNorm and batchNorm', () => {
    const [gamma, beta, mean] = [weights(I), weights(I), weights(I)];
    const variance = Float32Array.of(0.5, 1, 2);
    const each = rows.flat();
    const normed = each.flatMap((step) => {
      const m = step.reduce((a, b) => a + b) / I;
      const v = step.reduce((sum, a) => sum + (a - m) ** 2, 0) / I;
      return step.map((a, i) => ((a - m) / Math.sqrt(v + 1e-3)) * gamma.data[i]! + beta.data[i]!);
    });
    expectClose(applied(layerNorm({ gamma, beta, epsilon: 1e-3 })).data, normed, { atol: 1e-9 });
    const scaled = each.flatMap((step) =>
      step.map(
        (a, i) =>
          ((a - mean.data[i]!) / Math.sqrt(variance[i]! + 1e-5)) * gamma.data[i]! + beta.data[i]!,
      ),
    );
    const layer = batchNorm({ mean, variance, gamma, beta });
    expectClose(applied(layer).data, scaled, { atol: 1e-6 });
  });

  it('activations, softmax along an axis, and dropout, which is nothing', () => {
    const all = [...X.data];
    const by = (layer: Layer, f: (a: number) => number): void =>
      expectClose(applied(layer).data, all.map(f), { atol: 1e-7 });
    by(activation('leaky_relu', { alpha: 0.3 }), (a) => (a < 0 ? 0.3 * a : a));
    by(activation('hardSigmoid', { alpha: 0.25, beta: 0.5 }), (a) =>
      Math.min(1, Math.max(0, 0.25 * a + 0.5)),
    );
    by(activation('silu'), (a) => a / (1 + Math.exp(-a)));
    by(activation('linear'), (a) => a);
    by(activation('selu', { alpha: 2, beta: 0.5 }), (a) => 0.5 * (a <= 0 ? 2 * Math.expm1(a) : a));
    by(dropout(0.2), (a) => a);
    const shares = rows.flatMap((steps) => {
      const totals = transpose(steps).map((column) => column.reduce((s, a) => s + Math.exp(a), 0));
      return steps.flatMap((step) => step.map((a, i) => Math.exp(a) / totals[i]!));
    });
    expectClose(applied(softmax({ axis: 1 })).data, shares, { atol: 1e-12 });
  });

  it('a stack within a residual, and each step by itself', () => {
    const [W, V] = [weights(4, I), weights(I, 4)];
    const inner = [dense({ W, activation: 'tanh' }), dense({ W: V })];
    const got = applied(residual([layerNorm(), stack(inner)]));
    const plain = applied(stack([layerNorm(), ...inner]));
    expectClose(
      got.data,
      plain.data.map((a, i) => a + X.data[i]!),
      { atol: 1e-12 },
    );
    const image = input('x', ['batch', 'time', T, I]);
    const conv = conv1d({ W: weights(2, I, 3) });
    const y = timeDistributed(conv)(image);
    expect(y.dims).toEqual(['batch', 'time', T - 2, 2]);
    const frames = tensor([...X.data, ...X.data, ...X.data].slice(0, 3 * 2 * T * I), [2, 3, T, I]);
    const result = value(functional({ outputs: { y } }), { x: frames });
    const one = applied(conv).data;
    expect(result.dims).toEqual([2, 3, T - 2, 2]);
    expect([...result.data]).toEqual([...one, ...one, ...one]);
  });

  it('concat along time, embeddings of int64, and a query of one step', () => {
    const ids = input('ids', ['batch', 'n'], 'int64');
    const E = weights(5, I);
    const both = concat([embedding({ weights: E })(ids), x], { axis: 1 });
    expect(both.dims).toEqual(['batch', 'concat_axis1', I]);
    const h = pool('last')(both);
    const { y, weights: shares } = attention().withWeights({ query: h, value: both });
    expect([y.dims, shares.dims]).toEqual([
      ['batch', I],
      ['batch', 'concat_axis1'],
    ]);
    const feeds = { ids: tensor(BigInt64Array.of(0n, 4n, 2n, 1n), [2, 2]), x: X };
    const got = runReference(functional({ outputs: { both, y } }), feeds);
    expect(got.get('both')!.dims).toEqual([2, T + 2, I]);
    expect(Array.from(got.get('both')!.data.slice(0, I))).toEqual(vector(E).slice(0, I));
    expect(got.get('y')!.dims).toEqual([2, I]);
  });

  it('attention in a stack, in both layouts, with zeros where nothing may be seen', () => {
    const turned = tensor(
      range(T)
        .flatMap((t) => rows.map((steps) => steps[t]!))
        .flat(),
      [T, 2, I],
    );
    const layers = [input({ features: I }), attention({ causal: true })];
    const want = cube(value(sequential(layers), { X }, 'Y') as unknown as Tensor);
    const got = cube(
      value(sequential(layers, { layout: 0 }), { X: turned }, 'Y') as unknown as Tensor,
    );
    expect(got.map((step) => step[1])).toEqual([...want[1]!]);
    const lengths = input('lengths', ['batch'], 'int32');
    const y = attention()({ query: x, value: x, lengths });
    const feeds = { x: X, lengths: tensor(Int32Array.of(0, 2), [2]) };
    const [first, second] = cube(value(functional({ outputs: { y } }), feeds) as unknown as Tensor);
    expect(first!.flat()).toEqual(range(T * I).map(() => 0));
    expect(second!.flat().every((each) => each !== 0)).toBe(true);
  });
});

describe('what does not fit is named', () => {
  const y = rnn(parts(1))(x);
  const cases: Readonly<Record<string, readonly [() => unknown, RnnErrorCode, string, RegExp]>> = {
    'no outputs': [
      () => functional({ outputs: {} }),
      'INVALID_ARGUMENT',
      'functional.outputs',
      /none/,
    ],
    'an output that is a graph': [
      () => functional({ outputs: { y: sequential([rnn(parts(1))]) as never } }),
      'INVALID_ARGUMENT',
      'functional.outputs.y',
      /got object/,
    ],
    'an input that is missing': [
      () => functional({ inputs: [], outputs: { y } }),
      'INVALID_ARGUMENT',
      'functional.inputs',
      /without 'x'/,
    ],
    'an output for an input': [
      () => functional({ inputs: [y], outputs: { y } }),
      'INVALID_ARGUMENT',
      'functional.inputs[0]',
      /expected an input/,
    ],
    'an output called as an input': [
      () => functional({ outputs: { x: y } }),
      'INVALID_ARGUMENT',
      'functional.outputs.x',
      /name of its own/,
    ],
    'two layers of one name': [
      () => {
        const named = () => dense({ W: weights(2, H), name: 'a' });
        return functional({ outputs: { p: named()(y), q: named()(y) } });
      },
      'INVALID_ARGUMENT',
      'functional.a.name',
      /'a' again/,
    ],
    'an input of a size that is none': [
      () => input('x', ['batch', -1]),
      'INVALID_ARGUMENT',
      "input('x').dims",
      /sizes and names/,
    ],
    'an input of another width': [
      () => dense({ W: weights(2, 5), name: 'head' })(y),
      'SHAPE_MISMATCH',
      'head.W',
      /float32 \[batch, time, 2\], expected float32 with 5 features/,
    ],
    'a layer of a layer': [
      () => dense({ W: weights(2, 5) })(rnn(parts(1)) as never),
      'INVALID_ARGUMENT',
      'dense.inputs[0]',
      /got function, expected an input/,
    ],
    'states of another width': [
      () =>
        lstm(parts(4))(x, { initialState: [input('h', ['batch', 3]), input('c', ['batch', H])] }),
      'SHAPE_MISMATCH',
      'lstm.initialState[0]',
      /float32 \[batch, 3\], expected float32 \[batch, 2\]/,
    ],
    'too few states': [
      () => lstm(parts(4))(x, { initialState: [input('h', ['batch', H])] }),
      'INVALID_ARGUMENT',
      'lstm.initialState',
      /got 1, expected 2/,
    ],
    'lengths that are no integers': [
      () => gru(parts(3))(x, { lengths: input('n', ['batch']) }),
      'SHAPE_MISMATCH',
      'gru.lengths',
      /float32 \[batch\], expected integers/,
    ],
    'an output for each direction in a stack': [
      () => sequential([bidirectional(rnn(parts(1)), rnn(parts(1)), 'none') as never]),
      'INVALID_ARGUMENT',
      'layers[0].merge',
      /one output/,
    ],
    'an order that is none': [
      () => dense({ W: weights(2, H), order: 'caffe' as never })(y),
      'INVALID_ARGUMENT',
      'dense.order',
      /got caffe, expected one of onnx, pytorch, keras/,
    ],
    'a flat array that fits nothing': [
      () => lstm({ W: new Float32Array(24), R: new Float32Array(15) })(x),
      'SHAPE_MISMATCH',
      'lstm.R',
      /15 numbers/,
    ],
    'groups that do not divide': [
      () => conv1d({ W: weights(4, 1, 2), groups: 3 })(x),
      'INVALID_ARGUMENT',
      'conv1d.groups',
      /divisor of 4/,
    ],
    'a window longer than the sequence': [
      () => conv1d({ W: weights(4, I, 3) })(input('x', [1, 2, I])),
      'SHAPE_MISMATCH',
      'conv1d',
      /2 steps, expected at least 3/,
    ],
    'a residual that changes the shape': [
      () => residual(dense({ W: weights(1, I) }))(x),
      'SHAPE_MISMATCH',
      'residual',
      /\[batch, time, 1\] from its layers/,
    ],
    'a layer within another': [
      () => stack([rnn(parts(1)), dense({ W: weights(1, 9) })])(x),
      'SHAPE_MISMATCH',
      'stack.layers[1].W',
      /9 features/,
    ],
    'shapes that do not broadcast': [
      () => add([x, y]),
      'SHAPE_MISMATCH',
      'add',
      /\[batch, time, 3\] and \[batch, time, 2\]/,
    ],
    'one value to concatenate': [() => concat([x]), 'INVALID_ARGUMENT', 'concat', /got 1/],
    'an axis that is not there': [
      () => concat([x, x], { axis: 3 }),
      'INVALID_ARGUMENT',
      'concat.axis',
      /got 3/,
    ],
    'a query and a key of other widths': [
      () => attention()({ query: y, value: x }),
      'SHAPE_MISMATCH',
      'attention',
      /2 and a key of 3/,
    ],
    'a value of other length than the key': [
      () => attention()({ query: x, key: input('k', [1, 4, I]), value: input('v', [1, 5, I]) }),
      'SHAPE_MISMATCH',
      'attention.key',
      /4 steps, expected 5/,
    ],
    'heads that do not divide': [
      () => {
        const one = { W: weights(4, I) };
        return multiHeadAttention({ heads: 3, query: one, key: one, value: one })(x);
      },
      'INVALID_ARGUMENT',
      'multiHeadAttention.heads',
      /divisor of 4/,
    ],
    'a parameter that an activation has not': [
      () => activation('tanh', { alpha: 1 })(x),
      'INVALID_ARGUMENT',
      'activation.alpha',
      /none for tanh/,
    ],
    'a stack that begins with a layer of any width': [
      () => sequential([dropout(), rnn(parts(1))]),
      'INVALID_ARGUMENT',
      'layers[0]',
      /input\(\{ features \}\)/,
    ],
    'steps of a size that is free': [
      () => timeDistributed(dropout())(input('x', ['a', 'b', 'c'])),
      'SHAPE_MISMATCH',
      'timeDistributed',
      /sizes that are known/,
    ],
  };

  it.for(Object.entries(cases))('%s', ([, [build, code, path, message]]) => {
    let error: unknown;
    try {
      build();
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).message).toMatch(message);
    expect(error).toMatchObject({ code, path });
  });
});
