// Streams through random steps, losses, resets, snapshots and forks, against a list of the frames that their
// states should contain.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RnnError, tensor } from '../../../src/index.ts';
import type { Model, Stream, StreamState, Tensor } from '../../../src/index.ts';
import { LosingGpu } from '../../support/losing-gpu.ts';
import { expectForAll, oneOf } from '../../support/property.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../../support/settings.ts';
import { expectRight, feedsOf, I, stepsOf } from '../../support/small-lstm.ts';

const CASES = casesOf(4, 60);
const gpu = new LosingGpu();

const ACTIONS = [
  'step',
  'step',
  'step',
  'burst',
  'lose',
  'reset',
  'snapshot',
  'restore',
  'fork',
] as const;
const cases = fc.record({
  checkpoint: oneOf([undefined, 1, 2, 3] as const),
  actions: fc.array(oneOf(ACTIONS), { minLength: 4, maxLength: 20 }),
  /** Whether calls right after a loss wait for the next device. */
  waits: fc.boolean(),
});

type Frame = number; // an index into the pool
const pool = feedsOf(40);
const feedsFor = (frames: readonly Frame[]): Record<string, Tensor> => {
  const data = frames.flatMap((t) => Array.from(stepsOf(pool, t, t + 1).X.data));
  return { X: tensor(Float32Array.from(data), [1, frames.length, I]) };
};

/** A stream with what should be in it. */
interface Tracked {
  readonly stream: Stream;
  /** Frames in the state when the count of its steps began. */
  base: readonly Frame[];
  /** Frames since. */
  since: Frame[];
  /** Whether the next call should say that the state is lost. */
  lost: boolean;
}

/** A snapshot with the frames that are in it. */
interface Kept {
  readonly state: StreamState;
  readonly frames: readonly Frame[];
}

const framesIn = ({ base, since }: Tracked): readonly Frame[] => [...base, ...since];

/** Frames at which the latest copy of the state was made, at least, of `done` frames and at most of `all`. */
function expectCheckpoint(steps: number, every: number, done: number, all: number): void {
  expect(steps % every).toBe(0);
  expect(steps).toBeGreaterThan(done - every);
  expect(steps).toBeLessThanOrEqual(all);
}

class Play {
  readonly #model: Model;
  readonly #checkpoint: number | undefined;
  readonly #streams: Tracked[] = [];
  readonly #snapshots: Kept[] = [];
  #next = 0;

  constructor(model: Model, checkpoint: number | undefined) {
    this.#model = model;
    this.#checkpoint = checkpoint;
    const stream = model.stream(checkpoint === undefined ? {} : { checkpoint });
    this.#streams.push({ stream, base: [], since: [], lost: false });
  }

  /** The stream that the next action is for. */
  #chosen(): Tracked {
    return this.#streams[this.#next++ % this.#streams.length]!;
  }

  /** Whether a call says that the state is lost, where it should, and only there. */
  async #says(tracked: Tracked, call: () => Promise<unknown>): Promise<boolean> {
    if (!tracked.lost) return false;
    const error: unknown = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(RnnError);
    expect(error).toMatchObject({ code: 'DEVICE_LOST', path: 'stream' });
    tracked.lost = false;
    return true;
  }

  async step(): Promise<void> {
    const tracked = this.#chosen();
    const frame = this.#next % 40;
    const call = () => tracked.stream.step(feedsFor([frame]));
    if (await this.#says(tracked, call)) return;
    const got = await call();
    tracked.since.push(frame);
    const frames = framesIn(tracked);
    expectRight(got, feedsFor(frames), frames.length - 1);
    expect(tracked.stream.steps).toBe(tracked.since.length);
  }

  async snapshot(): Promise<void> {
    const tracked = this.#chosen();
    if (await this.#says(tracked, () => tracked.stream.snapshot())) return;
    const state = await tracked.stream.snapshot();
    this.#snapshots.push({ state, frames: framesIn(tracked) });
  }

  reset(): void {
    const tracked = this.#chosen();
    tracked.stream.reset();
    Object.assign(tracked, { base: [], since: [], lost: false });
  }

  restore(): void {
    const tracked = this.#chosen();
    const kept = this.#snapshots[this.#next % (this.#snapshots.length || 1)];
    if (!kept) return;
    tracked.stream.restore(kept.state);
    Object.assign(tracked, { base: kept.frames, since: [], lost: false });
  }

  fork(): void {
    if (this.#streams.length > 3) return;
    const tracked = this.#chosen();
    this.#streams.push({ ...tracked, stream: tracked.stream.fork(), since: [...tracked.since] });
  }

  /** The device goes, with steps of one stream under way. */
  async lose(burst: number): Promise<void> {
    await this.#model.run(feedsFor([0])); // there is a device to lose
    const busy = this.#chosen();
    const frames = Array.from({ length: burst }, (_, i) => (this.#next + i) % 40);
    // Whether a step that is under way is lost with the state, nobody can know where nothing was there before.
    const isKnown = this.#checkpoint !== undefined || framesIn(busy).length > 0;
    const sent = busy.lost || !isKnown ? [] : frames;
    const calls = Promise.allSettled(sent.map((t) => busy.stream.step(feedsFor([t]))));
    const before = [...framesIn(busy)];
    const lost = gpu.lose();
    let done = 0;
    for (const [i, result] of (await calls).entries()) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
      } else {
        done++;
        const all = [...before, ...sent.slice(0, i + 1)];
        expectRight(result.value, feedsFor(all), all.length - 1);
      }
    }
    await lost;
    for (const tracked of this.#streams) {
      const all = tracked === busy ? [...tracked.since, ...sent] : tracked.since;
      this.#afterLoss(tracked, all, tracked.since.length + (tracked === busy ? done : 0));
    }
  }

  #afterLoss(tracked: Tracked, all: readonly Frame[], done: number): void {
    const { steps } = tracked.stream;
    if (this.#checkpoint === undefined) {
      expect(steps).toBe(0);
      const isLost = tracked.lost || done > 0 || tracked.base.length > 0;
      Object.assign(tracked, { base: [], since: [], lost: isLost });
      return;
    }
    expectCheckpoint(steps, this.#checkpoint, done, all.length);
    tracked.since = all.slice(0, steps);
  }
}

test(`${CASES} random plays with losses (SEED=${SEED})`, MORE_IN_FULL, async () => {
  await expectForAll(cases, CASES, async ({ checkpoint, actions, waits }) => {
    const { model } = await gpu.load({ recovery: { delay: 0 } });
    try {
      const play = new Play(model, checkpoint);
      await play.step();
      for (const action of actions) {
        if (action === 'lose' || action === 'burst') {
          await play.lose(action === 'burst' ? 3 : 0);
          if (!waits) await model.run(feedsFor([0]));
        } else await play[action]();
      }
      await play.step();
    } finally {
      model.dispose();
    }
  });
});
