// Streams that are computed together equal streams that are computed one by one, whoever joins, leaves or waits;
// their states never mix, and a model whose rows are not independent is refused by name.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  gru,
  loadModel,
  lstm,
  RnnError,
  sequential,
  tensor,
  type Graph,
  type LoadOptions,
  type Node,
} from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { float, floatsOf, node } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxNode } from '../support/onnx-writer.ts';
import { expectForAll, oneOf, times } from '../support/property.ts';
import { framesOf, streamCases } from '../support/random-streams.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, isFull, MORE_IN_FULL } from '../support/settings.ts';
import { failureOf, feedsOf, graph, H, I } from '../support/small-lstm.ts';
import { expectSame, forkOf, pairOf, stepAll, type Results } from '../support/stream-pairs.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions, cases: number][] = [
  ['webgpu', { device }, casesOf(2, 20)],
  ['wasm', { device: 'wasm' }, casesOf(20, 200)],
  ['reference', { device: 'reference' }, casesOf(10, 100)],
];

/** What can happen to a group; numbers choose among the streams that are there. */
const commands = fc.array(
  fc.record({
    kind: oneOf([
      'step',
      'join',
      'leave',
      'twice',
      'reset',
      'copy',
      'put',
      'fork',
      'fork and step',
      'fork and leave',
    ] as const),
    one: fc.nat(99),
    other: fc.nat(99),
    /** Which streams step. */
    who: times(6, fc.boolean()),
    steps: oneOf([1, 2]),
  }),
  { minLength: 5, maxLength: 14 },
);

describe.each(BACKENDS)('on %s', (_, options, cases) => {
  test('many streams at once, some of them not in each step', MORE_IN_FULL, async () => {
    const count = isFull ? 100 : 10;
    const model = await loadModel(graph, options);
    const group = model.streams({ capacity: count });
    const pairs = Array.from({ length: count }, () => pairOf(model, group));
    await stepAll(
      pairs,
      pairs.map(() => feedsOf(1)),
    );
    const some = pairs.filter((__, i) => i % 3 !== 1);
    await stepAll(
      some,
      some.map(() => feedsOf(3)),
    );
    await stepAll(
      pairs,
      pairs.map(() => feedsOf(1)),
    );
    expect(group.counts).toEqual({ steps: 2 * count + some.length, batches: 3 });
    model.dispose();
  });

  test('random joins, leaves, forks, steps and states', MORE_IN_FULL, async () => {
    const model = await loadModel(graph, options);
    await expectForAll(commands, cases, async (list) => {
      const group = model.streams({ capacity: 6 });
      let pairs = [pairOf(model, group), pairOf(model, group)];
      for (const { kind, one, other, who, steps } of list) {
        const [a, b] = [pairs[one % pairs.length]!, pairs[other % pairs.length]!];
        if (kind === 'join' && pairs.length < 6) pairs.push(pairOf(model, group));
        else if (kind === 'leave' && pairs.length > 1) {
          a.together.leave();
          a.alone.dispose();
          pairs = pairs.filter((pair) => pair !== a);
        } else if (kind.startsWith('fork') && pairs.length < 6) {
          pairs.push(forkOf(a));
          const feeds = feedsOf(steps);
          if (kind === 'fork and step') await stepAll([a], [feeds]); // the fork does not see it
          if (kind === 'fork and leave') {
            a.together.leave();
            a.alone.dispose();
            pairs = pairs.filter((pair) => pair !== a);
          }
        } else if (kind === 'reset') {
          a.together.reset();
          a.alone.reset();
        } else if (kind === 'copy') {
          // Of one backend the two have the same states, by the same names.
          const state = await a.together.snapshot();
          expectSame(state, await a.alone.snapshot(), 'snapshot');
          await b.together.restore(state);
          b.alone.restore(state);
        } else if (kind === 'put') {
          await a.together.restore(JSON.parse(JSON.stringify(await b.alone.snapshot())));
          a.alone.restore(await b.alone.snapshot());
        } else if (kind === 'twice') {
          const [first, second] = [feedsOf(1), feedsOf(steps)];
          const calls = [a.together.step(first), b.together.step(first), a.together.step(second)];
          const got = await Promise.all(calls);
          const want: Results[] = [];
          for (const call of [a, b, a].entries()) {
            want.push(await call[1].alone.step(call[0] < 2 ? first : second));
          }
          got.forEach((results, i) => expectSame(results, want[i]!, `overlapping step ${i}`));
        } else {
          const chosen = pairs.filter((__, i) => who[i]);
          await stepAll(
            chosen,
            chosen.map(() => feedsOf(steps)),
          );
        }
      }
      expect(group.size).toBe(pairs.length);
      // A reset counts when it takes effect, after the calls before it: a snapshot waits for all of them.
      await Promise.all(pairs.map(({ together }) => together.snapshot()));
      expect(pairs.map(({ together }) => together.steps)).toEqual(
        pairs.map(({ alone }) => alone.steps),
      );
      group.dispose();
      for (const { alone } of pairs) alone.dispose();
    });
    model.dispose();
  });

  test('states that the model takes and gives, frames of a convolution, and an input for all', async () => {
    const model = await loadModel(MIXED, options);
    const request = { state: { next: 'state' }, timeAxis: { x: 0 } };
    const group = model.streams({ capacity: 5, ...request });
    const pairs = [0, 1, 2].map(() => ({ together: group.join(), alone: model.stream(request) }));
    const feeds = (gain: number): Results => ({ x: floats(2, 1, W), gain: tensor([gain], [1]) });
    for (let i = 0; i < 3; i++)
      await stepAll(
        pairs,
        pairs.map(() => feeds(1 + i)),
      );
    expect(group.counts.batches).toBe(3);
    // Another gain is another batch, in the same task.
    await stepAll(pairs, [feeds(1), feeds(2), feeds(1)]);
    expect(group.counts.batches).toBe(5);
    expect(Object.keys(await pairs[0]!.together.snapshot()).toSorted()).toEqual(
      [...pairs[0]!.alone.stateNames].toSorted(),
    );
    model.dispose();
  });
});

const W = 4;
const floats = floatsOf(randomOf(11));

/** x [T, rows, W] through a causal convolution, times `gain`, and a GRU whose state is an input. */
const MIXED: Uint8Array = (() => {
  const nodes: OnnxNode[] = [
    node('Transpose', ['x'], ['features'], { perm: [1, 2, 0] }),
    node('Conv', ['features', 'kernel'], ['seen'], { pads: [2, 0] }),
    node('Transpose', ['seen'], ['back'], { perm: [2, 0, 1] }),
    node('Mul', ['back', 'gain'], ['louder']),
    node('GRU', ['louder', 'W', 'R', '', '', 'state'], ['Y', 'next'], { hidden_size: H }),
  ];
  return writeOnnx({
    inputs: [float('x', 'T', 'rows', W), float('gain', 1), float('state', 1, 'rows', H)],
    outputs: [float('Y', 'T', 1, 'rows', H), float('next', 1, 'rows', H)],
    initializers: {
      kernel: floats(W, W, 3),
      W: floats(1, 3 * H, W),
      R: floats(1, 3 * H, H),
    },
    nodes,
  });
})();

describe('who waits for whom', () => {
  test('a stream without a step holds nobody up, and one that comes later joins a later batch', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const group = model.streams({ capacity: 3 });
    const pairs = [0, 1, 2].map(() => pairOf(model, group));
    await stepAll(pairs.slice(0, 2), [feedsOf(1), feedsOf(1)]); // the third never steps
    expect(group.counts).toEqual({ steps: 2, batches: 1 });
    await stepAll(pairs.slice(2), [feedsOf(1)]);
    expect(group.counts).toEqual({ steps: 3, batches: 2 });
    model.dispose();
  });

  test('streams that go on at their own pace meet in batches', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const group = model.streams({ capacity: 4 });
    await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const stream = group.join();
        for (let i = 0; i < 5; i++) await stream.step(feedsOf(1));
      }),
    );
    expect(group.counts).toEqual({ steps: 20, batches: 5 });
    model.dispose();
  });

  test('with maxWait a batch goes when all have a step, or who has none leaves, or it is over', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const hour = model.streams({ capacity: 2, maxWait: 3_600_000 });
    const [first, second] = [hour.join(), hour.join()];
    const early = first.step(feedsOf(1));
    await new Promise((resolve) => setTimeout(resolve)); // another task
    await Promise.all([early, second.step(feedsOf(1))]);
    expect(hour.counts).toEqual({ steps: 2, batches: 1 });
    const alone = first.step(feedsOf(1));
    await new Promise((resolve) => setTimeout(resolve));
    second.leave();
    await alone;
    const short = model.streams({ capacity: 2, maxWait: 1 });
    short.join();
    await short.join().step(feedsOf(1));
    expect(short.counts).toEqual({ steps: 1, batches: 1 });
    model.dispose();
  });

  test('steps of different lengths are batches of their own, in the order of each stream', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const group = model.streams({ capacity: 4 });
    const pairs = [0, 1, 2, 3].map(() => pairOf(model, group));
    await stepAll(pairs, [feedsOf(1), feedsOf(2), feedsOf(1), feedsOf(2)]);
    expect(group.counts).toEqual({ steps: 4, batches: 2 });
    await stepAll(
      pairs,
      pairs.map(() => feedsOf(1)),
    );
    model.dispose();
  });
});

test('a place that was left begins anew, also while the last step of its stream is computed', async () => {
  const model = await loadModel(graph, { device: 'reference' });
  const group = model.streams({ capacity: 1 });
  const first = group.join();
  await first.step(feedsOf(2));
  const last = first.step(feedsOf(1));
  first.leave();
  first.leave();
  const pair = pairOf(model, group);
  await stepAll([pair], [feedsOf(2)]);
  expect((await last)['Y']!.dims).toEqual([1, 1, H]);
  expect(await failureOf(() => first.step(feedsOf()))).toMatchObject({ code: 'DISPOSED' });
  model.dispose();
});

test('warmUp compiles what batches of all sizes need', async () => {
  const own = await (await getAdapter()).requestDevice();
  const model = await loadModel(graph, { device: own });
  const group = model.streams({ capacity: 4 });
  await group.warmUp(feedsOf(1));
  const { pipelines } = model.usage;
  const pairs = [0, 1, 2].map(() => pairOf(model, group));
  await stepAll(pairs.slice(0, 1), [feedsOf(1)]);
  const alone = model.usage.pipelines; // what a stream by itself adds
  expect(alone).toBeGreaterThanOrEqual(pipelines);
  for (const count of [2, 3])
    await Promise.all(pairs.slice(0, count).map(({ together }) => together.step(feedsOf(1))));
  expect(model.usage.pipelines).toBe(alone);
  model.dispose();
  own.destroy();
});

test(
  'rows that a group computes together are independent, or refused: random graphs',
  MORE_IN_FULL,
  async () => {
    let [accepted, refused] = [0, 0];
    await expectForAll(streamCases, casesOf(40, 600), async (made) => {
      fc.pre(Object.keys(made.state).length === 0);
      const { graph: whole, x, axis, label } = made;
      const model = await loadModel(whole, { device: 'reference' });
      // Every frame is a row of a batch now: what mixes frames mixes rows.
      const frames = Array.from({ length: Math.min(3, made.steps) }, (__, t) => ({
        x: framesOf(x, axis, t, t + 1),
      }));
      const want: Results[] = [];
      try {
        for (const feeds of frames) want.push(await model.run(feeds));
      } catch (error) {
        expect(error, label).toBeInstanceOf(RnnError); // too short for a window
        return model.dispose();
      }
      const group = model.streams({ capacity: 3, carry: [] });
      const calls = frames.map((feeds) => group.join().step(feeds));
      for (const [i, settled] of (await Promise.allSettled(calls)).entries()) {
        if (settled.status === 'fulfilled') {
          accepted++;
          expectSame(settled.value, want[i]!, label);
        } else {
          refused++;
          expect(settled.reason, label).toMatchObject({ code: 'UNSUPPORTED_OPERATOR' });
        }
      }
      model.dispose();
    });
    expect(Math.min(accepted, refused), `${accepted} accepted, ${refused} refused`).toBeGreaterThan(
      5,
    );
  },
);

describe('refused by name', () => {
  const stepOf = async (of: Graph | Uint8Array, feeds: Results, options = {}): Promise<unknown> => {
    const model = await loadModel(of, { device: 'wasm' });
    const group = model.streams({ capacity: 2, ...options });
    await group.join().step(feeds);
    return group;
  };

  test('a batch that is not free', async () => {
    const fixed: Graph = {
      ...graph,
      inputs: [{ name: 'X', type: 'float32', dims: [1, 'time', I] }],
    };
    const error = await failureOf(() => stepOf(fixed, feedsOf(2)));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_OPERATOR', path: 'inputs.X' });
    expect(error.message).toMatch(/no free dimension.*'X' \[1, 2, 3\].*model\.stream\(\)/);
  });

  test('a node that mixes rows', async () => {
    const softmax: Node = {
      op: 'Softmax',
      name: 'over_rows',
      inputs: ['Y'],
      outputs: ['shares'],
      attributes: { axis: 0 },
    };
    const mixing: Graph = {
      ...graph,
      nodes: [...graph.nodes, softmax],
      outputs: [{ name: 'shares', type: 'float32', dims: ['batch', 'time', H] }],
    };
    const error = await failureOf(() => stepOf(mixing, feedsOf(2)));
    expect(error.code).toBe('UNSUPPORTED_OPERATOR');
    expect(error.path).toBe(`graph.nodes[${graph.nodes.length}]`);
    expect(error.message).toMatch(/Softmax 'over_rows' mixes the rows/);
  });

  test('several rows, a state among the feeds, an input that is missing', async () => {
    const rows = await failureOf(() => stepOf(graph, feedsOf(2, 2)));
    expect(rows).toMatchObject({ code: 'UNSUPPORTED_OPERATOR', path: 'inputs.X' });
    const request = { state: { next: 'state' }, timeAxis: { x: 0 } };
    const feeds = { x: floats(1, 1, W), gain: tensor([1], [1]) };
    const fed = await failureOf(() => stepOf(MIXED, { ...feeds, state: floats(1, 1, H) }, request));
    expect(fed).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'feeds.state' });
    const missing = await failureOf(() => stepOf(graph, {}));
    expect(missing).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'feeds.X' });
  });

  test('one bad step of many rejects by itself', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const group = model.streams({ capacity: 3 });
    const pairs = [0, 1].map(() => pairOf(model, group));
    const bad = group.join().step({ X: floats(1, 2, I + 1) });
    await Promise.all([
      stepAll(pairs, [feedsOf(1), feedsOf(1)]),
      expect(bad).rejects.toMatchObject({ code: 'SHAPE_MISMATCH', path: 'feeds.X.dims[2]' }),
    ]);
    model.dispose();
  });

  test.each([
    ['no capacity', {}, 'options.capacity'],
    ['a broken capacity', { capacity: 1.5 }, 'options.capacity'],
    ['a wait that never ends', { capacity: 2, maxWait: Infinity }, 'options.maxWait'],
    ['a batch', { capacity: 2, batch: 2 }, 'options.batch'],
    ['a layer that is not there', { capacity: 2, carry: ['lstm'] }, 'options.carry[0]'],
  ])('%s', async (__, options, path) => {
    const model = await loadModel(graph, { device: 'wasm' });
    const error = await failureOf(() => model.streams(options as { capacity: number }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path });
    model.dispose();
  });

  test('more streams than there are places, and calls after the end', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const group = model.streams({ capacity: 1 });
    const stream = group.join();
    expect(await failureOf(() => group.join())).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await stream.step(feedsOf());
    const broken = { 'lstm_0.h': tensor([1]) };
    expect(await failureOf(() => stream.restore(broken))).toBeInstanceOf(RnnError);
    group.dispose();
    group.dispose();
    expect(await failureOf(() => stream.step(feedsOf()))).toMatchObject({ code: 'DISPOSED' });
    expect(await failureOf(() => group.join())).toMatchObject({ code: 'DISPOSED' });
    const other = model.streams({ capacity: 1 }).join();
    model.dispose();
    expect(await failureOf(() => other.step(feedsOf()))).toMatchObject({ code: 'DISPOSED' });
  });
});

describe('a step that fails', () => {
  test('an aborted one leaves its batch and its state as it was', async () => {
    const model = await loadModel(graph, { device: 'wasm' });
    const group = model.streams({ capacity: 2 });
    const [a, b] = [pairOf(model, group), pairOf(model, group)];
    await stepAll([a, b], [feedsOf(1), feedsOf(1)]);
    const controller = new AbortController();
    const aborted = a.together.step(feedsOf(1), { signal: controller.signal });
    const other = stepAll([b], [feedsOf(1)]);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await other;
    await stepAll([a, b], [feedsOf(1), feedsOf(1)]);
    expect(group.counts.steps).toBe(5);
    model.dispose();
  });

  test('a first one that the device refuses leaves a stream that begins anew', async () => {
    const own = await (await getAdapter()).requestDevice();
    const model = await loadModel(
      sequential([
        gru({ W: floats(12, I), R: floats(12, H) }),
        lstm({ W: floats(8, H), R: floats(8, 2) }),
      ]),
      { device: own },
    );
    const group = model.streams({ capacity: 1 });
    const former = group.join();
    await former.step(feedsOf(1));
    former.leave();
    const pair = pairOf(model, group);
    const { queue } = own;
    const { submit } = queue;
    queue.submit = () => {
      throw new Error('no submit today');
    };
    await expect(pair.together.step(feedsOf(1))).rejects.toThrow();
    queue.submit = submit;
    await stepAll([pair], [feedsOf(1)]);
    model.dispose();
    own.destroy();
  });
});
