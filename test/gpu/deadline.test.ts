// A platform that does not answer: every wait ends, and later calls and loads are right.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { environment } from '../../src/environment.ts';
import { isWebGPUAvailable, loadModel } from '../../src/index.ts';
import { within } from '../../src/gpu/deadline.ts';
import { getAdapter } from '../setup/gpu.ts';
import { fakeGpu, never, until, withGpu } from '../support/fake-gpu.ts';
import { expectRight, failureOf, feedsOf, graph } from '../support/small-lstm.ts';

afterEach(() => vi.restoreAllMocks());
const opened: GPUDevice[] = [];
afterEach(() => opened.splice(0).forEach((device) => device.destroy()));
const openDevice = async (): Promise<GPUDevice> => {
  const device = await (await getAdapter()).requestDevice();
  opened.push(device);
  return device;
};
const MS = 60; // of waits that never end; those that end are given no deadline

describe('a deadline', () => {
  test('lets pass what is in time, and what it fails with', async () => {
    expect(await within(Promise.resolve(7), 1000, 'it')).toBe(7);
    await expect(within(Promise.reject(new Error('no')), 1000, 'it')).rejects.toThrow('no');
    expect(await within(Promise.resolve(7), Infinity, 'it')).toBe(7);
  });

  test('ends what is not, by name; a later failure is nobody’s', async () => {
    let fail: ((error: Error) => void) | undefined;
    const late = new Promise<void>((_, reject) => (fail = reject));
    const error = await failureOf(() => within(late, 5, 'the answer'));
    expect(error).toMatchObject({ code: 'TIMEOUT', path: 'device' });
    expect(error.message).toMatch(/the answer took more than 5 ms/);
    fail!(new Error('late')); // an unhandled rejection would fail the test run
  });

  test('of more than 2^31 ms does not end at once', async () => {
    const work = new Promise((resolve) => setTimeout(resolve, 20, 'done'));
    expect(await within(work, 1e12, 'it')).toBe('done');
  });
});

describe('an adapter or a device that never comes', () => {
  test.each([
    ['adapter', fakeGpu({ requestAdapter: never })],
    [
      'device',
      fakeGpu({
        requestAdapter: async () => ({ limits: {}, features: new Set(), requestDevice: never }),
      }),
    ],
  ])('%s: TIMEOUT, and the next load asks again', async (_, hung) => {
    const error = await withGpu(hung, () =>
      failureOf(() => loadModel(graph, { device: 'webgpu', timeout: MS })),
    );
    expect(error.code).toBe('TIMEOUT');
    const model = await withGpu(fakeGpu(), () => loadModel(graph, { device: 'webgpu' }));
    const feeds = feedsOf();
    expectRight(await model.run(feeds), feeds);
    model.dispose();
  });

  test('an environment that never says where WebGPU is: TIMEOUT', async () => {
    const before = environment.gpu;
    environment.gpu = never; // as an import of Dawn that hangs
    try {
      const error = await failureOf(() => loadModel(graph, { device: 'webgpu', timeout: MS }));
      expect(error).toMatchObject({ code: 'TIMEOUT', path: 'device' });
      expect(await isWebGPUAvailable(MS)).toBe(false);
    } finally {
      environment.gpu = before;
    }
  });

  test('is none for isWebGPUAvailable', async () => {
    const available = (gpu: GPU | undefined, timeout?: number) =>
      withGpu(gpu, () => isWebGPUAvailable(timeout));
    expect(await available(fakeGpu({ requestAdapter: never }), MS)).toBe(false);
    const failing = async () => Promise.reject(new Error('no'));
    expect(await available(fakeGpu({ requestAdapter: failing }))).toBe(false);
    expect(await available(undefined)).toBe(false);
    expect(await available(fakeGpu())).toBe(true);
    expect(await available(fakeGpu(), Infinity)).toBe(true);
  });

  test('a load with a short deadline does not wait for one with a long one', async () => {
    await withGpu(fakeGpu({ requestAdapter: never }), async () => {
      const controller = new AbortController();
      const long = loadModel(graph, { device: 'webgpu', signal: controller.signal });
      const short = await failureOf(() => loadModel(graph, { device: 'webgpu', timeout: MS }));
      expect(short.code).toBe('TIMEOUT');
      controller.abort(new Error('enough'));
      await expect(long).rejects.toThrow('enough');
    });
  });

  test('a load that waits for one ends with its signal; the device that comes then is destroyed', async () => {
    let answer: ((adapter: GPUAdapter) => void) | undefined;
    const late = fakeGpu({ requestAdapter: () => new Promise((resolve) => (answer = resolve)) });
    const controller = new AbortController();
    await withGpu(late, async () => {
      const load = loadModel(graph, { device: 'webgpu', signal: controller.signal });
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.abort(new Error('enough'));
      await expect(load).rejects.toThrow('enough');
      const adapter = await getAdapter();
      const request = adapter.requestDevice.bind(adapter);
      let device: GPUDevice | undefined;
      adapter.requestDevice = async (descriptor) => (device = await request(descriptor));
      answer!(adapter);
      await until(() => device !== undefined);
      expect((await device!.lost).reason).toBe('destroyed');
    });
  });
});

describe('a device that hangs', () => {
  test('in a compile: TIMEOUT, and the next call compiles again', async () => {
    const device = await openDevice();
    const compile = device.createComputePipelineAsync.bind(device);
    device.createComputePipelineAsync = never;
    const model = await loadModel(graph, { device, timeout: MS });
    const error = await failureOf(() => model.run(feedsOf()));
    expect(error.code).toBe('TIMEOUT');
    expect(error.message).toMatch(/compiling the kernel/);
    device.createComputePipelineAsync = compile;
    model.dispose();
    const next = await loadModel(graph, { device });
    const feeds = feedsOf();
    expectRight(await next.run(feeds), feeds);
    next.dispose();
  });

  test('in popErrorScope or mapAsync: TIMEOUT, and the next call is right', async () => {
    const device = await openDevice();
    const model = await loadModel(graph, { device, timeout: 2000 });
    const feeds = feedsOf();
    await model.run(feeds);
    await model.warmUp(feeds);
    vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementationOnce(never);
    expect((await failureOf(() => model.run(feeds))).code).toBe('TIMEOUT');
    expectRight(await model.run(feeds), feeds);
    const pop = device.popErrorScope.bind(device);
    device.popErrorScope = () => (void pop(), never());
    expect((await failureOf(() => model.run(feeds))).code).toBe('TIMEOUT');
    device.popErrorScope = pop;
    expectRight(await model.run(feeds), feeds);
    model.dispose();
  });
});

test.each([0, -1, Number.NaN, 'soon'])('a timeout of %s is refused', async (timeout) => {
  const error = await failureOf(() => loadModel(graph, { timeout: timeout as number }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.timeout' });
});
