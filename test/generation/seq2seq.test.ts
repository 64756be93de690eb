// Encoder-decoder models: greedy, at random and by beam search, against searches written out in float64.
import { afterAll, describe, expect, test } from 'vitest';
import { loadModel, seq2seq, tensor } from '../../src/index.ts';
import type { DecodedSequence, Graph, LoadOptions, Model, Node, Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { randomOf } from '../support/random.ts';
import { failureOf } from '../support/small-lstm.ts';
import { logSoftmax } from './small-models.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['reference', { device: 'reference' }],
];
const [V, H] = [3, 4];
const [START, STOP] = [2, 0];

const random = randomOf(31);
const floats = (scale: number, ...dims: number[]): Tensor =>
  tensor(
    random.floats(
      dims.reduce((n, dim) => n * dim, 1),
      scale,
    ),
    dims,
  );
const ints = (...values: number[]): Tensor =>
  tensor(BigInt64Array.from(values, BigInt), [values.length]);
const node = (op: string, inputs: string[], outputs: string[], attributes = {}): Node => ({
  op,
  name: `${op} ${outputs.join()}`,
  inputs,
  outputs,
  attributes,
});
const gru = (inputs: string[], outputs: string[]): Node =>
  node('Recurrent', inputs, outputs, {
    cell: 'gru',
    direction: 'forward',
    hidden: H,
    layout: 0,
    activations: ['Sigmoid', 'Tanh'],
    alphas: [NaN, NaN],
    betas: [NaN, NaN],
    clip: 0,
    coupled: false,
    resetAfter: true,
    maskedOutput: 'zero',
  });

/** Source [B, S], lengths [B] → outputs of a GRU [B, S, H], its last state [1, B, H], and a mask [B, 1, S]. */
const ENCODER: Graph = {
  name: 'encoder',
  inputs: [
    { name: 'source', type: 'int64', dims: ['B', 'S'] },
    { name: 'lengths', type: 'int64', dims: ['B'] },
  ],
  outputs: [
    { name: 'memory', type: 'float32', dims: ['B', 'S', H] },
    { name: 'mask', type: 'bool', dims: ['B', 1, 'S'] },
    { name: 'hn', type: 'float32', dims: [1, 'B', H] },
  ],
  constants: new Map([
    ['E', floats(1, 6, H)],
    ['W', floats(1, 1, 3 * H, H)],
    ['R', floats(1, 1, 3 * H, H)],
    ['one', ints(1)],
    ['none', ints(0)],
  ]),
  nodes: [
    node('Gather', ['E', 'source'], ['rows'], { axis: 0 }),
    node('Transpose', ['rows'], ['steps'], { perm: [1, 0, 2] }),
    gru(['steps', 'W', 'R', '', 'lengths'], ['Y', 'hn']),
    node('Squeeze', ['Y', 'one'], ['timed']),
    node('Transpose', ['timed'], ['memory'], { perm: [1, 0, 2] }),
    // Sources have no 0, with which they are padded.
    node('Greater', ['source', 'none'], ['used']),
    node('Unsqueeze', ['used', 'one'], ['mask']),
  ],
};

/** Tokens [B, T] with state h0 → scores [B, T, V]; attends to `memory` at each step where there is one. */
const decoder = (attends: boolean, scale = 3): Graph => ({
  name: 'decoder',
  inputs: [
    { name: 'x', type: 'int64', dims: ['B', 'T'] },
    { name: 'h0', type: 'float32', dims: [1, 'B', H] },
    ...(attends
      ? ([
          { name: 'memory', type: 'float32', dims: ['B', 'S', H] },
          { name: 'mask', type: 'bool', dims: ['B', 1, 'S'] },
        ] as const)
      : []),
  ],
  outputs: [
    { name: 'scores', type: 'float32', dims: ['B', 'T', V] },
    { name: 'hn', type: 'float32', dims: [1, 'B', H] },
  ],
  constants: new Map([
    ['E', floats(1, V, H)],
    ['W', floats(1, 1, 3 * H, H)],
    ['R', floats(1, 1, 3 * H, H)],
    ['out', floats(scale, attends ? 2 * H : H, V)],
    ['one', ints(1)],
    ['low', tensor(Float32Array.of(-1e9), [])],
  ]),
  nodes: [
    node('Gather', ['E', 'x'], ['rows'], { axis: 0 }),
    node('Transpose', ['rows'], ['steps'], { perm: [1, 0, 2] }),
    gru(['steps', 'W', 'R', '', '', 'h0'], ['Y', 'hn']),
    node('Squeeze', ['Y', 'one'], ['timed']),
    node('Transpose', ['timed'], ['h'], { perm: [1, 0, 2] }),
    ...(attends
      ? [
          node('Transpose', ['memory'], ['keys'], { perm: [0, 2, 1] }),
          node('MatMul', ['h', 'keys'], ['dots']),
          node('Where', ['mask', 'dots', 'low'], ['shown']),
          node('Softmax', ['shown'], ['weights'], { axis: -1 }),
          node('MatMul', ['weights', 'memory'], ['context']),
          node('Concat', ['h', 'context'], ['features'], { axis: 2 }),
        ]
      : [node('Identity', ['h'], ['features'])]),
    node('MatMul', ['features', 'out'], ['scores']),
  ],
});

const CONNECT = {
  connect: { hn: 'h0', memory: 'memory', mask: 'mask' },
  stream: { state: { hn: 'h0' } },
  lengths: 'lengths',
  start: START,
  stop: STOP,
};
const SOURCES = [[1, 5, 2], [4], [3, 3, 1, 2, 5]];

const encoder = await loadModel(ENCODER, { device: 'reference' });
const graph = decoder(true);
const reference = await loadModel(graph, { device: 'reference' });
afterAll(() => [encoder, reference].forEach((model) => model.dispose()));

/** log P of each next token, of the decoder run on all tokens so far. */
type Next = (tokens: readonly number[]) => Promise<readonly number[]>;

async function nextOf(source: readonly number[]): Promise<Next> {
  const { memory, mask, hn } = await encoder.run({
    source: tensor(BigInt64Array.from(source, BigInt), [1, source.length]),
    lengths: ints(source.length),
  });
  const known = new Map<string, Promise<readonly number[]>>();
  const next: Next = async (tokens) => {
    const x = tensor(BigInt64Array.from([START, ...tokens], BigInt), [1, tokens.length + 1]);
    const { scores } = await reference.run({ x, h0: hn!, memory: memory!, mask: mask! });
    return logSoftmax(Array.from(scores!.data, Number).slice(-V));
  };
  return (tokens) => {
    const key = tokens.join();
    if (!known.has(key)) known.set(key, next(tokens));
    return known.get(key)!;
  };
}

interface Scored {
  readonly tokens: readonly number[];
  readonly logProb: number;
  readonly score: number;
}

/** GNMT's score of a sequence whose stop token, if it has one, is counted. */
const scored = (
  tokens: readonly number[],
  logProb: number,
  length: number,
  alpha: number,
): Scored => ({
  tokens,
  logProb,
  score: logProb / ((5 + length) ** alpha / (5 + 1) ** alpha),
});

/** Every sequence of at most `steps` tokens, best first. */
async function exhaustive(next: Next, steps: number, alpha: number): Promise<Scored[]> {
  const all: Scored[] = [];
  const visit = async (tokens: readonly number[], logProb: number): Promise<void> => {
    if (tokens.length === steps) {
      all.push(scored(tokens, logProb, steps, alpha));
      return;
    }
    for (const [token, p] of (await next(tokens)).entries()) {
      const sum = logProb + p;
      if (token === STOP) all.push(scored(tokens, sum, tokens.length + 1, alpha));
      else await visit([...tokens, token], sum);
    }
  };
  await visit([], 0);
  return all.toSorted((p, q) => q.score - p.score);
}

/** A beam search as the textbooks have it, without an early end. */
async function plainBeam(
  next: Next,
  width: number,
  steps: number,
  alpha: number,
): Promise<Scored[]> {
  let live = [{ tokens: [] as readonly number[], logProb: 0 }];
  const ended: Scored[] = [];
  for (let step = 1; step <= steps; step++) {
    const all: { tokens: readonly number[]; token: number; logProb: number }[] = [];
    for (const { tokens, logProb } of live) {
      (await next(tokens)).forEach((p, token) => all.push({ tokens, token, logProb: logProb + p }));
    }
    live = [];
    for (const { tokens, token, logProb } of all.toSorted((p, q) => q.logProb - p.logProb)) {
      if (live.length === width) break;
      if (token === STOP) ended.push(scored(tokens, logProb, step, alpha));
      else live.push({ tokens: [...tokens, token], logProb });
    }
  }
  for (const { tokens, logProb } of live) ended.push(scored(tokens, logProb, steps, alpha));
  return ended.toSorted((p, q) => q.score - p.score).slice(0, width);
}

/** Compares the hypotheses of a row. Logits of order 3 in float32: log P is good to 1e-5 a token. */
function expectSame(got: DecodedSequence, want: readonly Scored[], label: string): void {
  const all = [got, ...got.others];
  expect([label, all.map(({ tokens }) => tokens)]).toEqual([
    label,
    want.map(({ tokens }) => tokens),
  ]);
  all.forEach(({ logProb, score }, i) => {
    expect(logProb).toBeCloseTo(want[i]!.logProb, 4);
    expect(score).toBeCloseTo(want[i]!.score, 4);
  });
}

describe.each(BACKENDS)('attention over sources of different length on %s', (_, options) => {
  const using = async (work: (encode: Model, decode: Model) => Promise<void>): Promise<void> => {
    const [encode, decode] = [await loadModel(ENCODER, options), await loadModel(graph, options)];
    await work(encode, decode);
    encode.dispose();
    decode.dispose();
  };

  test('greedy is one hypothesis followed, in a batch as alone', () =>
    using(async (encode, decode) => {
      const pair = seq2seq(encode, decode, CONNECT);
      for (const lengthPenalty of [0, 1]) {
        const got = await pair.run(SOURCES, { maxSteps: 6, lengthPenalty });
        expect(got).toHaveLength(3);
        for (const [row, source] of SOURCES.entries()) {
          const want = await plainBeam(await nextOf(source), 1, 6, lengthPenalty);
          // Greedy ends where it stops; a beam of one goes on with the next best, and may find a better end.
          let tokens: number[] = [];
          const next = await nextOf(source);
          let logProb = 0;
          let length = 0;
          for (; length < 6;) {
            const p = await next(tokens);
            const best = p.indexOf(Math.max(...p));
            logProb += p[best]!;
            length++;
            if (best === STOP) break;
            tokens = [...tokens, best];
          }
          expect(want).toHaveLength(1);
          expectSame(got[row]!, [scored(tokens, logProb, length, lengthPenalty)], `row ${row}`);
        }
      }
    }));

  test('a beam is the search written out, and a wide one finds the best of all', () =>
    using(async (encode, decode) => {
      const pair = seq2seq(encode, decode, CONNECT);
      for (const [beams, maxSteps, lengthPenalty] of [
        [2, 5, 0],
        [3, 5, 0.6],
        [V ** 3, 3, 1],
      ] as const) {
        const got = await pair.run(SOURCES, { beams, maxSteps, lengthPenalty });
        for (const [row, source] of SOURCES.entries()) {
          const next = await nextOf(source);
          const label = `${beams} beams, row ${row}`;
          expectSame(got[row]!, await plainBeam(next, beams, maxSteps, lengthPenalty), label);
          const best = await exhaustive(next, maxSteps, lengthPenalty);
          if (beams >= V ** maxSteps) expectSame(got[row]!, best.slice(0, beams), label);
        }
      }
    }));

  test('at random the same seed gives the same sequences as on the reference', () =>
    using(async (encode, decode) => {
      const how = { temperature: 1.2, seed: 4, maxSteps: 12 };
      const got = await seq2seq(encode, decode, CONNECT).run(SOURCES, how);
      const want = await seq2seq(encoder, reference, CONNECT).run(SOURCES, how);
      expect(got.map(({ tokens }) => tokens)).toEqual(want.map(({ tokens }) => tokens));
      const other = await seq2seq(encode, decode, CONNECT).run(SOURCES, { ...how, seed: 5 });
      expect(other.map(({ tokens }) => tokens)).not.toEqual(got.map(({ tokens }) => tokens));
    }));
});

test('sources without lengths are read in groups of one length, and come back in order', async () => {
  // The encoder is told that every step counts.
  const all = { ...ENCODER, inputs: ENCODER.inputs.slice(0, 1) };
  const nodes = all.nodes.map((each) =>
    each.op === 'Recurrent' ? { ...each, inputs: each.inputs.slice(0, 3) } : each,
  );
  const whole = await loadModel({ ...all, nodes }, { device: 'wasm' });
  const { lengths: _, ...options } = CONNECT;
  const pair = seq2seq(whole, reference, options);
  const sources = [...SOURCES, [2, 2, 2], [5]];
  const got = await pair.run(sources, { beams: 2, maxSteps: 5, lengthPenalty: 0.6 });
  for (const [row, source] of sources.entries()) {
    expectSame(got[row]!, await plainBeam(await nextOf(source), 2, 5, 0.6), `row ${row}`);
  }
  // At random a row has the numbers of its place, whatever it is computed with.
  const how = { temperature: 1.2, seed: 8, maxSteps: 12 };
  const drawn = await seq2seq(encoder, reference, CONNECT).run(sources, how);
  const tokensOf = (list: readonly DecodedSequence[]) => list.map(({ tokens }) => tokens);
  expect(tokensOf(await pair.run(sources, how))).toEqual(tokensOf(drawn));
  const [one] = await pair.run(sources[0]!, { beams: 2, maxSteps: 5, lengthPenalty: 0.6 });
  expect(one).toEqual(got[0]);
  // The same as tensors.
  const source = tensor(BigInt64Array.from([...sources[0]!, ...sources[3]!], BigInt), [2, 3]);
  const both = await pair.run({ source }, { beams: 2, maxSteps: 5, lengthPenalty: 0.6 });
  expect(both.map(({ tokens }) => tokens)).toEqual([got[0]!.tokens, got[3]!.tokens]);
  whole.dispose();
});

describe('refused by name', () => {
  const cases: readonly [string, object, object, string, RegExp][] = [
    ['connect', { connect: { hx: 'h0' } }, {}, 'options.connect.hx', /memory, mask, hn/],
    ['connect to', { connect: { hn: 'h1' } }, {}, 'options.connect.hn', /'h1'.*x, h0, memory/],
    ['start', { start: -1 }, {}, 'options.start', /-1/],
    ['stop', { stop: 0.5 }, { beams: 2 }, 'options.stop', /0\.5/],
    ['unknown', { begin: 1 }, {}, 'options.begin', /unknown/],
    ['beams', {}, { beams: 0 }, 'options.beams', /got 0/],
    ['penalty', {}, { lengthPenalty: -1 }, 'options.lengthPenalty', /-1/],
    ['both', {}, { beams: 2, temperature: 1 }, 'options.temperature', /0 with beams/],
    ['top-k', {}, { beams: 2, topK: 3 }, 'options.topK', /with beams/],
    ['steps', {}, { beams: 2, maxSteps: 0 }, 'options.maxSteps', /got 0/],
    ['lengths', { lengths: 'sizes' }, {}, 'options.lengths', /sizes/],
    ['missing', { connect: { hn: 'h0' } }, {}, 'options.tokens', /3 candidates.*memory/],
    ['axis', { batchAxis: { h0: 0 } }, { beams: 2 }, 'options.batchAxis.h0', /3 rows/],
  ];
  test.each(cases)('%s', async (_name, options, decoding, path, what) => {
    const pair = seq2seq(encoder, reference, { ...CONNECT, ...options } as typeof CONNECT);
    const failure = await failureOf(() => pair.run(SOURCES, decoding));
    expect([failure.code, failure.path]).toEqual(['INVALID_ARGUMENT', path]);
    expect(failure.message).toMatch(what);
  });

  test('an abort', async () => {
    const pair = seq2seq(encoder, reference, CONNECT);
    const signal = AbortSignal.abort(new Error('no longer'));
    for (const beams of [1, 3]) {
      await expect(pair.run(SOURCES, { beams, signal })).rejects.toThrow('no longer');
    }
  });
});
