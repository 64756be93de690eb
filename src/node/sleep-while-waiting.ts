// Lets the main thread of Node sleep while a device computes. Dawn for Node polls: while anything is pending,
// it reschedules itself with setImmediate, so that the event loop never blocks and waiting takes a whole core.
// An adapter that computes on the CPU then has one core less.
// https://github.com/google/dawn/blob/main/src/dawn/node/binding/AsyncRunner.cpp (ScheduleProcessEvents)
// https://github.com/dawn-gpu/node-webgpu/issues/17

/** Milliseconds that Dawn may poll before the thread sleeps: short waits stay as fast as polling makes them. */
export const SPIN_MS = 1;
/** Milliseconds of one sleep. Linux makes about 0.1 ms of it; the event loop runs between two sleeps. */
export const SLEEP_MS = 0.05;

/** The clock, the sleep and the scheduler of a process. Callbacks must not keep the process alive. */
export interface Thread {
  /** Milliseconds since some fixed time. */
  now(): number;
  /** Blocks the thread. */
  sleep(ms: number): void;
  /** Calls back after some milliseconds. */
  callLater(callback: () => void, ms: number): void;
  /** Calls back once, in the next iteration of the event loop. */
  callNextIteration(callback: () => void): void;
}

const cell = new Int32Array(new SharedArrayBuffer(4)); // never notified: a wait on it ends by its timeout

/** The main thread of this process. Its callbacks are unreferenced: pending work alone keeps the process alive. */
export const mainThread: Thread = {
  now: () => performance.now(),
  sleep: (ms) => void Atomics.wait(cell, 0, 0, ms),
  callLater: (callback, ms) => void setTimeout(callback, ms).unref(),
  callNextIteration: (callback) => void setImmediate(callback).unref(),
};

/** Puts a thread to sleep for a moment in each iteration of its event loop while some work is pending for long. */
export class Sleeper {
  readonly #thread: Thread;
  #enabled = true;
  #pending = 0;
  /** When the wait began, or when the last work ended: the caller is likely to get the next one soon. */
  #since = 0;
  #scheduled = false;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  /** Whether the thread may sleep; true at first. Work that is pending already is covered as well. */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    this.#enabled = enabled;
    this.#schedule();
  }

  /** Covers `work` until it is settled. Never throws; it counts as a handler of a rejection. */
  sleepWhilePending(work: Promise<unknown>): void {
    if (this.#pending++ === 0) this.#since = this.#thread.now();
    this.#schedule();
    const settled = (): void => {
      this.#pending--;
      this.#since = this.#thread.now();
    };
    work.then(settled, settled);
  }

  #schedule(): void {
    if (this.#scheduled || !this.#enabled || this.#pending === 0) return;
    this.#scheduled = true;
    this.#thread.callLater(this.#spin, SPIN_MS);
  }

  /** Looks once every SPIN_MS whether the wait has become long. */
  readonly #spin = (): void => {
    if (this.#isLong()) return this.#sleep();
    this.#scheduled = false;
    this.#schedule();
  };

  /** Sleeps once in each iteration, as long as the wait is long. */
  readonly #sleep = (): void => {
    if (!this.#isLong()) return this.#spin();
    this.#thread.sleep(SLEEP_MS);
    this.#thread.callNextIteration(this.#sleep);
  };

  #isLong(): boolean {
    return this.#enabled && this.#pending > 0 && this.#thread.now() - this.#since >= SPIN_MS;
  }
}
