// Comparison of computed numbers: names the worst element, and never passes by default.
import { expect } from 'vitest';

type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** How close is close. */
export interface Closeness {
  /** Absolute tolerance; 1e-5 when left out, the promise for float32 values of order one. */
  readonly atol?: number;
  /** Tolerance relative to the expected value; 0 when left out. */
  readonly rtol?: number;
  /** True where NaN is close to NaN, for tests of NaN. Elsewhere it is close to nothing. */
  readonly nanEqual?: boolean;
  /** What is compared, for the message. */
  readonly label?: string;
  /** Shape, to name the worst element by its index on each axis. */
  readonly dims?: readonly number[];
}

function indexOf(flat: number, dims: readonly number[]): string {
  const index: number[] = [];
  for (const dim of dims.toReversed()) {
    index.unshift(flat % dim);
    flat = Math.floor(flat / dim);
  }
  return `[${index.join(', ')}]`;
}

/** What is wrong with `actual`; undefined when it is close to `expected` everywhere. */
export function findDifference(
  actual: Numbers,
  expected: Numbers,
  { atol = 1e-5, rtol = 0, nanEqual = false, label = 'values', dims }: Closeness = {},
): string | undefined {
  if (actual.length !== expected.length) {
    return `${label}: got ${actual.length} values, want ${expected.length}`;
  }
  let [off, worst, worstRatio] = [0, -1, 0];
  for (let i = 0; i < actual.length; i++) {
    const [got, want] = [Number(actual[i]), Number(expected[i])];
    if (got === want) continue; // equal infinities too
    if (nanEqual && Number.isNaN(got) && Number.isNaN(want)) continue;
    const error = Math.abs(got - want);
    const allowed = atol + rtol * Math.abs(want);
    const ratio = Number.isNaN(error) || error === Infinity ? Infinity : error / allowed;
    if (ratio <= 1) continue;
    off++;
    if (ratio > worstRatio) [worst, worstRatio] = [i, ratio];
  }
  if (off === 0) return undefined;
  const where = dims === undefined ? `${worst}` : `${worst} ${indexOf(worst, dims)}`;
  const values = `got ${actual[worst]}, want ${expected[worst]}`;
  const times = `${worstRatio.toPrecision(3)}× tolerance`;
  return `${label}: ${off}/${actual.length} values off; worst at ${where}: ${values} (${times})`;
}

/** Fails unless `actual` is close to `expected`. A NaN on either side is a failure, but see `nanEqual`. */
export function expectClose(actual: Numbers, expected: Numbers, closeness?: Closeness): void {
  const difference = findDifference(actual, expected, closeness);
  if (difference !== undefined) expect.fail(difference);
  expect(difference).toBeUndefined();
}
