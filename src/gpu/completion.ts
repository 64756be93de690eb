// Waits for work of a queue where a browser looks for finished work only now and then.

/**
 * Firefox looks for finished GPU work from a timer of 100 ms, so that every read-back takes that long,
 * whatever the GPU has done. It also looks whenever something is submitted, an empty list included.
 * https://bugzilla.mozilla.org/show_bug.cgi?id=1870699
 */
const looksByTimer = (): boolean =>
  typeof navigator !== 'undefined' && /\bFirefox\//.test(navigator.userAgent);

/** Milliseconds between empty submits: the shortest that a browser allows for nested timers. */
const INTERVAL_MS = 4;

interface Watch {
  /** Promises that are waited for. */
  waits: number;
  isTicking: boolean;
}

const watches = new WeakMap<GPUQueue, Watch>();

function tick(queue: GPUQueue, watch: Watch): void {
  watch.isTicking = watch.waits > 0;
  if (!watch.isTicking) return;
  queue.submit([]);
  setTimeout(tick, INTERVAL_MS, queue, watch);
}

/**
 * `work`, a promise of the device such as `mapAsync` or `onSubmittedWorkDone`, as soon as it is settled. Costs
 * nothing where the browser needs no help.
 *
 * @param needsHelp whether this browser looks for finished work by a timer
 */
export async function completionOf<T>(
  queue: GPUQueue,
  work: Promise<T>,
  needsHelp = looksByTimer(),
): Promise<T> {
  if (!needsHelp) return work;
  let watch = watches.get(queue);
  if (!watch) watches.set(queue, (watch = { waits: 0, isTicking: false }));
  watch.waits++;
  // One now, for work that is done already; then one every few milliseconds while anything is waited for.
  if (watch.isTicking) queue.submit([]);
  else tick(queue, watch);
  try {
    return await work;
  } finally {
    watch.waits--;
  }
}
