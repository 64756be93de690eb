// The device is lost at the first, the second, … the last call that an operation makes to it: the result is right,
// or the operation rejects with DEVICE_LOST. Nothing hangs, nothing else is rejected, and nothing is uncaught.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, RnnError, type Model, type Stream } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { watchCalls } from '../support/gpu-calls.ts';
import { isFull, MORE_IN_FULL } from '../support/settings.ts';
import { expectRight, feedsOf, graph, stepsOf } from '../support/small-lstm.ts';

/** One of so many calls; with 1, which takes minutes, 611 losses. */
const STRIDE = isFull ? 3 : 17;
/** A call that takes longer has hung: the slowest compiles a kernel. */
const HANGS_AFTER_MS = 60_000;

const feeds = feedsOf(6);

interface Opened {
  readonly model: Model;
  readonly stream: Stream;
}

/** What is done to a model; it checks its own results. */
const OPERATIONS: Readonly<Record<string, (opened: Opened) => Promise<void>>> = {
  'a first run': async ({ model }) => expectRight(await model.run(feeds), feeds),
  'a run with results on the GPU': async ({ model }) => {
    const { Y } = await model.run(feeds, { output: 'gpu' });
    Y!.buffer.destroy();
  },
  'warming up, then a run': async ({ model }) => {
    await model.warmUp(feeds);
    expectRight(await model.run(feeds), feeds);
  },
  'steps of a stream': async ({ stream }) => {
    expectRight(await stream.step(stepsOf(feeds, 0, 2)), stepsOf(feeds, 0, 2));
    expectRight(await stream.step(stepsOf(feeds, 2, 4)), stepsOf(feeds, 0, 4), 2);
  },
  'a snapshot, a fork and a step of each': async ({ stream }) => {
    await stream.step(stepsOf(feeds, 0, 2));
    const state = await stream.snapshot();
    const fork = stream.fork();
    stream.reset();
    stream.restore(state);
    const steps = [stream, fork].map((each) => each.step(stepsOf(feeds, 2, 4)));
    const settled = await Promise.allSettled(steps);
    for (const each of settled) {
      if (each.status === 'rejected') throw each.reason;
      expectRight(each.value, stepsOf(feeds, 0, 4), 2);
    }
  },
};

const uncaught: unknown[] = [];
const note = (reason: unknown): void => void uncaught.push(reason);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

/** Rejects where the work has not ended in time. */
async function unlessHung<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), HANGS_AFTER_MS);
  });
  return Promise.race([work, hung]).finally(() => clearTimeout(timer));
}

/** Does an operation on a device that is lost at its call `at`. */
async function lostAt(operation: (opened: Opened) => Promise<void>, at: number) {
  const device = await (await getAdapter()).requestDevice();
  device.onuncapturederror = ({ error }) => note(error);
  const model = await loadModel(graph, { device });
  let calls = 0;
  let lost = false;
  watchCalls(device, () => {
    if (++calls !== at) return;
    lost = true;
    device.destroy();
  });
  const work = operation({ model, stream: model.stream() });
  const failure: unknown = await unlessHung(work).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (lost) {
    // The model is of no more use, and says so at once.
    const later: unknown = await unlessHung(model.run(feeds)).catch((error: unknown) => error);
    expect(later).toMatchObject({ code: 'DEVICE_LOST' });
  }
  model.dispose();
  device.destroy();
  return { failure, calls };
}

describe('a device that is lost at call', MORE_IN_FULL, () => {
  test.each(Object.keys(OPERATIONS))('1, 2, … of %s', async (name) => {
    const operation = OPERATIONS[name]!;
    const { failure, calls } = await lostAt(operation, Infinity);
    expect(failure).toBeUndefined();
    let lost = 0;
    for (let at = 1; at <= calls; at += STRIDE) {
      const result = await lostAt(operation, at);
      if (result.failure === undefined) continue; // it was lost when the work was done
      expect(result.failure, `call ${at}`).toBeInstanceOf(RnnError);
      expect(result.failure, `call ${at}`).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
      lost++;
    }
    expect(lost).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve)); // for rejections that nobody handles
    expect(uncaught).toEqual([]);
  });
});
