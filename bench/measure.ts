// How it is measured: engines in turn within one process, so that a machine that slows down slows
// all of them; medians of many rounds.

/** An engine that is ready to run one workload. */
export interface Runnable {
  readonly name: string;
  /** One whole run: upload, compute, read back. Gives Y. */
  run(): Promise<Float32Array>;
  dispose(): void | Promise<void>;
}

/** Milliseconds of one engine on one workload. */
export interface Timing {
  readonly median: number;
  readonly p10: number;
  readonly p95: number;
  readonly rounds: number;
  /** The first run, with everything that happens once. */
  readonly first: number;
}

const REST_MS = 5;
const WARMUPS = 2;

/** The value below which a share `p` of sorted samples lies. */
export const quantile = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]!;

/** How long to measure. */
export interface Effort {
  /** Rounds at least and at most; every engine runs once a round. */
  readonly rounds: readonly [number, number];
  /** Seconds after which the least number of rounds is enough. */
  readonly seconds: number;
}

/** What came of it, by the names of the engines: each is in one of the two. */
export interface Measured {
  readonly timings: ReadonlyMap<string, Timing>;
  /** What an engine threw. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Times engines in turn, in an order that changes from round to round. The first runs are apart. An
 * engine that throws is left out from then on; the others go on. @throws the reason of the signal
 */
export async function measure(
  engines: readonly Runnable[],
  { rounds: [least, most], seconds }: Effort,
  signal?: AbortSignal,
): Promise<Measured> {
  const failures = new Map<string, unknown>();
  const samples = new Map(engines.map(({ name }) => [name, [] as number[]]));
  const runInTurn = async (order: readonly Runnable[]): Promise<void> => {
    for (const engine of order) {
      if (failures.has(engine.name)) continue;
      signal?.throwIfAborted();
      // The threads of the engine before spin on for a while; nobody shall pay for another's.
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
      const start = performance.now();
      try {
        await engine.run();
        samples.get(engine.name)!.push(performance.now() - start);
      } catch (error) {
        failures.set(engine.name, error);
      }
    }
  };
  for (let warmup = 0; warmup < WARMUPS; warmup++) await runInTurn(engines);
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < most && (round < least || performance.now() < end); round++) {
    if (failures.size === engines.length) break;
    await runInTurn(round % 2 === 0 ? engines : engines.toReversed());
  }
  const timings = new Map<string, Timing>();
  for (const [name, times] of samples) {
    if (!failures.has(name)) timings.set(name, timingOf(times));
  }
  return { timings, failures };
}

function timingOf([first, ...others]: readonly number[]): Timing {
  const sorted = others.slice(WARMUPS - 1).toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p95: quantile(sorted, 0.95),
    rounds: sorted.length,
    first: first!,
  };
}

/** The middle one of some numbers. */
export const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

/** What was thrown, in a line. */
export const wordsOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/** Largest difference of two results; infinite where one has no number. */
export function worstDifference(a: Float32Array, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= worst))
      worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return worst;
}

/** exp of the mean of the logarithms. */
export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
