// A model in a worker whose GPU is lost: the page is told as `loadModel` tells it, and goes on as there.
import { afterEach, expect, test, vi } from 'vitest';
import { createWorkerModel } from '../../src/index.ts';
import type { DeviceLoss, WorkerModelOptions } from '../../src/index.ts';
import { serveModels } from '../../src/worker/serve.ts';
import { gate, LosingGpu } from '../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf, graph, stepsOf } from '../support/small-lstm.ts';

const gpu = new LosingGpu();
const ports: MessagePort[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const port of ports.splice(0)) port.close();
});

/** The small LSTM behind a port. */
function open(options: WorkerModelOptions) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  serveModels(port2);
  port2.start();
  const common = { device: 'webgpu', worker: port1, recovery: { delay: 1 } } as const;
  return createWorkerModel(graph, { ...common, recurrentKernel: 'persistent', ...options });
}

test('a loss is known before calls reject; a stream goes on from its checkpoint', async () => {
  const order: string[] = [];
  const losses: DeviceLoss[] = [];
  const feeds = feedsOf(5);
  const model = await open({
    onDeviceLost: (loss) => {
      order.push(`known at ${stream.steps}`);
      losses.push(loss);
    },
  });
  const stream = await model.stream({ checkpoint: 2 });
  for (let t = 0; t < 3; t++) await stream.step(stepsOf(feeds, t, t + 1));
  expect(stream.steps).toBe(3);
  const { device } = gpu;
  const submit = device.queue.submit.bind(device.queue);
  vi.spyOn(device.queue, 'submit').mockImplementation((work) => {
    submit(work);
    device.destroy();
  });
  await stream.step(stepsOf(feeds, 3, 4)).catch(({ code }) => order.push(code));
  expect(order).toEqual(['known at 2', 'DEVICE_LOST']);
  expect(losses).toMatchObject([{ reason: 'destroyed', message: expect.any(String) }]);
  await losses[0]!.recovered;
  expect(stream.steps).toBe(2);
  expectRight(await stream.step(stepsOf(feeds, 2, 5)), feeds, 2);
  expect(stream.steps).toBe(3);
  model.dispose();
});

test('a model that gives up says so, and one that is disposed of does', async () => {
  const losses: DeviceLoss[] = [];
  const onDeviceLost = (loss: DeviceLoss): void => void losses.push(loss);
  const [one, two] = [await open({ onDeviceLost, recovery: false }), await open({ onDeviceLost })];
  const waits = gate();
  gpu.gate = waits.closed;
  for (const device of gpu.devices) device.destroy();
  await vi.waitUntil(() => losses.length === 2);
  two.dispose();
  const codes = await Promise.all(losses.map((loss) => failureOf(() => loss.recovered)));
  expect(codes.map(({ code }) => code).toSorted()).toEqual(['DEVICE_LOST', 'DISPOSED']);
  waits.open();
  one.dispose();
});

test('a listener that throws is an uncaught error of the page, and the model recovers', async () => {
  const thrown = new Error('from the app');
  const later: (() => void)[] = [];
  const losses: DeviceLoss[] = [];
  const model = await open({
    onDeviceLost: (loss) => {
      losses.push(loss);
      vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((work) => later.push(work));
      throw thrown;
    },
  });
  await gpu.lose();
  await vi.waitUntil(() => losses.length === 1);
  vi.restoreAllMocks();
  expect(later).toHaveLength(1);
  expect(later[0]).toThrow(thrown);
  await losses[0]!.recovered;
  const feeds = feedsOf(2);
  expectRight(await model.run(feeds), feeds);
  model.dispose();
});

test('a listener that is none is refused', async () => {
  const onDeviceLost = 'reload' as unknown as () => void;
  const refused = { code: 'INVALID_ARGUMENT', path: 'options.onDeviceLost' };
  await expect(open({ onDeviceLost })).rejects.toMatchObject(refused);
});
