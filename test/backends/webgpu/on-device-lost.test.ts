// What an app is told of a loss of the GPU, and what it may say about it.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadModel } from '../../../src/index.ts';
import type { LoadOptions, Model } from '../../../src/index.ts';
import { getAdapter } from '../../setup/gpu.ts';
import { until } from '../../support/fake-gpu.ts';
import { LosingGpu } from '../../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf, graph } from '../../support/small-lstm.ts';

const gpu = new LosingGpu();
afterEach(() => vi.restoreAllMocks());
const open = (options?: LoadOptions) => gpu.load(options);
const feeds = feedsOf(3);

const expectWorks = async (model: Model): Promise<void> =>
  expectRight(await model.run(feeds), feeds);

describe('onDeviceLost', () => {
  test('is called before a call knows; what it calls waits', async () => {
    const order: string[] = [];
    let inside: Promise<unknown> | undefined;
    const { model } = await open({
      onDeviceLost: () => {
        order.push('told');
        inside = expectWorks(model);
      },
    });
    const call = model.run(feeds).catch(() => order.push('rejected'));
    await gpu.lose();
    await call;
    expect(order).toEqual(['told', 'rejected']);
    await inside;
  });

  test('may throw: that is an uncaught error, and the model recovers', async () => {
    const thrown = new Error('from the app');
    const { model } = await open({
      onDeviceLost: () => {
        throw thrown;
      },
    });
    const later: (() => void)[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((work) => later.push(work));
    await gpu.lose();
    vi.restoreAllMocks();
    expect(later).toHaveLength(1);
    expect(later[0]).toThrow(thrown);
    await expectWorks(model);
  });

  test('may dispose of the model', async () => {
    const { model } = await open({ onDeviceLost: () => model.dispose() });
    await gpu.lose();
    expect((await failureOf(() => model.run(feeds))).code).toBe('DISPOSED');
    await until(() => gpu.devices.length === 2);
    expect((await gpu.device.lost).reason).toBe('destroyed');
  });

  test('is not called for a device that goes with its model', async () => {
    const { model, losses } = await open();
    await expectWorks(model);
    model.dispose();
    await gpu.device.lost;
    expect(losses).toHaveLength(0);
  });

  test('does not keep the model that it refers to from being collected', async () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    await (async () => {
      const held: { model?: Model } = {};
      held.model = await loadModel(graph, {
        device: 'webgpu',
        recurrentKernel: 'persistent',
        onDeviceLost: () => held.model!.dispose(),
      });
      await held.model.run(feeds);
    })();
    let gone = false;
    void gpu.device.lost.then(() => (gone = true));
    await until(() => (collect(), gone));
    expect(gone).toBe(true);
  });
});

test.each([
  ['recovery', { recovery: true }],
  ['recovery.tries', { recovery: { tries: 2 } }],
  ['recovery.attempts', { recovery: { attempts: 0 } }],
  ['recovery.attempts', { recovery: { attempts: 1.5 } }],
  ['recovery.delay', { recovery: { delay: -1 } }],
  ['recovery.delay', { recovery: { delay: Number.NaN } }],
  ['onDeviceLost', { onDeviceLost: 'reload' }],
])('options.%s is refused where it is wrong', async (name, options) => {
  const error = await failureOf(() => loadModel(graph, options as never));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: `options.${name}` });
});

test('options.recovery is refused for a device of the app', async () => {
  const device = await (await getAdapter()).requestDevice();
  const error = await failureOf(() => loadModel(graph, { device, recovery: {} }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.recovery' });
  device.destroy();
});
