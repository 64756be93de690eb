// No room for buffers that are made outside of a plan: typed errors, nothing dead left, and the next
// call is right.
import { afterEach, describe, expect, test } from 'vitest';
import { loadModel, tensor } from '../../src/index.ts';
import type { Model } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { countBuffers, runOutOfMemory } from '../support/fake-gpu.ts';
import { expectRight, failureOf, feedsOf, graph, stepsOf } from '../support/small-lstm.ts';

const opened: { model: Model; device: GPUDevice }[] = [];
afterEach(() => {
  for (const { model, device } of opened.splice(0)) {
    model.dispose();
    device.destroy();
  }
});

/** A model on a device that has no memory for buffers with some labels while `full` says so. */
async function open(label: RegExp) {
  const device = await (await getAdapter()).requestDevice();
  const live = countBuffers(device);
  const memory = { full: false };
  const failures = runOutOfMemory(device, (made) => memory.full && label.test(made.label ?? ''));
  const uncaught: string[] = [];
  device.onuncapturederror = ({ error }) => void uncaught.push(error.message);
  const model = await loadModel(graph, { device });
  opened.push({ model, device });
  return { model, device, live, memory, failures, uncaught };
}

describe('no room for', () => {
  test('results to read back', async () => {
    const { model, live, memory, failures, uncaught } = await open(/results to read back/);
    const [small, large] = [feedsOf(2), feedsOf(40)];
    await model.warmUp(small);
    await model.warmUp(large);
    await model.run(small);
    const before = live();
    memory.full = true;
    const error = await failureOf(() => model.run(large));
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', path: 'device' });
    expect(error.message).toMatch(/no memory today/);
    memory.full = false;
    expectRight(await model.run(large), large);
    expect(live()).toBeLessThanOrEqual(before);
    expect(failures()).toBe(1);
    expect(uncaught).toEqual([]);
  });

  test('results of a step: the state is as before', async () => {
    const { model, memory } = await open(/results to read back/);
    const stream = model.stream();
    const feeds = feedsOf(42);
    await stream.warmUp(stepsOf(feeds, 0, 40));
    await stream.step(stepsOf(feeds, 0, 1));
    memory.full = true;
    const step = () => stream.step(stepsOf(feeds, 1, 41));
    expect((await failureOf(step)).code).toBe('OUT_OF_MEMORY');
    memory.full = false;
    expectRight(await step(), stepsOf(feeds, 0, 41), 1);
  });

  test('the state of a stream: it begins when there is room', async () => {
    const { model, memory, uncaught } = await open(/inputs\.lstm/);
    const [other, stream] = [model.stream(), model.stream()];
    const feeds = feedsOf(3);
    await other.step(stepsOf(feeds, 0, 1));
    stream.restore(await other.snapshot());
    await stream.warmUp(stepsOf(feeds, 1, 2));
    memory.full = true;
    const calls = [1, 2].map((t) => failureOf(() => stream.step(stepsOf(feeds, t, t + 1))));
    for (const error of await Promise.all(calls)) expect(error.code).toBe('OUT_OF_MEMORY');
    memory.full = false;
    expectRight(await stream.step(stepsOf(feeds, 1, 3)), feeds, 1);
    expect(uncaught).toEqual([]);
  });

  test('the state of a fork: its calls say so until it is given one; the source goes on', async () => {
    const { model, memory, live } = await open(/inputs\.lstm/);
    const stream = model.stream();
    const feeds = feedsOf(3);
    await stream.step(stepsOf(feeds, 0, 1));
    const state = await stream.snapshot();
    const before = live();
    memory.full = true;
    const fork = stream.fork();
    for (const call of [() => fork.step(stepsOf(feeds, 1, 2)), () => fork.snapshot()]) {
      expect((await failureOf(call)).code).toBe('OUT_OF_MEMORY');
    }
    expect(live()).toBe(before);
    memory.full = false;
    expectRight(await stream.step(stepsOf(feeds, 1, 2)), stepsOf(feeds, 0, 2), 1);
    fork.restore(state);
    expectRight(await fork.step(stepsOf(feeds, 1, 3)), feeds, 1);
  });

  test('results that stay on the GPU', async () => {
    const { model, memory, live, uncaught } = await open(/output 'Y'/);
    const feeds = feedsOf();
    await model.run(feeds);
    await model.warmUp(feeds);
    const before = live();
    memory.full = true;
    const error = await failureOf(() => model.run(feeds, { output: 'gpu' }));
    expect(error.code).toBe('OUT_OF_MEMORY');
    expect(live()).toBe(before);
    memory.full = false;
    const { Y } = await model.run(feeds, { output: 'gpu' });
    expect(Y!.buffer.size).toBeGreaterThan(0);
    Y!.buffer.destroy();
    expect(uncaught).toEqual([]);
  });
});

test('results whose sum no buffer can hold are refused before any work', async () => {
  const device = await (await getAdapter()).requestDevice();
  const limits = new Proxy(device.limits, {
    // Each output fits, and so do weights and parameters; both outputs together do not.
    get: (target, name) => (name === 'maxBufferSize' ? 4096 : Reflect.get(target, name, target)),
  });
  Object.defineProperty(device, 'limits', { value: limits });
  const twice = {
    name: 'twice',
    inputs: [{ name: 'x', type: 'float32', dims: ['n'] }],
    outputs: ['a', 'b'].map((name) => ({ name, type: 'float32', dims: ['n'] })),
    constants: new Map(),
    nodes: ['a', 'b'].map((name) => ({
      op: 'Neg',
      name,
      inputs: ['x'],
      outputs: [name],
      attributes: {},
    })),
  } as const;
  const model = await loadModel(twice as never, { device });
  opened.push({ model, device });

  const x = tensor(new Float32Array(1000).fill(2));
  const error = await failureOf(() => model.run({ x }));
  expect(error.code).toBe('LIMIT_EXCEEDED');
  expect(error.message).toMatch(/maxBufferSize 4096/);
  const { a } = await model.run({ x }, { outputs: ['a'] });
  expect(a!.data).toEqual(new Float32Array(1000).fill(-2));
});

test('a loss that follows running out of memory says so', async () => {
  const { model, device, memory } = await open(/results to read back/);
  memory.full = true;
  const feeds = feedsOf();
  expect((await failureOf(() => model.run(feeds))).code).toBe('OUT_OF_MEMORY');
  device.destroy();
  const error = await failureOf(() => model.run(feeds));
  expect(error.code).toBe('DEVICE_LOST');
  expect(error.message).toMatch(/after it ran out of memory/);
});
