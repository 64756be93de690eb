// The help that a browser gets which looks for finished work by a timer only.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { completionOf } from '../../src/gpu/completion.ts';

/** A queue that counts empty submits. */
function countingQueue(): { queue: GPUQueue; submits: () => number } {
  let count = 0;
  const queue = { submit: () => void count++ } as unknown as GPUQueue;
  return { queue, submits: () => count };
}

/** A promise and what settles it. */
function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a browser that needs no help gets none', async () => {
  const { queue, submits } = countingQueue();
  expect(await completionOf(queue, Promise.resolve(7), false)).toBe(7);
  await vi.advanceTimersByTimeAsync(100);
  expect(submits()).toBe(0);
});

test('an empty submit every 4 ms until the work is done, and none after', async () => {
  const { queue, submits } = countingQueue();
  const { promise, resolve } = deferred<string>();
  const waiting = completionOf(queue, promise, true);
  expect(submits()).toBe(1);
  await vi.advanceTimersByTimeAsync(20);
  expect(submits()).toBe(6);
  resolve('done');
  expect(await waiting).toBe('done');
  await vi.advanceTimersByTimeAsync(100);
  expect(submits()).toBe(6);
});

test('many waits share one timer; each begins with a submit of its own', async () => {
  const { queue, submits } = countingQueue();
  const all = Array.from({ length: 5 }, () => deferred<void>());
  const waiting = all.map(({ promise }) => completionOf(queue, promise, true));
  expect(submits()).toBe(5);
  await vi.advanceTimersByTimeAsync(8);
  expect(submits()).toBe(7);
  for (const { resolve } of all) resolve();
  await Promise.all(waiting);
  // The timer has not run out yet when the next wait begins.
  const next = deferred<void>();
  const last = completionOf(queue, next.promise, true);
  await vi.advanceTimersByTimeAsync(8);
  expect(submits()).toBe(10);
  next.resolve();
  await last;
});

test('a rejection ends the help too', async () => {
  const { queue, submits } = countingQueue();
  const lost = deferred<void>();
  const waiting = completionOf(queue, lost.promise, true);
  const refused = expect(waiting).rejects.toThrow('lost');
  lost.reject(new Error('lost'));
  await refused;
  await vi.advanceTimersByTimeAsync(100);
  expect(submits()).toBe(1);
});
