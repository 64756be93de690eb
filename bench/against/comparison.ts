// How old and new times are compared, which ratios are good enough, and what is measured again.
import { isRight } from '../answers.ts';
import { errorLine, type Timing } from '../measure.ts';
import { geometricMean, median, quantile } from '../statistics.ts';
import type { Label } from './packages.ts';

/** Minimum geometric mean of old time / new time over all rows of a table. */
export const MIN_MEAN = 0.99;
/** Minimum old time / new time of a single row. */
export const MIN_RATIO = 0.93;

/** Milliseconds of one package. */
export type Times = Omit<Timing, 'first'>;

/** Both packages, measured together and interleaved. */
export interface Measured {
  readonly old: Times;
  readonly new: Times;
  /** Old median / new median: above 1 where the new package is faster. */
  readonly ratio: number;
}

/** One measurement of a row, with whatever else it found. */
export interface Attempt<D> {
  readonly measured: Measured;
  readonly details: D;
}

/** One row of a table. */
export interface Compared<D = unknown> {
  readonly name: string;
  /** Every measurement in order. The last one counts: it has the most rounds. */
  readonly measured: readonly Measured[];
  /** Of the last measurement. */
  readonly details?: D;
  /** Why the last attempt gave no measurement: then the row counts as failed. */
  readonly failure?: string;
}

/** The answers of one shape. */
export interface Answers {
  /** Largest difference of each from ONNX Runtime's CPU provider. */
  readonly errors: Readonly<Record<Label, number | null>>;
  /** Largest difference between the two: 0 where they agree in every bit. */
  readonly difference: number | null;
}

/** What a table says. */
export interface Verdict {
  readonly rows: number;
  /** Geometric mean of the ratios; NaN where nothing was measured. */
  readonly mean: number;
  readonly worst: { readonly name: string; readonly ratio: number } | undefined;
  /** Names of the rows without a measurement. */
  readonly failed: readonly string[];
  /** Whether every row was measured and both minimums hold. */
  readonly met: boolean;
}

/** Median and spread of samples in milliseconds. */
export const timesOf = (samples: readonly number[]): Times => ({
  median: median(samples),
  p10: quantile(samples, 0.1),
  p95: quantile(samples, 0.95),
  rounds: samples.length,
});

/** Both times with their ratio. */
export const compare = (before: Times, after: Times): Measured => ({
  old: before,
  new: after,
  ratio: before.median / after.median,
});

/**
 * Measures the rows of a table. A minimum that is missed may be an outlier of a busy machine, so it is measured
 * again before it counts: a row below {@link MIN_RATIO} at once; where then the mean is below {@link MIN_MEAN},
 * every row that has been measured once, whatever its ratio, for a choice among them would bias the mean.
 *
 * @param measureOnce measures a row; `again` asks for more rounds. What it throws is in the row
 * @param report gets every row when it has been measured, some twice, and all rows so far
 */
export async function compareRows<D>(
  names: readonly string[],
  measureOnce: (name: string, again: boolean) => Promise<Attempt<D>>,
  report: (row: Compared<D>, rows: readonly Compared<D>[]) => void,
): Promise<Compared<D>[]> {
  const attempt = async (row: Compared<D>): Promise<Compared<D>> => {
    const { name, measured: before } = row;
    try {
      const { measured, details } = await measureOnce(name, before.length > 0);
      return { name, measured: [...before, measured], details };
    } catch (error) {
      return { ...row, failure: errorLine(error) };
    }
  };
  const rows: Compared<D>[] = [];
  for (const name of names) {
    let row = await attempt({ name, measured: [] });
    if ((ratioOf(row) ?? 1) < MIN_RATIO) row = await attempt(row);
    rows.push(row);
    report(row, rows);
  }
  if (!(verdictOf(rows).mean < MIN_MEAN)) return rows;
  for (const [i, row] of rows.entries()) {
    if (row.failure !== undefined || row.measured.length > 1) continue;
    rows[i] = await attempt(row);
    report(rows[i]!, rows);
  }
  return rows;
}

/** @throws Error where an answer is wrong */
export function refuseWrong(label: Label, error: number | null): void {
  if (!isRight(error)) throw new Error(`the ${label} answer is wrong by ${error ?? 'infinity'}`);
}

/** Old / new of the measurement that counts; undefined for a failed row. */
export const ratioOf = ({ measured, failure }: Compared): number | undefined =>
  failure === undefined ? measured.at(-1)?.ratio : undefined;

/** Compares the rows of a table with the minimums. */
export function verdictOf(rows: readonly Compared[]): Verdict {
  const found = rows.flatMap((row) => {
    const ratio = ratioOf(row);
    return ratio === undefined ? [] : [{ name: row.name, ratio }];
  });
  const mean = geometricMean(found.map(({ ratio }) => ratio));
  const worst = found.toSorted((a, b) => a.ratio - b.ratio)[0];
  const failed = rows.filter((row) => ratioOf(row) === undefined).map(({ name }) => name);
  return {
    rows: rows.length,
    mean,
    worst,
    failed,
    met: failed.length === 0 && mean >= MIN_MEAN && worst !== undefined && worst.ratio >= MIN_RATIO,
  };
}
