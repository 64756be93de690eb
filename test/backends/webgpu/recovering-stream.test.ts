// A stream whose device is lost: it goes on from its checkpoint, or says that it begins anew.
import { describe, expect, test } from 'vitest';
import type { LoadOptions, Model, Stream, Tensor } from '../../../src/index.ts';
import { runOutOfMemory } from '../../support/fake-gpu.ts';
import { gate, LosingGpu } from '../../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf, stepsOf } from '../../support/small-lstm.ts';

const gpu = new LosingGpu();
const open = async (options?: LoadOptions): Promise<Model> => (await gpu.load(options)).model;

const COUNT = 8;
const feeds = feedsOf(COUNT);
const frame = (t: number) => stepsOf(feeds, t, t + 1);
const upTo = (t: number) => stepsOf(feeds, 0, t);

/** Steps `from` to `to`, each right as one of the whole sequence. */
async function expectSteps(stream: Stream, from: number, to: number): Promise<void> {
  for (let t = from; t < to; t++) expectRight(await stream.step(frame(t)), upTo(t + 1), t);
}

async function expectLost(call: () => unknown): Promise<void> {
  const error = await failureOf(call);
  expect(error).toMatchObject({ code: 'DEVICE_LOST', path: 'stream' });
  expect(error.message).toMatch(/lost \(.*\), and the state .* begins anew .*checkpoint/);
}

describe('with a checkpoint', () => {
  test.each([
    [1, 5],
    [3, 3],
    [100, 0],
  ])('every %i steps, 5 are done: it goes on after %i', async (checkpoint, steps) => {
    const stream = (await open()).stream({ checkpoint });
    await expectSteps(stream, 0, 5);
    expect(stream.steps).toBe(5);
    await gpu.lose();
    expect(stream.steps).toBe(steps);
    await expectSteps(stream, steps, 6);
    await gpu.lose();
    await expectSteps(stream, stream.steps, COUNT);
    expect(stream.steps).toBe(COUNT);
    expect(gpu.devices).toHaveLength(3);
  });

  test.each([1, 3])('every %i steps, with steps under way', async (checkpoint) => {
    const stream = (await open()).stream({ checkpoint });
    const calls = Array.from({ length: COUNT }, (_, t) => stream.step(frame(t)));
    const settled = Promise.allSettled(calls);
    await calls[3];
    const lost = gpu.lose();
    let done = 0;
    for (const [t, result] of (await settled).entries()) {
      if (result.status === 'fulfilled') {
        done++;
        expectRight(result.value, upTo(t + 1), t);
      } else expect(result.reason).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
    }
    await lost;
    expect(stream.steps % checkpoint).toBe(0);
    expect(stream.steps).toBeGreaterThan(done - checkpoint);
    await expectSteps(stream, stream.steps, COUNT);
  });

  test('a failed step has taken it back already when it rejects', async () => {
    const stream = (await open()).stream({ checkpoint: 2 });
    const outputs: Record<string, Tensor>[] = [];
    let failures = 0;
    while (stream.steps < COUNT) {
      const t = stream.steps;
      try {
        const step = stream.step(frame(t));
        if (t === 5 && failures === 0) void gpu.lose();
        outputs[t] = await step;
      } catch (error) {
        expect(error).toMatchObject({ code: 'DEVICE_LOST' });
        failures++;
        expect(stream.steps).toBe(4);
      }
    }
    expect(failures).toBe(1);
    for (const [t, output] of outputs.entries()) expectRight(output, upTo(t + 1), t);
  });

  test('a state that was restored is one, and so is the initial one after a reset', async () => {
    const stream = (await open()).stream({ checkpoint: 2 });
    await expectSteps(stream, 0, 3);
    const snapshot = await stream.snapshot();
    await expectSteps(stream, 3, 5);
    stream.restore(snapshot);
    expect(stream.steps).toBe(0);
    await expectSteps(stream, 3, 4);
    await gpu.lose();
    expect(stream.steps).toBe(0);
    await expectSteps(stream, 3, 6);
    stream.reset();
    await expectSteps(stream, 0, 1);
    await gpu.lose();
    await expectSteps(stream, 0, 2);
  });

  test('a copy is made where no outputs are wanted', async () => {
    const stream = (await open()).stream({ checkpoint: 2 });
    for (let t = 0; t < 3; t++) expect(await stream.step(frame(t), { outputs: [] })).toEqual({});
    await gpu.lose();
    await expectSteps(stream, 2, 4);
  });

  test('a copy that arrives after a reset is none', async () => {
    const stream = (await open()).stream({ checkpoint: 1 });
    await expectSteps(stream, 0, 1);
    const step = stream.step(frame(1)); // submitted: nothing is before it
    stream.reset();
    await step;
    await gpu.lose();
    expect(stream.steps).toBe(0);
    await expectSteps(stream, 0, 2);
  });

  test('forks have their own from then on', async () => {
    const stream = (await open()).stream({ checkpoint: 2 });
    await expectSteps(stream, 0, 3);
    const fork = stream.fork();
    await expectSteps(fork, 3, 6);
    expect([stream.steps, fork.steps]).toEqual([3, 6]);
    await gpu.lose();
    expect([stream.steps, fork.steps]).toEqual([2, 6]);
    await expectSteps(stream, 2, 4);
    await expectSteps(fork, 6, 7);
    await gpu.lose();
    const late = stream.fork(); // while there is no device
    await expectSteps(late, late.steps, COUNT);
    await expectSteps(stream, 4, COUNT);
  });

  test('a step that the device refuses is not counted', async () => {
    const stream = (await open()).stream({ checkpoint: 2 });
    const memory = { full: false };
    runOutOfMemory(gpu.device, ({ label }) => memory.full && /read back/.test(label ?? ''));
    await expectSteps(stream, 0, 1);
    memory.full = true;
    // Staging buffers that there are serve one step; all that overlap need more.
    const overlapping = [1, 2, 3].map((t) => stream.step(frame(t)));
    const results = await Promise.allSettled(overlapping);
    memory.full = false;
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: 'OUT_OF_MEMORY' });
    }
    expect(stream.steps).toBe(4 - refused.length);
  });

  test('the steps of one that is aborted say whether it has moved the state', async () => {
    const stream = (await open()).stream({ checkpoint: 1 });
    await expectSteps(stream, 0, 2);
    const controller = new AbortController();
    const step = stream.step(frame(2), { signal: controller.signal }); // submitted: nothing is before it
    const waits = stream.step(frame(3), { signal: AbortSignal.abort() });
    controller.abort();
    await expect(step).rejects.toMatchObject({ name: 'AbortError' });
    await expect(waits).rejects.toMatchObject({ name: 'AbortError' });
    expect(stream.steps).toBe(3);
    await expectSteps(stream, 3, 5);
  });
});

describe('without a checkpoint', () => {
  test('it says once that the state is lost, and begins anew', async () => {
    const model = await open();
    const [stepped, read] = [model.stream(), model.stream()];
    await Promise.all([expectSteps(stepped, 0, 2), expectSteps(read, 0, 2)]);
    await gpu.lose();
    expect(stepped.steps).toBe(0);
    await stepped.warmUp(frame(0));
    await expectLost(() => stepped.step(frame(2)));
    await expectSteps(stepped, 0, 2);
    await expectLost(() => read.snapshot());
    expect(await read.snapshot()).toEqual({});
    await expectSteps(read, 0, 2);
  });

  test('it says so however many devices are lost before somebody asks', async () => {
    const model = await open();
    const stream = model.stream();
    await expectSteps(stream, 0, 2);
    for (let i = 0; i < 2; i++) {
      await gpu.lose();
      await model.run(feeds);
    }
    await expectLost(() => stream.step(frame(2)));
    await expectSteps(stream, 0, 2);
  });

  test('there is nothing to lose in the initial state, nor where nothing is carried', async () => {
    const model = await open();
    const [fresh, reset, none] = [model.stream(), model.stream(), model.stream({ carry: [] })];
    await Promise.all([expectSteps(reset, 0, 2), none.step(frame(0))]);
    reset.reset();
    await gpu.lose();
    await expectSteps(fresh, 0, 1);
    await expectSteps(reset, 0, 1);
    expectRight(await none.step(frame(3)), frame(3));
  });

  test('whoever resets or restores knows', async () => {
    const model = await open();
    const [reset, restored] = [model.stream(), model.stream()];
    await Promise.all([expectSteps(reset, 0, 2), expectSteps(restored, 0, 2)]);
    const snapshot = await restored.snapshot();
    await gpu.lose();
    reset.reset();
    restored.restore(snapshot);
    await expectSteps(restored, 2, 4);
    await expectSteps(reset, 0, 2);
  });

  test('a restored state is lost like another', async () => {
    const model = await open();
    const [stream, other] = [model.stream(), model.stream()];
    await expectSteps(stream, 0, 2);
    other.restore(await stream.snapshot());
    await gpu.lose();
    await expectLost(() => other.step(frame(2)));
  });

  test.each([0, 1])('a fork of a lost state says so itself (devices: %i)', async (devices) => {
    const model = await open();
    const stream = model.stream();
    await expectSteps(stream, 0, 2);
    const before = stream.fork();
    await gpu.lose();
    if (devices > 0) await model.run(feeds);
    const after = stream.fork();
    await expectLost(() => before.step(frame(2)));
    await expectLost(() => after.step(frame(2)));
    await expectLost(() => stream.step(frame(2)));
    for (const each of [before, after, stream]) await expectSteps(each, 0, 2);
  });
});

describe('calls without a promise that a loss overtakes', () => {
  test.each([undefined, 3])('take effect (checkpoint: %s)', async (checkpoint) => {
    const model = await open();
    const options = checkpoint === undefined ? {} : { checkpoint };
    const [reset, restored] = [model.stream(options), model.stream(options)];
    await Promise.all([expectSteps(reset, 0, 3), expectSteps(restored, 0, 3)]);
    const snapshot = await restored.snapshot();
    // A new number of steps compiles or plans, so that what follows waits behind it.
    const pending = [reset, restored].map((stream) =>
      failureOf(() => stream.step(stepsOf(feeds, 3, 6))),
    );
    reset.reset();
    restored.restore(snapshot);
    expect([reset.steps, restored.steps]).toEqual([0, 0]);
    const lost = gpu.lose();
    for (const error of await Promise.all(pending)) expect(error.path).toBe('device');
    await lost;
    await expectSteps(reset, 0, 2);
    if (checkpoint === undefined) await expectLost(() => restored.step(frame(3)));
    else await expectSteps(restored, 3, 5);
  });
});

test('calls that wait for a device take effect in the order they are made', async () => {
  const model = await open();
  const stream = model.stream({ checkpoint: 1 });
  await expectSteps(stream, 0, 2);
  const early = await stream.snapshot();
  await expectSteps(stream, 2, 3);
  const { closed, open: release } = gate();
  gpu.gate = closed;
  await gpu.lose();
  const controller = new AbortController();
  const taken = stream.step(frame(0), { signal: controller.signal });
  const third = stream.step(frame(3));
  const snapshot = stream.snapshot();
  const fork = stream.fork();
  const forked = fork.step(frame(4));
  stream.reset();
  const first = stream.step(frame(0));
  stream.restore(early);
  const again = stream.step(frame(2));
  const fresh = model.stream().step(frame(0));
  stream.dispose();
  controller.abort(new Error('enough'));
  await expect(taken).rejects.toThrow('enough');
  expect((await failureOf(() => stream.step(frame(3)))).code).toBe('DISPOSED');
  expect(await failureOf(async () => fork.restore({ h: 1 } as never))).toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  release();
  expectRight(await third, upTo(4), 3);
  expectRight(await forked, upTo(5), 4);
  expectRight(await first, upTo(1));
  expectRight(await again, upTo(3), 2);
  expect(stream.steps).toBe(1); // since it was restored
  expectRight(await fresh, upTo(1));
  fork.restore(await snapshot);
  await expectSteps(fork, 4, COUNT);
});

describe.each(['webgpu', 'wasm', 'reference'] as const)('on %s', (device) => {
  test('the steps in the state are counted', async () => {
    const model = await open({ device });
    const stream = model.stream({ checkpoint: 2 });
    expect(stream.steps).toBe(0);
    await expectSteps(stream, 0, 3);
    const fork = stream.fork();
    const snapshot = await stream.snapshot();
    expect([stream.steps, fork.steps]).toEqual([3, 3]);
    await fork.step(stepsOf(feeds, 3, 5)); // a step may have several time steps
    await failureOf(() => stream.step({}));
    expect([stream.steps, fork.steps]).toEqual([3, 4]);
    fork.reset();
    stream.restore(snapshot);
    expect([stream.steps, fork.steps]).toEqual([0, 0]);
    await expectSteps(stream, 3, 4);
    expect(stream.steps).toBe(1);
  });

  test.each([0, -1, 1.5, Number.NaN, '3', null])('a checkpoint of %s is refused', async (value) => {
    const model = await open({ device });
    const error = await failureOf(async () => model.stream({ checkpoint: value as number }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.checkpoint' });
  });
});
