// A device of the package is lost at the first, the second, … the last call that it gets: the model goes on with
// another one, and a stream with a checkpoint gives every result of its sequence.
import { expect, test } from 'vitest';
import { RnnError } from '../../src/index.ts';
import type { Tensor } from '../../src/index.ts';
import { watchCalls } from '../support/gpu-calls.ts';
import { LosingGpu } from '../support/losing-gpu.ts';
import { isFull, MORE_IN_FULL } from '../support/settings.ts';
import { expectRight, feedsOf, stepsOf } from '../support/small-lstm.ts';

/** One of so many calls. */
const STRIDE = isFull ? 3 : 41;
const STEPS = 5;

const gpu = new LosingGpu();
const feeds = feedsOf(STEPS);

/** A sequence step by step with the device lost at its call `at`; says how often, and how many calls there were. */
async function lostAt(checkpoint: number, at: number): Promise<{ losses: number; calls: number }> {
  const { model, losses } = await gpu.load();
  const { device } = gpu;
  let calls = 0;
  watchCalls(device, () => {
    if (++calls === at) device.destroy();
  });
  const stream = model.stream({ checkpoint });
  const outputs: Record<string, Tensor>[] = [];
  let failures = 0;
  while (stream.steps < STEPS) {
    const t = stream.steps;
    try {
      outputs[t] = await stream.step(stepsOf(feeds, t, t + 1));
    } catch (error) {
      expect(error, `call ${at}`).toBeInstanceOf(RnnError);
      expect(error, `call ${at}`).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
      expect(stream.steps % checkpoint).toBe(0);
      failures++;
    }
  }
  expect(failures, `call ${at}`).toBeLessThanOrEqual(1);
  for (const [t, output] of outputs.entries()) expectRight(output, stepsOf(feeds, 0, t + 1), t);
  expect(outputs).toHaveLength(STEPS);
  const run = async (): Promise<void> => expectRight(await model.run(feeds), feeds);
  await run().catch((error: unknown) => {
    expect(error, `call ${at}`).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
    return run();
  });
  model.dispose();
  return { losses: losses.length, calls };
}

test.each([1, 2])('with a checkpoint every %i steps', MORE_IN_FULL, async (checkpoint) => {
  const { calls, losses } = await lostAt(checkpoint, Infinity);
  expect(losses).toBe(0);
  let lost = 0;
  for (let at = 1; at <= calls; at += STRIDE) lost += (await lostAt(checkpoint, at)).losses;
  expect(lost).toBeGreaterThan(calls / STRIDE / 2);
});
