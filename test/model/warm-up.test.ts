// Kernels that compile fast for the first result, the best ones for later: what changes under a
// caller's feet, and what must not. Only CPU adapters have slow kernels, so on a GPU these tests are
// skipped; `WEBGPU_RNN_ADAPTER=swiftshader npm run test:node` runs them anywhere.
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import type { Graph, LoadOptions, Model, Stream, Tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { architecture, getAdapter, vendor } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { requires } from '../support/requires.ts';

const onCpu = architecture === 'swiftshader' || (vendor === 'mesa' && architecture === 'software');
const [T, I, H] = [16, 8, 24]; // the best kernel has more products than one that compiles fast
const random = randomOf(11);
const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((n, dim) => n * dim, 1),
      0.4,
    ),
    dims,
  );
const graph: Graph = sequential([
  lstm({ W: floats(4 * H, I), R: floats(4 * H, H), B: floats(8 * H), returnSequences: true }),
]);
const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
const feedsOf = (steps = T): Record<string, Tensor> => ({ [input]: floats(1, steps, I) });

/** A device that tells which kernels it compiles. */
async function watched(): Promise<{ device: GPUDevice; compiled: string[] }> {
  const device = await (await getAdapter()).requestDevice();
  const compiled: string[] = [];
  const compile = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = (descriptor) => {
    compiled.push(descriptor.label!);
    return compile(descriptor);
  };
  return { device, compiled };
}

const opened: GPUDevice[] = [];
async function open(options: LoadOptions = {}): Promise<{
  model: Model;
  device: GPUDevice;
  compiled: string[];
}> {
  const { device, compiled } = await watched();
  opened.push(device);
  return { model: await loadModel(graph, { device, ...options }), device, compiled };
}
afterEach(() => {
  for (const device of opened.splice(0)) device.destroy();
});

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on('unhandledRejection', note);
afterAll(() => {
  process.off('unhandledRejection', note);
});

function expectRight(got: Record<string, Tensor>, feeds: Record<string, Tensor>): void {
  const want = runReference(graph, feeds).get(output)!;
  expectClose(got[output]!.data as Float32Array, want.data, { atol: 1e-5 });
}

const persistent = (names: readonly string[]): boolean => names.includes('recurrent-persistent');

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a first call, calls during the swap and later ones are right, in order', async () => {
  const { model } = await open();
  const done: number[] = [];
  const call = async (i: number): Promise<void> => {
    const feeds = feedsOf();
    expectRight(await model.run(feeds), feeds);
    done.push(i);
  };
  await call(0);
  const calls: Promise<void>[] = [];
  const compiling = new Set([model]);
  const warm = model.warmUp(feedsOf()).then(() => compiling.clear());
  while (compiling.size > 0) {
    calls.push(call(calls.length + 1), call(calls.length + 2)); // the second waits for its turn
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await warm;
  await Promise.all(calls);
  await call(calls.length + 1);
  expect(done).toEqual(done.map((_, i) => i));
});

test('warming up computes nothing, refuses what a run refuses, and a second one is free', async () => {
  const { model, compiled } = await open();
  await model.warmUp(feedsOf());
  const count = compiled.length;
  expect(count).toBeGreaterThan(0);
  await model.warmUp(feedsOf());
  const feeds = feedsOf();
  expectRight(await model.run(feeds), feeds);
  await model.warmUp(feedsOf(40));
  expect(compiled).toHaveLength(count);
  await expect(model.warmUp({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(
    model.warmUp(feedsOf(), { signal: AbortSignal.abort(new Error('enough')) }),
  ).rejects.toThrow('enough');
  model.dispose();
  await expect(model.warmUp(feedsOf())).rejects.toMatchObject({ code: 'DISPOSED' });
});

const needsCpu = requires(onCpu, 'kernels compile fast on a GPU, so there is one tier only');
describe('where the best kernels compile slowly', needsCpu, () => {
  test('the first result has quick kernels; the best follow by themselves, and their weights only', async () => {
    const { model, compiled } = await open();
    await model.run(feedsOf());
    expect(persistent(compiled)).toBe(false);
    const quickBytes = model.usage.weightBytes;
    await until(() => persistent(compiled));
    await model.warmUp(feedsOf());
    const bytes = model.usage.weightBytes;
    const other = (await open()).model;
    await other.warmUp(feedsOf());
    expect(bytes).toBe(other.usage.weightBytes);
    expect(Math.min(bytes, quickBytes)).toBeGreaterThan(0);
  });

  test('another length after that compiles nothing and has the best kernels at once', async () => {
    const { model, compiled } = await open();
    await model.run(feedsOf());
    await model.warmUp(feedsOf());
    const [{ pipelines }, bytes] = [model.usage, model.usage.weightBytes];
    const feeds = feedsOf(100);
    expectRight(await model.run(feeds), feeds);
    await model.warmUp(feedsOf(100));
    expect(model.usage.pipelines).toBe(pipelines);
    expect(model.usage.weightBytes).toBe(bytes);
    expect(compiled).toHaveLength(pipelines);
  });

  test('a kernel that is asked for is there from the start', async () => {
    const { model, compiled } = await open({ recurrentKernel: 'persistent' });
    await model.run(feedsOf());
    expect(persistent(compiled)).toBe(true);
    const count = compiled.length;
    await model.warmUp(feedsOf());
    expect(compiled).toHaveLength(count);
  });

  test('a stream goes on from its state when its kernels change', async () => {
    const { model, compiled } = await open();
    const whole = feedsOf(T * 6);
    const { data } = whole[input]! as Tensor<'float32'>;
    const stream: Stream = model.stream();
    const parts: number[] = [];
    for (let part = 0; part < 6; part++) {
      const chunk = tensor(data.slice(part * T * I, (part + 1) * T * I), [1, T, I]);
      if (part === 3) await stream.warmUp({ [input]: chunk });
      const got = await stream.step({ [input]: chunk });
      if (part === 0) expect(persistent(compiled)).toBe(false);
      parts.push(...(got[output]!.data as Float32Array));
    }
    expect(persistent(compiled)).toBe(true);
    expectRight({ [output]: tensor(Float32Array.from(parts), [1, T * 6, H]) }, whole);
  });

  test('a call that waits for its turn keeps the plan it was given, though another takes its place', async () => {
    const { model, device, compiled } = await open();
    const compile = device.createComputePipelineAsync.bind(device);
    const held: { persistent: boolean; release: () => void }[] = [];
    await model.run(feedsOf()).then(() => {
      device.createComputePipelineAsync = (descriptor) =>
        new Promise((resolve, reject) => {
          const release = (): void => void compile(descriptor).then(resolve, reject);
          held.push({ persistent: descriptor.label === 'recurrent-persistent', release });
        });
    });
    await until(() => held.some((item) => item.persistent));
    const [one, many] = [feedsOf(1), feedsOf()];
    const before = model.run(one); // has kernels of its own, so it holds up what comes after
    const waiting = model.run(many);
    // The best plan has a projection of its own too; the kernels of one step came last.
    const last = held.pop()!;
    for (const { release } of held) release();
    await until(() => persistent(compiled));
    await new Promise((resolve) => setTimeout(resolve, 400)); // compiled, and in its place
    last.release();
    expectRight(await before, one);
    expectRight(await waiting, many);
  });

  test('what fails in the background changes nothing, and is said once', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const { model, device } = await open();
    const compile = device.createComputePipelineAsync.bind(device);
    let refused = 0;
    device.createComputePipelineAsync = (descriptor) => {
      if (descriptor.label !== 'recurrent-persistent') return compile(descriptor);
      refused++;
      return Promise.reject(new Error('out of registers'));
    };
    await model.run(feedsOf());
    await model.warmUp(feedsOf());
    expect(refused).toBe(1);
    const feeds = feedsOf();
    expectRight(await model.run(feeds), feeds);
    // And where the best are asked for first, the quick ones serve.
    const other = feedsOf(T + 1);
    await model.warmUp(other);
    expectRight(await model.run(other), other);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.lastCall?.[1]).toMatchObject({ code: 'INTERNAL' });
    warn.mockRestore();
  });

  test('disposing while the best kernels compile leaves nothing on the device', async () => {
    const { model, device, compiled } = await open();
    let live = 0;
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      let here = 1;
      live++;
      buffer.destroy = () => {
        live -= here;
        here = 0;
        return destroy();
      };
      return buffer;
    };
    await model.run(feedsOf());
    await until(() => persistent(compiled));
    const warm = model.warmUp(feedsOf());
    model.dispose();
    await expect(warm).rejects.toMatchObject({ code: 'DISPOSED' });
    await until(() => live === 0); // the compile ends by itself
    expect(unhandled).toEqual([]);
  });

  test('a device that is lost while the best kernels compile: DEVICE_LOST, and no rejection left alone', async () => {
    const { model, device, compiled } = await open();
    await model.run(feedsOf());
    await until(() => persistent(compiled));
    const warm = model.warmUp(feedsOf());
    device.destroy();
    await expect(warm).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    await expect(model.run(feedsOf())).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    model.dispose();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(unhandled).toEqual([]);
  });
});
