// A stream of a group has what a stream by itself has: forks, traces, a number of steps, names of its state.
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadModel,
  RnnError,
  type LayerTrace,
  type LoadOptions,
  type Stream,
  type GroupStream,
  type StreamGroup,
} from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { countBuffers } from '../support/fake-gpu.ts';
import { watchCalls } from '../support/gpu-calls.ts';
import { failureOf, feedsOf, graph } from '../support/small-lstm.ts';
import { expectSame, forkOf, pairOf, stepAll, type Pair } from '../support/stream-pairs.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device, recurrentKernel: 'persistent' }],
  ['wasm', { device: 'wasm' }],
  ['reference', { device: 'reference' }],
];

const ones = (pairs: readonly Pair[]) => pairs.map(() => feedsOf(1));

/** Snapshots of both streams of a pair. */
async function expectSameState({ together, alone }: Pair): Promise<void> {
  expectSame(await together.snapshot(), await alone.snapshot(), 'snapshot');
}

describe.each(BACKENDS)('on %s', (_, options) => {
  test('forks go on from the state of their source, and move none but their own', async () => {
    const model = await loadModel(graph, options);
    const group = model.streams({ capacity: 5 });
    const early = pairOf(model, group);
    const fresh = forkOf(early); // before the first step
    await stepAll([early], ones([early]));
    const fork = forkOf(early);
    const ofFork = forkOf(fork); // whose state nobody has copied yet
    await expectSameState(ofFork);
    expect([fork, ofFork, fresh].map(({ together }) => together.steps)).toEqual([1, 1, 0]);
    await stepAll([early, fresh], [feedsOf(1), feedsOf(1)]);
    await stepAll([fork, early], [feedsOf(2), feedsOf(1)]);
    for (const pair of [early, fresh, fork, ofFork]) await expectSameState(pair);
    await stepAll([ofFork], [feedsOf(1)]);
    expect([early, fork, ofFork].map(({ together }) => together.steps)).toEqual([3, 2, 2]);
    model.dispose();
  });

  test('a fork is of the state at its call, whatever its source does then', async () => {
    const model = await loadModel(graph, options);
    const group = model.streams({ capacity: 4 });
    const [a, b] = [pairOf(model, group), pairOf(model, group)];
    await stepAll([a, b], ones([a, b]));
    const feeds = [feedsOf(1), feedsOf(1)] as const;
    const steps = [a.together.step(feeds[0])];
    const fork = a.together.fork(); // after that step
    steps.push(a.together.step(feeds[1]));
    const alone = a.alone.fork();
    for (const each of feeds) await a.alone.step(each);
    await alone.step(feeds[0]);
    await Promise.all(steps);
    await stepAll([{ together: fork, alone }, a], ones([a, a]));
    // Its source begins with another state, or leaves its row to another stream, before the copy is made.
    const restored = forkOf(a);
    const state = await b.alone.snapshot();
    await a.together.restore(state);
    a.alone.restore(state);
    await stepAll([a], ones([a]));
    await stepAll([restored], ones([restored]));
    restored.together.leave();
    const heir = forkOf(a);
    a.together.leave();
    const next = pairOf(model, group);
    await stepAll([next, b], ones([next, b]));
    await stepAll([heir], ones([heir]));
    expect([next, b, heir].map(({ together }) => together.steps)).toEqual([1, 2, 2]);
    model.dispose();
  });

  test('a traced step shows the gates of its row, next to steps that show none', async () => {
    const model = await loadModel(graph, options);
    const group = model.streams({ capacity: 3 });
    const pairs = [0, 1, 2].map(() => pairOf(model, group));
    await stepAll(pairs, ones(pairs));
    const feeds = pairs.map(() => feedsOf(2));
    const traced = { trace: ['lstm_0'] };
    const [first, second, third] = await Promise.all([
      pairs[0]!.together.step(feeds[0]!, traced),
      pairs[1]!.together.step(feeds[1]!, traced),
      pairs[2]!.together.step(feeds[2]!),
    ]);
    expect(group.counts).toEqual({ steps: 6, batches: 3 });
    for (const [i, got] of [first, second].entries()) {
      const want = await pairs[i]!.alone.step(feeds[i]!, traced);
      expectSame(got, want);
      const [own, other] = [got.trace['lstm_0'], want.trace['lstm_0']] as [LayerTrace, LayerTrace];
      for (const kind of ['gates', 'inputs', 'products', 'states'] as const)
        expectSame(own[kind], other[kind], kind);
      expect(own.deviation).toBeLessThan(1e-5);
    }
    expectSame(third, await pairs[2]!.alone.step(feeds[2]!));
    await stepAll(pairs, ones(pairs));
    model.dispose();
  });
});

test('steps are counted from the beginning, a reset, or a restore; a step that is refused is none', async () => {
  const model = await loadModel(graph, { device: 'wasm' });
  const group = model.streams({ capacity: 2 });
  const pair = pairOf(model, group);
  const { together, alone } = pair;
  expect(together.stateNames).toEqual(alone.stateNames);
  const same = (): void => expect(together.steps).toBe(alone.steps);
  same();
  await stepAll([pair, pair], ones([pair, pair]));
  same();
  const state = await together.snapshot();
  for (const [stream, step] of [
    [together, () => together.step({})],
    [alone, () => alone.step({})],
  ] as const) {
    expect(await failureOf(step)).toMatchObject({ code: 'INVALID_ARGUMENT' });
    stream.reset();
  }
  same();
  await stepAll([pair], ones([pair]));
  same();
  await Promise.all([together.restore(state), alone.restore(state)]);
  same();
  model.dispose();
});

test('what takes a stream by its calls takes one of a group', async () => {
  const model = await loadModel(graph, { device: 'wasm' });
  const group = model.streams({ capacity: 1 });
  type Calls = 'reset' | 'snapshot' | 'restore' | 'steps' | 'stateNames' | 'dispose';
  // Results on the GPU are of a stream by itself only.
  type Steps = Pick<GroupStream, 'step'>;
  const use = async (stream: Pick<Stream, Calls> & Steps): Promise<number> => {
    await stream.step(feedsOf(1), { trace: ['lstm_0'] });
    stream.restore(await stream.snapshot());
    stream.reset();
    await stream.step(feedsOf(2));
    stream.dispose();
    return stream.steps;
  };
  expect([await use(model.stream()), await use(group.join()), group.size]).toEqual([1, 1, 0]);
  model.dispose();
});

test('a fork needs a place, and a stream that has not left', async () => {
  const model = await loadModel(graph, { device: 'wasm' });
  const group: StreamGroup = model.streams({ capacity: 2 });
  const stream = group.join();
  const fork = stream.fork();
  expect(() => stream.fork()).toThrow(
    expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'stream.fork' }),
  );
  fork.leave();
  stream.leave();
  expect(() => stream.fork()).toThrow(RnnError);
  expect(group.size).toBe(0);
  const last = group.join();
  group.dispose();
  expect(() => last.fork()).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  model.dispose();
});

test('forks take rows that streams are about to leave, with all of them in use', async () => {
  const model = await loadModel(graph, { device: 'reference' });
  const group = model.streams({ capacity: 2 });
  const [a, b] = [pairOf(model, group), pairOf(model, group)];
  await stepAll([a, b], ones([a, b]));
  const feeds = feedsOf(1);
  const last = b.together.step(feeds);
  b.together.leave(); // its row is still in use
  const fork = forkOf(a);
  a.together.leave();
  const next = pairOf(model, group);
  await stepAll([next, fork], ones([next, fork]));
  expectSame(await last, await b.alone.step(feeds));
  model.dispose();
});

test('a fork whose state the device has refused to copy says so until it is given another', async () => {
  const own = await (await getAdapter()).requestDevice();
  const model = await loadModel(graph, { device: own, recurrentKernel: 'persistent' });
  const group = model.streams({ capacity: 2 });
  const pair = pairOf(model, group);
  await stepAll([pair], ones([pair]));
  const fork = pair.together.fork();
  const { queue } = own;
  const { submit } = queue;
  queue.submit = () => {
    throw new Error('no submit today');
  };
  await expect(pair.together.step(feedsOf(1))).rejects.toThrow();
  queue.submit = submit;
  await expect(fork.step(feedsOf(1))).rejects.toThrow();
  await expect(fork.snapshot()).rejects.toThrow();
  await stepAll([pair], ones([pair]));
  await fork.restore(await pair.together.snapshot());
  await stepAll([{ together: fork, alone: pair.alone.fork() }, pair], ones([pair, pair]));
  model.dispose();
  own.destroy();
});

test('steps without a trace are as they were: the same device calls, no buffer more', async () => {
  const own = await (await getAdapter()).requestDevice();
  const live = countBuffers(own);
  const model = await loadModel(graph, { device: own, recurrentKernel: 'persistent' });
  const [alone, together] = [model.stream(), model.streams({ capacity: 2 }).join()];
  const feeds = feedsOf(1);
  const both: readonly Pick<GroupStream, 'step'>[] = [alone, together];
  for (const stream of both) for (let i = 0; i < 2; i++) await stream.step(feeds);
  const calls: string[] = [];
  // Calls of buffers are seen of those only that are made from now on.
  const ofBuffers = ['mapAsync', 'getMappedRange', 'unmap'];
  watchCalls(own, (name) => !ofBuffers.includes(name) && calls.push(name));
  for (const stream of both) {
    const during = async (): Promise<string[]> => {
      calls.length = 0;
      await stream.step(feeds);
      return [...calls];
    };
    const before = await during();
    expect(before.filter((name) => name === 'submit')).toHaveLength(1);
    expect(before).toContain('dispatchWorkgroups');
    expect(before).not.toContain('createBuffer');
    await stream.step(feeds, { trace: ['lstm_0'] });
    const traced = live();
    expect(await during()).toEqual(before);
    expect(live()).toBe(traced);
  }
  model.dispose();
  own.destroy();
});
