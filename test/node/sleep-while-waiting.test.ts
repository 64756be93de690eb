// Waiting for a device in Node: the main thread sleeps where that takes long, and only then.
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  mainThread,
  SLEEP_MS,
  Sleeper,
  SPIN_MS,
  type Thread,
} from '../../src/node/sleep-while-waiting.ts';

/** A thread whose clock advances only by `iterate` and by sleeps; `log` records both. */
class FakeThread implements Thread {
  readonly log: string[] = [];
  #time = 100;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];
  #next: (() => void)[] = [];

  now(): number {
    return this.#time;
  }

  sleep(ms: number): void {
    this.log.push(`sleep ${ms}`);
    this.#time += ms;
  }

  callLater(callback: () => void, ms: number): void {
    this.#timers.push({ at: this.#time + ms, callback });
  }

  callNextIteration(callback: () => void): void {
    this.#next.push(callback);
  }

  /** Callbacks that wait to be called. */
  get scheduled(): number {
    return this.#timers.length + this.#next.length;
  }

  get sleeps(): number {
    return this.log.filter((entry) => entry.startsWith('sleep')).length;
  }

  /** One iteration of the event loop, `ms` after the last; promises settle at its end. */
  async iterate(ms = 0): Promise<void> {
    this.#time += ms;
    this.log.push('iteration');
    const due = this.#timers.filter(({ at }) => at <= this.#time);
    this.#timers = this.#timers.filter(({ at }) => at > this.#time);
    const next = this.#next.splice(0);
    for (const { callback } of due) callback();
    for (const callback of next) callback();
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that a test ends. */
function work(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

describe('Sleeper', () => {
  test('polls for SPIN_MS, then sleeps once in each iteration until the work is done', async () => {
    const thread = new FakeThread();
    const sleeper = new Sleeper(thread);
    const long = work();
    sleeper.sleepWhilePending(long.promise);
    await thread.iterate(SPIN_MS / 2);
    expect(thread.log).toEqual(['iteration']);
    await thread.iterate(SPIN_MS / 2);
    for (let i = 0; i < 3; i++) await thread.iterate();
    const sleep = `sleep ${SLEEP_MS}`;
    const slept = Array.from({ length: 4 }, () => ['iteration', sleep]).flat();
    expect(thread.log).toEqual(['iteration', ...slept]);
    long.resolve();
    await settled();
    for (let i = 0; i < 5; i++) await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(4);
    expect(thread.scheduled).toBe(0);
  });

  test('never sleeps over work that is quickly done, however often', async () => {
    const thread = new FakeThread();
    const sleeper = new Sleeper(thread);
    for (let i = 0; i < 50; i++) {
      const quick = work();
      sleeper.sleepWhilePending(quick.promise);
      await thread.iterate(SPIN_MS * 0.9);
      quick.resolve();
      await settled();
    }
    expect(thread.sleeps).toBe(0);
    await thread.iterate(SPIN_MS);
    expect(thread.scheduled).toBe(0);
  });

  test('polls again for SPIN_MS after each work that ends, for the next may end soon', async () => {
    const thread = new FakeThread();
    const sleeper = new Sleeper(thread);
    const [first, second] = [work(), work()];
    sleeper.sleepWhilePending(first.promise);
    sleeper.sleepWhilePending(second.promise);
    await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(1);
    first.resolve();
    await settled();
    await thread.iterate();
    await thread.iterate(SPIN_MS / 2);
    expect(thread.sleeps).toBe(1);
    await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(2);
    second.resolve();
  });

  test('goes on while any of several is pending; work that fails ends as well', async () => {
    const thread = new FakeThread();
    const sleeper = new Sleeper(thread);
    const [failing, other] = [work(), work()];
    sleeper.sleepWhilePending(failing.promise);
    sleeper.sleepWhilePending(other.promise);
    failing.reject(new Error('lost')); // an unhandled rejection would fail this run
    await settled();
    await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(1);
    other.reject(new Error('lost'));
    await settled();
    for (let i = 0; i < 3; i++) await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(1);
    expect(thread.scheduled).toBe(0);
  });

  test('does nothing while it is off, and goes on with what is pending when it is on again', async () => {
    const thread = new FakeThread();
    const sleeper = new Sleeper(thread);
    sleeper.enabled = false;
    const long = work();
    sleeper.sleepWhilePending(long.promise);
    await thread.iterate(SPIN_MS);
    expect(thread.scheduled).toBe(0);
    sleeper.enabled = true;
    await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(1);
    sleeper.enabled = false;
    for (let i = 0; i < 3; i++) await thread.iterate(SPIN_MS);
    expect(thread.sleeps).toBe(1);
    expect(thread.scheduled).toBe(0);
    long.resolve();
  });
});

describe('the main thread', () => {
  afterEach(() => vi.restoreAllMocks());

  test('sleeps in Atomics.wait, by the timeout', () => {
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    mainThread.sleep(SLEEP_MS);
    expect(wait.mock.calls).toEqual([[expect.any(Int32Array), 0, 0, SLEEP_MS]]);
  });

  test('calls back, and no callback keeps the process alive', async () => {
    const timer = vi.spyOn(globalThis, 'setTimeout');
    const immediate = vi.spyOn(globalThis, 'setImmediate');
    const called: string[] = [];
    mainThread.callLater(() => called.push('later'), 1);
    mainThread.callNextIteration(() => called.push('next'));
    const handles = [timer.mock.results[0]!.value, immediate.mock.results[0]!.value];
    expect(handles.map((handle: NodeJS.Timeout | NodeJS.Immediate) => handle.hasRef())).toEqual([
      false,
      false,
    ]);
    vi.restoreAllMocks();
    await vi.waitFor(() => expect(called.toSorted()).toEqual(['later', 'next']), 60_000);
  });
});
