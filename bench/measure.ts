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

/** Times engines in turn, in an order that changes from round to round. The first runs are apart. */
export async function measure(
  engines: readonly Runnable[],
  { rounds: [least, most], seconds }: Effort,
  signal?: AbortSignal,
): Promise<Map<string, Timing>> {
  const first = new Map<string, number>();
  const samples = new Map(engines.map(({ name }) => [name, [] as number[]]));
  const timed = async (engine: Runnable): Promise<number> => {
    signal?.throwIfAborted();
    // The threads of the engine before spin on for a while; nobody shall pay for another's.
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const start = performance.now();
    await engine.run();
    return performance.now() - start;
  };
  for (const engine of engines) first.set(engine.name, await timed(engine));
  for (const engine of engines) await timed(engine);
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < most && (round < least || performance.now() < end); round++) {
    const order = round % 2 === 0 ? engines : engines.toReversed();
    for (const engine of order) samples.get(engine.name)!.push(await timed(engine));
  }
  return new Map(
    [...samples].map(([name, times]) => {
      const sorted = times.toSorted((a, b) => a - b);
      const timing: Timing = {
        median: quantile(sorted, 0.5),
        p10: quantile(sorted, 0.1),
        p95: quantile(sorted, 0.95),
        rounds: sorted.length,
        first: first.get(name)!,
      };
      return [name, timing];
    }),
  );
}

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
