// The equations of textbooks, one after the other: each is built in code and equals its formula, written out in
// float64 here, on every backend.
import { describe, it } from 'vitest';
import {
  add,
  attention,
  bidirectional,
  concat,
  dense,
  functional,
  gru,
  input,
  lstm,
  multiHeadAttention,
  residual,
  rnn,
  sequential,
} from '../../src/layers.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import {
  block,
  cube,
  dot,
  expectFormula,
  matrix,
  plus,
  product,
  range,
  scaled,
  scan,
  sigmoids,
  softmaxOf,
  tanh,
  times,
  transpose,
  vector,
  weights,
  zeros,
  type Matrix,
  type Vector,
} from './formulas.ts';

const [I, H, T] = [3, 4, 5];
const X = weights(2, T, I);
const rows = cube(X);

interface Parts {
  readonly W: Tensor<'float32'>;
  readonly R: Tensor<'float32'>;
  readonly B: Tensor<'float32'>;
}
/** Weights of `gates` gates, in the order that the formula says. */
const parts = (gates: number, inputs = I): Parts => ({
  W: weights(gates * H, inputs),
  R: weights(gates * H, H),
  B: weights(2 * gates * H),
});
/** W·x + R·h + b of gate `g`. */
const gate = ({ W, R, B }: Parts, g: number, x: Vector, h: Vector): number[] => {
  const G = W.dims[0]! / H;
  const biases = vector(B);
  return plus(
    times(block(matrix(W), g, G), x),
    times(block(matrix(R), g, G), h),
    biases.slice(g * H, (g + 1) * H),
    biases.slice((G + g) * H, (G + g + 1) * H),
  );
};
const rnnOf = (p: Parts, steps: Matrix, h0: Vector = zeros(H)): Matrix =>
  scan(steps, [...h0], (x, h) => tanh(gate(p, 0, x, h)));
/** i, o, f, c in blocks of this order. */
const lstmOf = (p: Parts, steps: Matrix): Matrix =>
  scan(steps, { h: zeros(H), c: zeros(H) }, (x, { h, c }) => {
    const open = (g: number): Vector => sigmoids(gate(p, g, x, h));
    const [i, o, f] = [open(0), open(1), open(2)];
    const candidate = tanh(gate(p, 3, x, h));
    const next = plus(product(f, c), product(i, candidate));
    return { h: product(o, tanh(next)), c: next };
  }).map(({ h }) => h);
/** z, r, h in blocks of this order; z keeps the old state. */
const gruOf = (
  p: Parts,
  steps: Matrix,
  { resetAfter = true, takesNew = false, h0 = zeros(H) } = {},
): Matrix =>
  scan(steps, [...h0], (x, h) => {
    const [z, r] = [sigmoids(gate(p, 0, x, h)), sigmoids(gate(p, 1, x, h))];
    const biases = vector(p.B);
    const own = plus(times(block(matrix(p.W), 2, 3), x), biases.slice(2 * H, 3 * H));
    const [R, b] = [block(matrix(p.R), 2, 3), biases.slice(5 * H)];
    const n = resetAfter
      ? tanh(plus(own, product(r, plus(times(R, h), b))))
      : tanh(plus(own, times(R, product(r, h)), b));
    const [old, fresh] = takesNew ? [z.map((v) => 1 - v), z] : [z, z.map((v) => 1 - v)];
    return plus(product(old, h), product(fresh, n));
  });
const affine = (W: Tensor, b: Tensor, x: Vector): number[] => plus(times(matrix(W), x), vector(b));

describe('recurrent networks', () => {
  it('RNN with softmax output: h = tanh(W·x + U·h + b), y = softmax(V·h + c)', async () => {
    const p = parts(1);
    const [V, c] = [weights(3, H), weights(3)];
    const graph = sequential([rnn(p), dense({ W: V, b: c, activation: 'softmax' })]);
    const Y = rows.map((steps) => rnnOf(p, steps).map((h) => softmaxOf(affine(V, c, h))));
    await expectFormula(graph, { X }, { Y });
  });

  it('LSTM: gates i, f, o, cell c = f∘c + i∘tanh(…), h = o∘tanh(c)', async () => {
    const p = parts(4);
    await expectFormula(sequential([lstm(p)]), { X }, { Y: rows.map((steps) => lstmOf(p, steps)) });
  });

  it('GRU, reset after the product: n = tanh(W·x + r∘(R·h + b))', async () => {
    const p = parts(3);
    await expectFormula(sequential([gru(p)]), { X }, { Y: rows.map((steps) => gruOf(p, steps)) });
  });

  it('GRU, reset before the product: n = tanh(W·x + R·(r∘h) + b)', async () => {
    const p = parts(3);
    const Y = rows.map((steps) => gruOf(p, steps, { resetAfter: false }));
    await expectFormula(sequential([gru({ ...p, resetAfter: false })]), { X }, { Y });
  });

  it.each([true, false])(
    'GRU with z swapped: h = (1 - z)∘h + z∘n (reset after: %s)',
    async (resetAfter) => {
      const p = parts(3);
      const Y = rows.map((steps) => gruOf(p, steps, { resetAfter, takesNew: true }));
      const graph = sequential([gru({ ...p, resetAfter, updateGate: 'takesNew' })]);
      await expectFormula(graph, { X }, { Y }, resetAfter ? ['wasm', 'webgpu'] : ['wasm']);
    },
  );

  it('bidirectional: [h forward; h backward], sum, product and mean, and both by themselves', async () => {
    const [f, b] = [parts(4), parts(4)];
    const x = input('X', ['batch', 'time', I]);
    const [forward, backward] = bidirectional(lstm(f), lstm(b), 'none')(x);
    const merged = (mode: 'concat' | 'sum' | 'mul' | 'ave') =>
      bidirectional(lstm(f), lstm(b), mode)(x);
    const outputs = {
      forward,
      backward,
      concat: merged('concat'),
      sum: merged('sum'),
      mul: merged('mul'),
      ave: merged('ave'),
    };
    const F = rows.map((steps) => lstmOf(f, steps));
    const B = rows.map((steps) => lstmOf(b, steps.toReversed()).toReversed());
    const both = (join: (f: Vector, b: Vector) => Vector): readonly Matrix[] =>
      F.map((steps, r) => steps.map((h, t) => join(h, B[r]![t]!)));
    await expectFormula(
      functional({ outputs }),
      { X },
      {
        forward: F,
        backward: B,
        concat: both((h, g) => [...h, ...g]),
        sum: both((h, g) => plus(h, g)),
        mul: both(product),
        ave: both((h, g) => scaled(plus(h, g), 0.5)),
      },
    );
  });

  it('deep with residual: h² = h¹ + LSTM(h¹)', async () => {
    const [first, second] = [parts(4), parts(4, H)];
    const graph = sequential([lstm(first), residual(lstm(second))]);
    const Y = rows.map((steps) => {
      const h = lstmOf(first, steps);
      return lstmOf(second, h).map((g, t) => plus(g, h[t]!));
    });
    await expectFormula(graph, { X }, { Y });
  });

  it('mixed: an LSTM, a GRU on it, and a dense layer on its last state', async () => {
    const [first, second] = [parts(4), parts(3, H)];
    const [V, c] = [weights(2, H), weights(2)];
    const graph = sequential([
      lstm(first),
      gru({ ...second, returnSequences: false }),
      dense({ W: V, b: c, activation: 'tanh' }),
    ]);
    const Y = rows.map((steps) => tanh(affine(V, c, gruOf(second, lstmOf(first, steps)).at(-1)!)));
    await expectFormula(graph, { X }, { Y });
  });
});

describe('attention', () => {
  const [D, V, Tq, Tk, A] = [4, 3, 2, 5, 6];
  const feeds = { query: weights(2, Tq, D), value: weights(2, Tk, V), key: weights(2, Tk, D) };
  const inputs = {
    query: input('query', ['batch', 'q', D]),
    value: input('value', ['batch', 'k', V]),
    key: input('key', ['batch', 'k', D]),
  };
  const [queries, values, keys] = [cube(feeds.query), cube(feeds.value), cube(feeds.key)];
  /** Weights and means by a score, over the keys that a query may see. */
  const attended = (
    score: (q: Vector, k: Vector) => number,
    sees: (row: number, q: number, k: number) => boolean = () => true,
  ) => {
    const shares = queries.map((row, b) =>
      row.map((q, i) => {
        const open = range(Tk).filter((j) => sees(b, i, j));
        const soft = softmaxOf(open.map((j) => score(q, keys[b]![j]!)));
        return range(Tk).map((j) => (open.includes(j) ? soft[open.indexOf(j)]! : 0));
      }),
    );
    const y = shares.map((row, b) => row.map((w) => times(transpose(values[b]!), w)));
    return { y, weights: shares };
  };
  const root = (q: Vector, k: Vector): number => dot(q, k) / Math.sqrt(D);

  it('dot: score = q·k', async () => {
    const outputs = attention({ score: 'dot' }).withWeights(inputs);
    await expectFormula(functional({ outputs }), feeds, attended(dot));
  });

  it('scaled dot: score = q·k / √D', async () => {
    const outputs = attention().withWeights(inputs);
    await expectFormula(functional({ outputs }), feeds, attended(root), ['wasm']);
  });

  it('Luong general: score = qᵀ·W·k', async () => {
    const W = weights(D, D);
    const outputs = attention({ score: 'general', W }).withWeights(inputs);
    const want = attended((q, k) => dot(q, times(matrix(W), k)));
    await expectFormula(functional({ outputs }), feeds, want);
  });

  it('Luong concat: score = v·tanh(W·[q; k])', async () => {
    const [W, v] = [weights(A, 2 * D), weights(A)];
    const outputs = attention({ score: 'concat', W, v }).withWeights(inputs);
    const want = attended((q, k) => dot(vector(v), tanh(times(matrix(W), [...q, ...k]))));
    await expectFormula(functional({ outputs }), feeds, want);
  });

  it('Bahdanau additive: score = v·tanh(Wq·q + Wk·k + b)', async () => {
    const [Wq, Wk, b, v] = [weights(A, D), weights(A, D), weights(A), weights(A)];
    const outputs = attention({ score: 'additive', Wq, Wk, b, v }).withWeights(inputs);
    const want = attended((q, k) =>
      dot(vector(v), tanh(plus(times(matrix(Wq), q), times(matrix(Wk), k), vector(b)))),
    );
    await expectFormula(functional({ outputs }), feeds, want);
  });

  it('with padding: keys behind the length of a row, or masked, have no weight', async () => {
    const [count, live] = [
      [2, 5],
      [1, 1, 0, 1, 1, 0, 1, 1, 1, 0],
    ];
    const lengths = tensor(Int32Array.from(count), [2]);
    const mask = tensor(Uint8Array.from(live), [2, Tk], 'bool');
    const steps = input('lengths', ['batch'], 'int32');
    const counts = input('mask', ['batch', 'k'], 'bool');
    const byLength = attention().withWeights({ ...inputs, lengths: steps });
    const byMask = attention().withWeights({ ...inputs, mask: counts });
    const outputs = {
      a: byLength.y,
      aWeights: byLength.weights,
      b: byMask.y,
      bWeights: byMask.weights,
    };
    const a = attended(root, (row, _, k) => k < count[row]!);
    const b = attended(root, (row, _, k) => live[row * Tk + k] === 1);
    await expectFormula(
      functional({ outputs }),
      { ...feeds, lengths, mask },
      {
        a: a.y,
        aWeights: a.weights,
        b: b.y,
        bWeights: b.weights,
      },
    );
  });

  it('causal: query i looks at keys 0 to i', async () => {
    const outputs = attention({ causal: true }).withWeights(inputs);
    const want = attended(root, (_, q, k) => k <= q);
    await expectFormula(functional({ outputs }), feeds, want);
  });

  it('multi-head: each head on its part of the projections, joined by the output projection', async () => {
    const [heads, width, O] = [2, 3, 5];
    const all = heads * width;
    const projection = (outputs: number, from: number) => ({
      W: weights(outputs, from),
      b: weights(outputs),
    });
    const [query, key, value] = [projection(all, D), projection(all, D), projection(all, V)];
    const output = projection(O, all);
    const layer = multiHeadAttention({ heads, query, key, value, output });
    const outputs = layer.withWeights(inputs);
    const of = (x: Matrix, { W, b }: typeof query): Matrix => x.map((step) => affine(W, b, step));
    const part = (x: Matrix, head: number): Matrix =>
      x.map((step) => step.slice(head * width, (head + 1) * width));
    const rowsOf = queries.map((_, b) => {
      const [q, k, v] = [of(queries[b]!, query), of(keys[b]!, key), of(values[b]!, value)];
      const shares = range(heads).map((head) =>
        part(q, head).map((each) =>
          softmaxOf(part(k, head).map((other) => dot(each, other) / Math.sqrt(width))),
        ),
      );
      const joined = range(Tq).map((i) =>
        range(heads).flatMap((head) => times(transpose(part(v, head)), shares[head]![i]!)),
      );
      return { y: of(joined, output), shares };
    });
    await expectFormula(functional({ outputs }), feeds, {
      y: rowsOf.map(({ y }) => y),
      weights: rowsOf.map(({ shares }) => shares),
    });
  });
});

describe('encoder-decoder', () => {
  it('with attention: s = GRU(y, h), c = Σ a·h, o = softmax(V·tanh(C·[c; s]))', async () => {
    const [encoder, decoder] = [parts(3), parts(3, 2)];
    const [C, bC, V, bV] = [weights(H, 2 * H), weights(H), weights(3, H), weights(3)];
    const source = input('source', ['batch', 'from', I]);
    const target = input('target', ['batch', 'to', 2]);
    const lengths = input('lengths', ['batch'], 'int32');
    const { y: encoded, states } = gru(encoder).withStates(source, { lengths });
    const decoded = gru(decoder)(target, { initialState: states });
    const context = attention({ score: 'dot' })({ query: decoded, value: encoded, lengths });
    const h = dense({ W: C, b: bC, activation: 'tanh' })(concat([context, decoded]));
    const y = dense({ W: V, b: bV, activation: 'softmax' })(h);
    const graph = functional({ inputs: [source, target, lengths], outputs: { y } });
    const Y = weights(2, 3, 2);
    const counts = [T, 3];
    const want = rows.map((all, b) => {
      const hidden = gruOf(encoder, all.slice(0, counts[b]));
      return gruOf(decoder, cube(Y)[b]!, { h0: [...hidden.at(-1)!] }).map((s) => {
        const shares = softmaxOf(hidden.map((each) => dot(s, each)));
        const c = times(transpose(hidden), shares);
        return softmaxOf(affine(V, bV, tanh(affine(C, bC, [...c, ...s]))));
      });
    });
    const feeds = { source: X, target: Y, lengths: tensor(Int32Array.from(counts), [2]) };
    await expectFormula(graph, feeds, { y: want });
  });

  it('a sum of branches: y = LSTM(x) + RNN(x), with one layer on both', async () => {
    const [p, q] = [parts(4), parts(1)];
    const [V, c] = [weights(H, H), weights(H)];
    const x = input('X', ['batch', 'time', I]);
    const shared = dense({ W: V, b: c });
    const Y = rows.map((steps) => {
      const [a, b] = [lstmOf(p, steps), rnnOf(q, steps)];
      return a.map((h, t) => plus(affine(V, c, h), affine(V, c, b[t]!)));
    });
    const graph = functional({ outputs: { Y: add([shared(lstm(p)(x)), shared(rnn(q)(x))]) } });
    await expectFormula(graph, { X }, { Y }, ['wasm']);
  });
});
