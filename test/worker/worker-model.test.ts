// A model on the other side of a port, here in the same thread: what is sent is copied and moved as between threads.
import { afterEach, describe, expect, test } from 'vitest';
import { createWorkerModel, loadModel, RnnError, tensor } from '../../src/index.ts';
import type { Tensor, WorkerModelOptions } from '../../src/index.ts';
import { serveModels } from '../../src/worker/serve.ts';
import { randomOf } from '../support/random.ts';
import { soundModel } from '../support/sound-model.ts';

const HOP = 8;
const bytes = soundModel(HOP);
const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A port to a worker. */
function workerPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  serveModels(port2);
  port2.start();
  return port1;
}

const create = (options: WorkerModelOptions = {}, source: Uint8Array = bytes) =>
  createWorkerModel(source, { device: 'wasm', worker: workerPort(), ...options });

const input = (steps: number, seed = 1): { X: Tensor } => ({
  X: tensor(randomOf(seed).floats(steps * HOP), [steps, 1, HOP]),
});

test('it tells what loadModel tells, and runs give the same', async () => {
  const [here, there] = [await loadModel(bytes, { device: 'wasm' }), await create()];
  const { inputs, outputs, backend, reason, adapter } = here;
  expect({ ...there }).toEqual({ inputs, outputs });
  expect([there.backend, there.reason, there.adapter]).toEqual([backend, reason, adapter]);
  await there.warmUp(input(5));
  await there.warmUp({ lengths: [1, 5] });
  await expect(there.warmUp({ lengths: [5, 1] })).rejects.toMatchObject({ path: 'range.lengths' });
  expect(await there.run(input(5))).toEqual(await here.run(input(5)));
  expect(Object.keys(await there.run(input(5), { outputs: [] }))).toEqual([]);
  there.dispose();
  here.dispose();
});

test('streams step, reset, save, restore and fork in the order of the calls', async () => {
  const [here, there] = [await loadModel(bytes, { device: 'wasm' }), await create()];
  const [want, got] = [here.stream(), await there.stream()];
  expect(got.stateNames).toEqual(want.stateNames);
  expect(got.steps).toBe(0);
  const steps = await Promise.all([1, 2, 3].map((seed) => got.step(input(2, seed))));
  expect(got.steps).toBe(3);
  expect(steps).toEqual(await Promise.all([1, 2, 3].map((seed) => want.step(input(2, seed)))));
  const [saved, fork] = [await got.snapshot(), await got.fork()];
  expect(saved).toEqual(await want.snapshot());
  expect(fork.steps).toBe(3);
  const next = await want.step(input(1, 4));
  expect(await got.step(input(1, 4))).toEqual(next);
  expect(await fork.step(input(1, 4))).toEqual(next);
  expect([got.steps, fork.steps]).toEqual([4, 4]);
  await got.restore(saved);
  expect(got.steps).toBe(want.steps - 4);
  await got.warmUp(input(1));
  expect(await got.step(input(1, 4))).toEqual(next);
  want.reset();
  void got.reset(); // takes effect before the step, as there
  expect(await got.step(input(1, 5))).toEqual(await want.step(input(1, 5)));
  await fork.dispose();
  await expect(fork.step(input(1))).rejects.toMatchObject({ code: 'DISPOSED', path: 'stream' });
  there.dispose();
});

test('several models share a worker', async () => {
  const worker = workerPort();
  const [one, two] = [await create({ worker }), await create({ worker }, soundModel(4))];
  const X = tensor(new Float32Array(4), [1, 1, 4]);
  expect((await two.run({ X })).Y!.dims).toEqual([1, 1, 1, 4]);
  two.dispose();
  expect((await one.run(input(3))).Y!.dims).toEqual([3, 1, 1, HOP]);
  one.dispose();
});

test('feeds are copied, or moved where asked', async () => {
  const model = await create();
  const feeds = input(2);
  const copied = await model.run(feeds);
  expect(feeds.X.data.length).toBe(2 * HOP);
  expect(await model.run(feeds, { transfer: true })).toEqual(copied);
  expect(feeds.X.data.length).toBe(0);
  const moved = Uint8Array.from(bytes);
  (await create({ transfer: true }, moved)).dispose();
  expect(moved.length).toBe(0);
  model.dispose();
});

describe('errors', () => {
  test('keep code and path', async () => {
    const broken = create({}, Uint8Array.of(8, 9, 18, 200));
    await expect(broken).rejects.toBeInstanceOf(RnnError);
    await expect(broken).rejects.toMatchObject({ code: 'INVALID_MODEL' });
    const model = await create();
    const wrong = { X: tensor(new Float32Array(9), [1, 1, 9]) };
    const same = await loadModel(bytes, { device: 'wasm' });
    const want = (await same.run(wrong).catch((error: unknown) => error)) as RnnError;
    const { code, path, message } = want;
    await expect(model.run(wrong)).rejects.toMatchObject({ code, path, message });
    await expect(model.stream({ batch: 0 })).rejects.toMatchObject({ path: 'options.batch' });
    const stream = await model.stream();
    const state = { other: tensor(Float32Array.of(1), [1]) };
    await expect(stream.restore(state)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    model.dispose();
  });

  test('of what cannot be sent', async () => {
    const device = {} as 'wasm';
    await expect(create({ device })).rejects.toMatchObject({ path: 'options.device' });
    const misspelt = { devise: 'wasm' } as WorkerModelOptions;
    await expect(create(misspelt)).rejects.toMatchObject({ path: 'options.devise' });
    const model = await create();
    const feeds = { X: (() => 1) as unknown as Tensor };
    await expect(model.run(feeds)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', path: 'run' });
    const X = { type: 'float32', dims: [1, 1, HOP], buffer: {} } as unknown as Tensor;
    const stream = await model.stream();
    for (const call of [
      () => model.run({ X }),
      () => stream.step({ X }),
      () => model.warmUp({ X }),
    ]) {
      const code = 'INVALID_ARGUMENT';
      await expect(call()).rejects.toMatchObject({ code, path: 'feeds.X' });
    }
    const onGpu = { output: 'gpu' } as object;
    for (const call of [() => model.run(input(1), onGpu), () => stream.step(input(1), onGpu)]) {
      const code = 'INVALID_ARGUMENT';
      await expect(call()).rejects.toMatchObject({ code, path: 'options.output' });
    }
    model.dispose();
    await expect(createWorkerModel(bytes)).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  });

  test('a call that is aborted rejects with the reason, before and after it was sent', async () => {
    const model = await create();
    const controller = new AbortController();
    const { signal } = controller;
    const running = model.run(input(4), { signal });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect(model.run(input(4), { signal })).rejects.toThrow('enough');
    expect((await model.run(input(4))).Y!.dims[0]).toBe(4);
    await expect(create({ signal })).rejects.toThrow('enough');
    model.dispose();
  });

  test('what waits and what comes after dispose is rejected', async () => {
    const model = await create();
    const stream = await model.stream();
    const waiting = model.run(input(2));
    model.dispose();
    model.dispose();
    await expect(waiting).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(model.run(input(2))).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(stream.step(input(2))).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});

test('of a worker that an app has ended, dispose rejects what is pending', async () => {
  const port = workerPort();
  const model = await createWorkerModel(bytes, { device: 'wasm', worker: port });
  const stream = await model.stream();
  for (const end of ports.splice(0)) if (end !== port) end.close(); // as `terminate()` does: nothing is told
  const pending = [model.run(input(2)), stream.step(input(2)), stream.snapshot()];
  model.dispose();
  for (const { reason } of (await Promise.allSettled(pending)) as PromiseRejectedResult[]) {
    expect(reason).toBeInstanceOf(RnnError);
    expect(reason).toMatchObject({ code: 'DISPOSED' });
  }
  await expect(model.run(input(2))).rejects.toMatchObject({ code: 'DISPOSED' });
});
