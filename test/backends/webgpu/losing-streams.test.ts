// A group of streams whose device is lost: each stream says once that its state is lost, and begins anew.
import { expect, test } from 'vitest';
import type { GroupStream } from '../../../src/index.ts';
import { LosingGpu } from '../../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf } from '../../support/small-lstm.ts';

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
