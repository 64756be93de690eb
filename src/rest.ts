// Waiting in Node without taking a core. Dawn for Node looks for finished work in every turn of the event
// loop for as long as anything is pending, so the main thread spins, and takes the core from an
// adapter that computes on it.

/** What is quickly done is waited for as ever, in milliseconds. */
const BUSY = 1;
/** Milliseconds of a rest. Linux makes it some 0.1; the event loop turns in between. */
const REST = 0.05;

const cell = new Int32Array(new SharedArrayBuffer(4));
let waiting = 0;
let since = 0;
let watching = false;

/** Looks once in a while whether there is something to wait for that takes long. */
function watch(): void {
  watching = waiting > 0;
  if (!watching) return;
  if (performance.now() - since > BUSY) rest();
  else setTimeout(watch, BUSY).unref();
}

/** Rests once in each turn of the event loop until something is done. */
function rest(): void {
  if (waiting === 0 || performance.now() - since < BUSY) return watch();
  Atomics.wait(cell, 0, 0, REST);
  setImmediate(rest).unref(); // what keeps the process is the work itself
}

/** Lets the main thread rest while a device works, until `work` is done or has failed. */
export function restWhile(work: Promise<unknown>): void {
  const done = (): void => {
    waiting--;
    since = performance.now(); // whoever waits for the next is likely to get it soon
  };
  if (waiting++ === 0) since = performance.now();
  if (!watching) {
    watching = true;
    setTimeout(watch, BUSY).unref();
  }
  void work.catch(() => undefined).finally(done);
}
