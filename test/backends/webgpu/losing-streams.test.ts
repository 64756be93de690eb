// A group of streams whose device is lost: each stream says once that its state is lost, and begins anew.
import { describe, expect, test } from 'vitest';
import type { GroupStream } from '../../../src/index.ts';
import { LosingGpu } from '../../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf, stepsOf } from '../../support/small-lstm.ts';

const gpu = new LosingGpu();

/** Steps that begin from the initial state. */
async function expectAnew(streams: readonly GroupStream[]): Promise<void> {
  const feeds = streams.map(() => feedsOf(1));
  const results = await Promise.all(streams.map((stream, i) => stream.step(feeds[i]!)));
  results.forEach((each, i) => expectRight(each, feeds[i]!));
}

const expectLost = async (call: () => unknown): Promise<void> =>
  expect(await failureOf(call)).toMatchObject({ code: 'DEVICE_LOST' });

test('between steps: streams of the next batch, and later the others', async () => {
  const { model } = await gpu.load();
  const group = model.streams({ capacity: 4 });
  const [a, b, c] = [group.join(), group.join(), group.join()];
  await expectAnew([a, b, c]);
  const saved = await a.snapshot();
  await gpu.lose();
  await Promise.all([a, b].map((stream) => expectLost(() => stream.step(feedsOf(1)))));
  await expectAnew([a, b, group.join()]); // one that has just joined has lost nothing
  await expectLost(() => c.snapshot());
  await expectAnew([c]);
  expect(Object.keys(saved)).toHaveLength(2);
  await a.restore(saved);
  expect(await a.snapshot()).toEqual(saved);
});

test('during a step: those of its batch by its error, the others when they step', async () => {
  const { model } = await gpu.load();
  const group = model.streams({ capacity: 4 });
  const [a, b, c] = [group.join(), group.join(), group.join()];
  await expectAnew([a, b, c]);
  const steps = [a, b].map((stream) => stream.step(feedsOf(1)));
  const settled = Promise.allSettled(steps);
  for (let i = 0; i < 12; i++) await undefined; // the batch has been submitted
  await gpu.lose();
  for (const result of await settled) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DEVICE_LOST' } });
  }
  await expectAnew([a, b]);
  await expectLost(() => c.step(feedsOf(1)));
  await expectAnew([c]);
});

describe('with a checkpoint', () => {
  const COUNT = 8;

  test('each stream says once that it was lost, and goes on from its latest copy', async () => {
    const { model } = await gpu.load();
    const group = model.streams({ capacity: 4, checkpoint: 3 });
    const sources = [0, 1, 2].map(() => feedsOf(COUNT));
    const streams = sources.map(() => group.join());
    const frame = (i: number, t: number) => stepsOf(sources[i]!, t, t + 1);
    const next = async (i: number): Promise<void> => {
      const t = streams[i]!.steps;
      const results = await streams[i]!.step(frame(i, t));
      expectRight(results, stepsOf(sources[i]!, 0, t + 1), t);
    };
    for (const steps of [
      [0, 1, 2],
      [0, 1],
      [0, 2],
      [0, 1],
      [0, 1],
    ])
      await Promise.all(steps.map(next));
    expect(streams.map(({ steps }) => steps)).toEqual([5, 4, 2]);
    await gpu.lose();
    const error = await failureOf(() => streams[0]!.step(frame(0, 5)));
    expect(error).toMatchObject({ code: 'DEVICE_LOST', path: 'stream' });
    expect(error.message).toMatch(/goes on from its copy after 4 steps/);
    // A copy is of all streams of its batch.
    expect(streams.map(({ steps }) => steps)).toEqual([4, 3, 2]);
    for (const i of [1, 2]) await expectLost(() => streams[i]!.step(frame(i, 0)));
    while (streams.some(({ steps }) => steps < COUNT)) {
      await Promise.all([0, 1, 2].filter((i) => streams[i]!.steps < COUNT).map(next));
    }
  });

  test('a fork has the copy of its source until it has its own', async () => {
    const { model } = await gpu.load();
    const group = model.streams({ capacity: 2, checkpoint: 2 });
    const source = feedsOf(COUNT);
    const stream = group.join();
    const stepOf = async (of: GroupStream, t: number): Promise<void> =>
      expectRight(await of.step(stepsOf(source, t, t + 1)), stepsOf(source, 0, t + 1), t);
    for (const t of [0, 1, 2]) await stepOf(stream, t);
    const fork = stream.fork();
    await gpu.lose();
    await expectLost(() => stream.snapshot());
    await expectLost(() => fork.step(feedsOf(1)));
    expect([stream.steps, fork.steps]).toEqual([2, 2]);
    await stepOf(fork, 2);
    await stepOf(stream, 2);
  });
});

test('steps that were called before a loss was known say so, and compute nothing from another state', async () => {
  const { model } = await gpu.load();
  const group = model.streams({ capacity: 4 });
  const [a, b] = [group.join(), group.join()];
  await expectAnew([a, b]);
  await gpu.lose();
  // Two batches of different lengths, and a step behind one of them.
  const calls = [a.step(feedsOf(1)), b.step(feedsOf(2)), a.step(feedsOf(1))];
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DEVICE_LOST' } });
  }
  await expectAnew([a, b]);
});
