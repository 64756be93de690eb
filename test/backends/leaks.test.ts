// What is on a device that the app owns, when calls overlap, are aborted, or outlive what they belong to.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadModel } from '../../src/index.ts';
import type { Model } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { countBuffers, until } from '../support/fake-gpu.ts';
import { expectRight, feedsOf, graph, stepsOf } from '../support/small-lstm.ts';

const opened: GPUDevice[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const device of opened.splice(0)) device.destroy();
});

async function open(): Promise<{ model: Model; live: () => number; device: GPUDevice }> {
  const device = await (await getAdapter()).requestDevice();
  opened.push(device);
  const live = countBuffers(device);
  return { model: await loadModel(graph, { device }), live, device };
}

describe('buffers', () => {
  test('of runs that overlap or are aborted do not pile up', async () => {
    const { model, live } = await open();
    const feeds = feedsOf();
    await model.warmUp(feeds);
    await model.run(feeds);
    const before = live();
    const runs = Array.from({ length: 30 }, (_, i) => {
      const controller = new AbortController();
      const run = model.run(feeds, { signal: controller.signal });
      if (i % 2 === 1) controller.abort();
      return run;
    });
    for (const [i, result] of (await Promise.allSettled(runs)).entries()) {
      expect(result.status).toBe(i % 2 === 1 ? 'rejected' : 'fulfilled');
    }
    expectRight(await model.run(feeds), feeds);
    expect(live() - before).toBeLessThan(4); // of 15 or more
    model.dispose();
    await until(() => live() === 0);
    expect(live()).toBe(0);
  });

  test('of a stream go with it and its forks: state, plans and weights', async () => {
    const { model, live } = await open();
    const feeds = feedsOf();
    await model.run(feeds);
    await model.warmUp(feeds);
    const before = live();
    const stream = model.stream();
    await stream.step(feeds);
    await stream.warmUp(feeds);
    const fork = stream.fork();
    stream.dispose();
    stream.dispose();
    await fork.step(feeds);
    expect(live()).toBeGreaterThan(before);
    fork.dispose();
    await until(() => live() <= before);
    expectRight(await model.run(feeds), feeds);
    model.dispose();
  });

  test('of a model go with it, those of its streams too', async () => {
    const { model, live } = await open();
    const [stream, other] = [model.stream(), model.stream()];
    const feeds = feedsOf();
    await Promise.all([stream.step(feeds), other.step(feeds), model.run(feeds)]);
    await Promise.all([stream.warmUp(feeds), model.warmUp(feeds)]);
    stream.fork();
    model.dispose();
    await until(() => live() === 0);
    expect(live()).toBe(0);
  });

  test.each([0, 1, 2, 4, 8, 16, 32])(
    'of calls that are under way for %i tasks go when the model is disposed of',
    async (tasks) => {
      const { model, live } = await open();
      const feeds = feedsOf(3);
      const stream = model.stream();
      const calls: Promise<unknown>[] = [
        model.run(feeds),
        stream.step(stepsOf(feeds, 0, 1)),
        stream.step(stepsOf(feeds, 1, 2)),
        model.run(feeds, { output: 'gpu' }).then(({ Y }) => Y!.buffer.destroy()),
        stream.snapshot(),
      ];
      const fork = stream.fork();
      calls.push(fork.step(stepsOf(feeds, 0, 1)));
      const settled = Promise.allSettled(calls);
      for (let i = 0; i < tasks; i++) await new Promise((resolve) => setTimeout(resolve, 4));
      model.dispose();
      for (const result of await settled) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'DISPOSED' });
      }
      await until(() => live() === 0);
      expect(live()).toBe(0);
    },
  );

  test('of results that stay on the GPU go when their run is aborted', async () => {
    const { model, live } = await open();
    const feeds = feedsOf();
    await model.run(feeds);
    await model.warmUp(feeds);
    const before = live();
    const controller = new AbortController();
    const run = model.run(feeds, { output: 'gpu', signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
    await until(() => live() === before);
    model.dispose();
  });
});

describe('collected undisposed', () => {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const collected = async (done: () => boolean): Promise<void> => {
    for (let i = 0; i < 100 && !done(); i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(done()).toBe(true);
  };

  test('a model frees its buffers and says so once; one that was disposed of says nothing', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const { live, device } = await (async () => {
      const { model, ...others } = await open();
      const feeds = feedsOf();
      await model.run(feeds);
      await model.warmUp(feeds);
      return others;
    })();
    expect(live()).toBeGreaterThan(0);
    await collected(() => live() === 0);
    expect(warn.mock.calls.map(String)).toEqual([expect.stringMatching(/a Model was collected/)]);
    warn.mockClear();
    await (async () => (await loadModel(graph, { device })).dispose())();
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(warn).not.toHaveBeenCalled();
  });

  test('a stream frees its buffers, and holds its model as long as it lives', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const feeds = feedsOf(2);
    let held = await (async () => {
      const { model, live } = await open();
      const stream = model.stream();
      await stream.step(stepsOf(feeds, 0, 1));
      return [{ stream, live }];
    })();
    const { live } = held[0]!;
    for (let i = 0; i < 5; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expectRight(await held[0]!.stream.step(stepsOf(feeds, 1, 2)), feeds, 1);
    expect(warn).not.toHaveBeenCalled();
    held = [];
    await collected(() => live() === 0);
  });

  test('not while a call is under way', async () => {
    const { device } = await open();
    const feeds = feedsOf();
    const run = (async () => (await loadModel(graph, { device })).run(feeds))();
    for (let i = 0; i < 10; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve));
    }
    expectRight(await run, feeds);
  });
});
