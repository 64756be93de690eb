// A model in a real worker of the page, one that an app brings: that of the package is for its bundler, in test/package.
import { afterEach, expect, test } from 'vitest';
import { createWorkerModel, loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import { randomOf } from '../support/random.ts';
import { soundModel } from '../support/sound-model.ts';

const HOP = 8;
const X = tensor(randomOf(1).floats(3 * HOP), [3, 1, HOP]);

const workers: Worker[] = [];
afterEach(() => {
  for (const worker of workers.splice(0)) worker.terminate();
});

async function startWorker(): Promise<Worker> {
  const worker = new Worker(new URL('./plain.worker.ts', import.meta.url), { type: 'module' });
  workers.push(worker);
  await new Promise((resolve) => worker.addEventListener('message', resolve, { once: true }));
  return worker;
}

test.each(['wasm', 'webgpu'] as const)('a worker computes on %s', async (device) => {
  const here = await loadModel(soundModel(HOP), { device });
  const there = await createWorkerModel(soundModel(HOP), { device, worker: await startWorker() });
  expect(there.backend).toBe(device);
  expect(await there.run({ X })).toEqual(await here.run({ X }));
  const [stream, same] = [await there.stream(), here.stream()];
  for (let step = 0; step < 2; step++)
    expect(await stream.step({ X })).toEqual(await same.step({ X }));
  expect(await stream.snapshot()).toEqual(await same.snapshot());
  there.dispose();
  here.dispose();
});

test('graphs made in code, and addresses relative to the page', async () => {
  const worker = await startWorker();
  const random = randomOf(2);
  const floats = (...dims: [number, number]) => tensor(random.floats(dims[0] * dims[1]), dims);
  const graph = sequential([lstm({ W: floats(8, 3), R: floats(8, 2) })], { layout: 0 });
  const model = await createWorkerModel(graph, { device: 'wasm', worker });
  expect(model.inputs).toEqual(graph.inputs);
  model.dispose();
  const file = URL.createObjectURL(new Blob([soundModel(HOP) as Uint8Array<ArrayBuffer>]));
  const seen: number[] = [];
  const onProgress = ({ loaded }: { loaded: number }): void => void seen.push(loaded);
  const fetched = await createWorkerModel(file, { device: 'wasm', worker, onProgress });
  expect((await fetched.run({ X })).Y!.dims).toEqual([3, 1, 1, HOP]);
  expect(seen.at(-1)).toBe(soundModel(HOP).length);
  fetched.dispose();
  await expect(createWorkerModel('none-such.onnx', { worker })).rejects.toMatchObject({
    code: 'FETCH_FAILED',
    message: expect.stringContaining(new URL('none-such.onnx', document.baseURI).href),
  });
});

test('a worker that cannot be loaded is an error', async () => {
  const worker = new Worker('/none-such-worker.js', { type: 'module' });
  const failed = createWorkerModel(soundModel(HOP), { worker });
  await expect(failed).rejects.toMatchObject({ code: 'INTERNAL', path: 'worker' });
});
