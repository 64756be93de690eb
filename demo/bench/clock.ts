// The clock of a page goes in steps, so that it tells less about other pages: 0.1 ms where the page is not isolated.

const LOOK_MS = 8;

/** The smallest step of `performance.now()` in milliseconds. */
export function clockStep(): number {
  const start = performance.now();
  let [last, min] = [start, LOOK_MS];
  while (last - start < LOOK_MS) {
    const now = performance.now();
    if (now > last) min = Math.min(min, now - last);
    last = now;
  }
  return Number(min.toPrecision(2));
}
