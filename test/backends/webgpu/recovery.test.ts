// A model that loses its device: what is under way rejects, and what comes later is right.
import { describe, expect, test } from 'vitest';
import type { LoadOptions, Model } from '../../../src/index.ts';
import { countBuffers, until } from '../../support/fake-gpu.ts';
import { onGpu } from '../../support/gpu-tensors.ts';
import { gate, LosingGpu } from '../../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf } from '../../support/small-lstm.ts';
import { getAdapter } from '../../setup/gpu.ts';

const gpu = new LosingGpu();
const open = (options?: LoadOptions) => gpu.load(options);
const feeds = feedsOf(3);

const expectWorks = async (model: Model): Promise<void> =>
  expectRight(await model.run(feeds), feeds);

describe('a loss', () => {
  test('rejects what is under way; later calls are right, on another device', async () => {
    const { model, losses } = await open();
    const { adapter } = model;
    await expectWorks(model);
    const pending = [
      model.run(feeds),
      model.run(feeds, { output: 'gpu' }),
      model.warmUp(feedsOf(2, 5)),
    ].map((call) => failureOf(() => call));
    const lost = gpu.lose();
    for (const error of await Promise.all(pending)) {
      expect(error).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
    }
    await lost;
    expect(model.usage).toEqual({ pipelines: 0, weightBytes: 0, kernels: {} });
    const waiting = model.run(feeds, { output: 'gpu' });
    await expectWorks(model);
    (await waiting)['Y']!.buffer.destroy();
    expect(gpu.devices).toHaveLength(2);
    expect(model.adapter).toBe(adapter);
    expect(model.usage.weightBytes).toBeGreaterThan(0);
    expect(losses).toHaveLength(1);
    expect(losses[0]!.reason).toBe('destroyed');
    await losses[0]!.recovered;
  });

  test('takes tensors on it with it: they are refused until they are made anew', async () => {
    const { model } = await open();
    const [X, stream] = [onGpu(model.device!, feeds['X']!), model.stream({ checkpoint: 1 })];
    expect(model.device).toBe(gpu.device);
    await model.warmUp({ X });
    const { Y } = await stream.step({ X }, { output: 'gpu' });
    await stream.snapshot(); // the checkpoint is there by then
    const encoder = gpu.device.createCommandEncoder();
    const { closed, open: release } = gate();
    gpu.gate = closed;
    await gpu.lose();
    expect(model.device).toBeUndefined();
    const calls = [
      () => model.run({ X }),
      () => model.warmUp({ X }),
      () => stream.step({ X }),
      () => stream.step({ X: Y! }),
      () => stream.warmUp({ X }),
    ];
    for (const call of calls) {
      expect(await failureOf(call)).toMatchObject({ code: 'DEVICE_LOST', path: 'feeds.X' });
    }
    const encode = () => model.encode(encoder, { X }, { Y: Y! });
    expect(await failureOf(encode)).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
    const waiting = stream.step(feeds, { output: 'gpu' });
    release();
    (await waiting)['Y']!.buffer.destroy();
    expect(stream.steps).toBe(2);
    expect(model.device).toBe(gpu.device);
    const late = await failureOf(() => model.run({ X }));
    expect(late).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'feeds.X.buffer' });
    expectRight(await model.run({ X: onGpu(model.device!, feeds['X']!) }), feeds);
  });

  test('leaves nothing behind on the device', async () => {
    const { model } = await open();
    const live = countBuffers(gpu.device);
    const streams = [model.stream(), model.stream({ checkpoint: 1 })];
    await Promise.all(streams.map((stream) => stream.step(feeds)));
    await expectWorks(model);
    expect(live()).toBeGreaterThan(0);
    const pending = [model.run(feeds), ...streams.map((stream) => stream.step(feeds))];
    const settled = Promise.allSettled(pending);
    await gpu.lose();
    await settled;
    await expectWorks(model);
    await until(() => live() === 0);
    expect(live()).toBe(0);
  });

  test('may come again and again', async () => {
    const { model, losses } = await open({ recovery: { attempts: 1 } });
    for (let i = 0; i < 3; i++) {
      await expectWorks(model); // without it the one attempt would be used up
      await gpu.lose();
    }
    await expectWorks(model);
    expect(losses).toHaveLength(3);
    expect(gpu.devices).toHaveLength(4);
  });

  test('while the model is loaded, or during its first call', async () => {
    const { closed, open: release } = gate();
    gpu.gate = closed;
    gpu.duds = 1;
    const loading = open();
    release();
    const { model } = await loading;
    const first = failureOf(() => model.run(feeds));
    await gpu.lose();
    expect((await first).code).toBe('DEVICE_LOST');
    await expectWorks(model);
    expect(gpu.devices).toHaveLength(3);
  });

  test('is shared by the models of a device, and so is the next device', async () => {
    const models = [await open(), await open()];
    expect(gpu.devices).toHaveLength(1);
    await gpu.lose();
    await Promise.all(models.map(({ model }) => expectWorks(model)));
    expect(gpu.devices).toHaveLength(2);
    models[0]!.model.dispose();
    await expectWorks(models[1]!.model);
    for (const { losses } of models) expect(losses).toHaveLength(1);
  });

  test('with recovery: false is for good', async () => {
    const { model, losses } = await open({ recovery: false });
    const stream = model.stream({ checkpoint: 1 });
    await stream.step(feeds);
    await gpu.lose();
    await expect(losses[0]!.recovered).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    for (const call of [
      () => model.run(feeds),
      () => model.warmUp(feeds),
      () => stream.step(feeds),
      () => stream.warmUp(feeds),
      () => stream.snapshot(),
      () => stream.reset(),
      () => stream.restore({}),
      () => stream.fork(),
      () => model.stream().step(feeds),
    ]) {
      const error = await failureOf(call);
      expect(error.code).toBe('DEVICE_LOST');
      expect(error.message).toMatch(
        /^device: the GPU device was lost \(.*\); load the model again/,
      );
    }
    expect(gpu.requests).toBe(1);
  });

  test('of a device of the app is told, and for good', async () => {
    const device = await (await getAdapter()).requestDevice();
    const { model, losses } = await open({ device, recovery: false });
    await expectWorks(model);
    device.destroy();
    await device.lost;
    expect((await failureOf(() => model.run(feeds))).code).toBe('DEVICE_LOST');
    expect(losses).toHaveLength(1);
    await expect(losses[0]!.recovered).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    expect(gpu.requests).toBe(0);
  });
});

describe('another device', () => {
  test('is asked for until there is one', async () => {
    const { model } = await open();
    await expectWorks(model);
    gpu.failures = 2;
    await gpu.lose();
    await expectWorks(model);
    expect(gpu.requests).toBe(1 + 3);
  });

  test('is not asked for without end', async () => {
    const { model, losses } = await open({ recovery: { attempts: 3, delay: 1 } });
    await expectWorks(model);
    gpu.failures = Infinity;
    await gpu.lose();
    const stream = model.stream();
    const waiting = [model.run(feeds), stream.step(feeds), stream.snapshot()];
    const errors = await Promise.all(waiting.map((call) => failureOf(() => call)));
    errors.push(await failureOf(() => model.run(feeds)), await failureOf(() => stream.reset()));
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
      expect(error.message).toMatch(/attempt 3 of 3 .* failed: no adapter today; load/);
      expect(error.cause).toMatchObject({ message: 'no adapter today' });
    }
    await expect(losses[0]!.recovered).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    expect(gpu.requests).toBe(1 + 3);
    expect(losses).toHaveLength(1);
  });

  test('that is lost before it has done a call is an attempt', async () => {
    const { model } = await open({ recovery: { attempts: 3, delay: 1 } });
    await expectWorks(model);
    gpu.duds = Infinity;
    await gpu.lose();
    const error = await failureOf(() => model.run(feeds));
    expect(error.message).toMatch(/attempt 3 of 3/);
    expect(gpu.devices).toHaveLength(1 + 3);
  });

  test('that is lost in each call ends it too', async () => {
    const { model, losses } = await open({ recovery: { attempts: 3, delay: 1 } });
    for (let i = 0; i < 6; i++) {
      const call = failureOf(() => model.run(feeds));
      if (i < 4) {
        if (i > 0) await losses[i - 1]!.recovered;
        await gpu.lose();
      }
      expect((await call).code).toBe('DEVICE_LOST');
    }
    expect(losses).toHaveLength(4);
    expect(gpu.devices).toHaveLength(1 + 3);
  });

  test('that does not come in time is an attempt', async () => {
    const { model } = await open({ recovery: { attempts: 2, delay: 1 }, timeout: 2000 });
    await expectWorks(model);
    await gpu.lose();
    await expectWorks(model);
    gpu.gate = new Promise(() => undefined);
    const { model: hasty } = await open({ recovery: { attempts: 2, delay: 1 }, timeout: 50 });
    const requests = gpu.requests;
    await gpu.lose();
    const error = await failureOf(() => hasty.run(feeds));
    expect(error.message).toMatch(/attempt 2 of 2 .*took more than 50 ms/);
    expect(gpu.requests).toBeGreaterThan(requests);
  });
});

describe('a call that waits for another device', () => {
  test('has the feeds of when it was made, and may be aborted', async () => {
    const { model } = await open();
    await expectWorks(model);
    const { closed, open: release } = gate();
    gpu.gate = closed;
    await gpu.lose();
    const own = feedsOf(2);
    const kept = { X: { ...own['X']!, data: own['X']!.data.slice() } } as typeof own;
    const call = model.run(own);
    (own['X']!.data as Float32Array).fill(0);
    const controller = new AbortController();
    const aborted = model.run(feeds, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expect((await failureOf(() => model.run(null as never))).path).toBe('feeds');
    release();
    expectRight(await call, kept);
  });

  test('is refused when the model is disposed of, and a device that comes then is destroyed', async () => {
    const { model, losses } = await open();
    const stream = model.stream({ checkpoint: 1 });
    await stream.step(feeds);
    const { closed, open: release } = gate();
    gpu.gate = closed;
    await gpu.lose();
    const waiting = [model.run(feeds), stream.step(feeds)].map((call) => failureOf(() => call));
    model.dispose();
    for (const error of await Promise.all(waiting)) expect(error.code).toBe('DISPOSED');
    await expect(losses[0]!.recovered).rejects.toMatchObject({ code: 'DISPOSED' });
    expect((await failureOf(() => stream.step(feeds))).code).toBe('DISPOSED');
    release();
    await until(() => gpu.devices.length === 2);
    expect((await gpu.device.lost).reason).toBe('destroyed');
    expect(losses).toHaveLength(1);
    expect(gpu.requests).toBe(2);
  });

  test('is refused when the model is disposed of between two attempts', async () => {
    const { model, losses } = await open({ recovery: { attempts: 2, delay: 60_000 } });
    gpu.failures = 1;
    await gpu.lose();
    await until(() => gpu.failures === 0);
    const waiting = failureOf(() => model.run(feeds));
    model.dispose();
    expect((await waiting).code).toBe('DISPOSED');
    await expect(losses[0]!.recovered).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(gpu.requests).toBe(2);
  });
});
