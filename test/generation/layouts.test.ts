// What models `generate` takes: every layout of tokens, scores and states; and what it refuses, by name.
import { afterAll, describe, expect, test } from 'vitest';
import { embedding, generate, gru, loadModel, sequential, tensor } from '../../src/index.ts';
import type { GenerateOptions, Graph, LoadOptions, Node, Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { failureOf } from '../support/small-lstm.ts';
import { chain, H, listOf, NO_STATE, tokenModel, V } from './small-models.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['reference', { device: 'reference' }],
];
const ALL = { prompt: [3, 1, 4], seed: 7, maxSteps: 12 } as const;

const textOf = async (
  graph: Graph,
  options: Partial<GenerateOptions> = {},
  load: LoadOptions = { device: 'reference' },
): Promise<unknown[]> => {
  const model = await loadModel(graph, load);
  try {
    return await listOf(generate(model, { ...ALL, ...options } as typeof ALL));
  } finally {
    model.dispose();
  }
};

const node = (op: string, inputs: string[], output: string, attributes = {}): Node => ({
  op,
  name: `${op} ${output}`,
  inputs,
  outputs: [output],
  attributes,
});

const ints = (...values: number[]): Tensor =>
  tensor(BigInt64Array.from(values, BigInt), [values.length]);

/** The small model with its state as inputs and outputs, for one step of tokens [B] and scores [B, V]. */
function stepModel(): Graph {
  const graph = tokenModel();
  const nodes = graph.nodes.map((each): Node => {
    if (each.op !== 'Recurrent') return each;
    const inputs = Array.from({ length: 7 }, (_, k) => each.inputs[k] ?? '');
    return {
      ...each,
      inputs: inputs.with(5, 'h').with(6, 'c'),
      outputs: [each.outputs[0]!, 'hn', 'cn'],
    };
  });
  const batched = ['h', 'c', 'hn', 'cn'].map(
    (name) => ({ name, type: 'float32', dims: ['B', 1, H] }) as const,
  );
  return {
    ...graph,
    inputs: [{ name: 'ids', type: 'int64', dims: ['B'] }, ...batched.slice(0, 2)],
    outputs: [{ name: 'scores', type: 'float32', dims: ['B', V] }, ...batched.slice(2)],
    constants: new Map([...graph.constants, ['one', ints(1)]]),
    nodes: [
      node('Unsqueeze', ['ids', 'one'], 'X'),
      ...nodes,
      node('Squeeze', ['Y', 'one'], 'scores'),
    ],
  };
}

/** The small model with its tokens as rows of zeros with a one. */
function oneHotModel(): Graph {
  const graph = tokenModel();
  const gather = graph.nodes.find(({ op }) => op === 'Gather')!;
  return {
    ...graph,
    inputs: [{ name: 'X', type: 'float32', dims: ['batch', 'time', V] }],
    nodes: graph.nodes.map((each) =>
      each === gather ? node('MatMul', ['X', gather.inputs[0]!], gather.outputs[0]!) : each,
    ),
  };
}

describe.each(BACKENDS)('on %s the text is the same', (_, load) => {
  const cases: readonly [string, Graph, Partial<GenerateOptions>][] = [
    ['time first', tokenModel(undefined, 0), {}],
    ['with a softmax at the end', tokenModel('softmax'), {}],
    ['with the logarithm of one', tokenModel('logSoftmax'), {}],
    [
      'with probabilities that are said to be some',
      tokenModel('softmax'),
      { scores: 'probabilities' },
    ],
    ['with rows of zeros with a one', oneHotModel(), {}],
    [
      'step by step, with its state as tensors',
      stepModel(),
      { stream: { state: { hn: 'h', cn: 'c' } } },
    ],
  ];
  test.each(cases)('%s', async (_name, graph, options) => {
    const want = await textOf(tokenModel());
    expect(await textOf(hideSoftmax(graph, options), options, load)).toEqual(want);
    const penalty = { ...options, repetitionPenalty: 1.4, temperature: 0 };
    if (graph.nodes.some(({ op }) => /Softmax/.test(op))) return; // it is of logits
    expect(await textOf(graph, penalty, load)).toEqual(
      await textOf(tokenModel(), { repetitionPenalty: 1.4, temperature: 0 }),
    );
    const batch = {
      ...options,
      prompt: [
        [3, 1, 4],
        [1, 5],
      ],
    };
    expect(await textOf(graph, batch, load)).toEqual(
      await textOf(tokenModel(), { prompt: batch.prompt }),
    );
  });
});

/** Where probabilities are said to be some, hides what makes them behind a product with 1. */
function hideSoftmax(graph: Graph, { scores }: Partial<GenerateOptions>): Graph {
  if (scores === undefined) return graph;
  const one = tensor(Float32Array.of(1), []);
  return {
    ...graph,
    constants: new Map([...graph.constants, ['factor', one]]),
    nodes: [
      ...graph.nodes.map((each) => ({
        ...each,
        outputs: each.outputs.map((name) => (name === 'Y' ? 'P' : name)),
      })),
      node('Mul', ['P', 'factor'], 'Y'),
    ],
  };
}

test('an initial state is fed once, and goes on', async () => {
  const model = await loadModel(stepModel(), { device });
  const state = { hn: 'h', cn: 'c' };
  const filled = (x: number): Tensor => tensor(new Float32Array(H).fill(x), [1, 1, H]);
  const feeds = { h: filled(0.7), c: filled(-0.9) };
  const got = await listOf(generate(model, { ...ALL, temperature: 0, feeds, stream: { state } }));
  const stream = model.stream({ state });
  const want: number[] = [];
  for (let at = 0, given = true; want.length < ALL.maxSteps; at++) {
    const token = at < 3 ? ALL.prompt[at]! : want.at(-1)!;
    const ids = tensor(BigInt64Array.of(BigInt(token)), [1]);
    const { scores } = await stream.step({ ids, ...(given && feeds) }, { outputs: ['scores'] });
    given = false;
    const row = Array.from(scores!.data, Number);
    if (at >= 2) want.push(row.indexOf(Math.max(...row)));
  }
  expect(got).toEqual(want);
  expect(got).not.toEqual(
    await listOf(generate(model, { ...ALL, temperature: 0, stream: { state } })),
  );
  model.dispose();
});

describe('refused by name', () => {
  const models = {
    tokens: tokenModel(),
    two: {
      ...tokenModel(),
      inputs: [...tokenModel().inputs, { name: 'other', type: 'float32', dims: ['batch'] }],
    } as Graph,
    state: stepModel(),
    vectors: sequential([
      embedding({ weights: [[1, 2]] }),
      gru({ W: zeros(6, 2), R: zeros(6, 2) }),
    ]),
  };
  const cases: readonly [keyof typeof models, Partial<GenerateOptions>, string, string, RegExp][] =
    [
      ['tokens', { prompt: [] }, 'INVALID_ARGUMENT', 'options.prompt', /no tokens/],
      ['tokens', { prompt: [[1], []] }, 'INVALID_ARGUMENT', 'options.prompt[1]', /no tokens/],
      ['tokens', { prompt: [1, -2] }, 'INVALID_ARGUMENT', 'options.prompt[1]', /-2/],
      ['tokens', { prompt: [1, 11] }, 'INVALID_ARGUMENT', 'feeds.X[1]', /got 11/],
      ['tokens', { prompt: 'text' as never }, 'INVALID_ARGUMENT', 'options.prompt', /'text'/],
      ['tokens', { temperature: -1 }, 'INVALID_ARGUMENT', 'options.temperature', /-1/],
      ['tokens', { temperature: NaN }, 'INVALID_ARGUMENT', 'options.temperature', /NaN/],
      ['tokens', { topK: 0 }, 'INVALID_ARGUMENT', 'options.topK', /got 0/],
      ['tokens', { topP: 1.2 }, 'INVALID_ARGUMENT', 'options.topP', /1\.2/],
      [
        'tokens',
        { repetitionPenalty: 0 },
        'INVALID_ARGUMENT',
        'options.repetitionPenalty',
        /got 0/,
      ],
      ['tokens', { seed: 0.5 }, 'INVALID_ARGUMENT', 'options.seed', /0\.5/],
      ['tokens', { stop: [1.5] }, 'INVALID_ARGUMENT', 'options.stop', /1\.5/],
      ['tokens', { maxSteps: 0 }, 'INVALID_ARGUMENT', 'options.maxSteps', /got 0/],
      ['tokens', { tokensPerSubmit: 0 }, 'INVALID_ARGUMENT', 'options.tokensPerSubmit', /got 0/],
      ['tokens', { scores: 'odds' as never }, 'INVALID_ARGUMENT', 'options.scores', /odds/],
      ['tokens', { temprature: 1 } as never, 'INVALID_ARGUMENT', 'options.temprature', /unknown/],
      ['tokens', { tokens: 'x' }, 'INVALID_ARGUMENT', 'options.tokens', /'x'.*X int32/],
      ['tokens', { logits: 'y' }, 'INVALID_ARGUMENT', 'options.logits', /'y'.*Y float32/],
      ['two', {}, 'INVALID_ARGUMENT', 'options.tokens', /2 candidates.*X int32.*other float32/],
      ['two', { tokens: 'X' }, 'INVALID_ARGUMENT', 'options.feeds.other', /got nothing/],
      ['state', {}, 'INVALID_ARGUMENT', 'options.tokens', /3 candidates.*ids int64/],
    ];
  test.each(cases)('%s with %o', async (kind, options, code, path, what) => {
    const failure = await failureOf(() => textOf(models[kind], options));
    expect([failure.code, failure.path]).toEqual([code, path]);
    expect(failure.message).toMatch(what);
  });

  test('what is no model, and a model that has been disposed of', async () => {
    const model = await loadModel(tokenModel(), { device });
    const no = await failureOf(() => listOf(generate({} as never, ALL)));
    expect([no.code, no.path]).toEqual(['INVALID_ARGUMENT', 'model']);
    const tokens = generate(model, ALL);
    expect((await tokens.next()).done).toBe(false);
    model.dispose();
    const gone = await failureOf(() => listOf(tokens));
    expect(gone.code).toBe('DISPOSED');
    expect((await failureOf(() => listOf(generate(model, ALL)))).code).toBe('DISPOSED');
  });

  test.each(BACKENDS)('scores that are NaN, on %s', async (_, load) => {
    // Token 2 is followed by NaN, and comes after 1, which comes after 0.
    const table = tensor(Float32Array.of(0, 9, 0, 0, 0, 9, 0, NaN, 0), [3, 3]);
    const model = await loadModel(chain(table), load);
    for (const temperature of [0, 1e-3]) {
      const got: number[] = [];
      const failure = await failureOf(async () => {
        for await (const token of generate(model, {
          ...ALL,
          ...NO_STATE,
          prompt: [0],
          temperature,
        }))
          got.push(token);
      });
      expect([failure.code, failure.path]).toEqual(['INVALID_MODEL', 'outputs']);
      expect(failure.message).toMatch(/step 2, got NaN/);
      expect(got.length).toBeLessThanOrEqual(2);
    }
    model.dispose();
  });
});

describe.each(BACKENDS)('an abort on %s', (_, load) => {
  test('ends the iteration with its reason, and the model goes on', async () => {
    const model = await loadModel(tokenModel(), load);
    const want = await listOf(generate(model, ALL));
    const before = AbortSignal.abort(new Error('before'));
    await expect(listOf(generate(model, { ...ALL, signal: before }))).rejects.toThrow('before');
    const controller = new AbortController();
    const got: number[] = [];
    const { maxSteps: _max, ...endless } = ALL;
    const aborted = (async () => {
      for await (const token of generate(model, { ...endless, signal: controller.signal })) {
        got.push(token);
        if (got.length === 5) controller.abort(new Error('enough'));
      }
    })();
    await expect(aborted).rejects.toThrow('enough');
    expect(got.slice(0, 12)).toEqual(want.slice(0, got.length));
    expect(await listOf(generate(model, ALL))).toEqual(want);
    model.dispose();
  });
});

function zeros(...dims: [number, number]): number[][] {
  return Array.from({ length: dims[0] }, () => Array.from({ length: dims[1] }, () => 0));
}
