// Times engines: interleaved within one process, so that a machine that slows down slows all of them;
// medians of many rounds.
import { median, quantile } from './statistics.ts';

/** An engine that is ready to run one workload. */
export interface Runnable {
  readonly name: string;
  /** One whole run: upload, compute, read back. Returns Y. */
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

const PAUSE_MS = 5;
const WARMUPS = 2;

/** How long to measure. */
export interface MeasureOptions {
  /** Minimum and maximum number of rounds; every engine runs once a round. */
  readonly rounds: readonly [min: number, max: number];
  /** Seconds after which the minimum number of rounds is enough. */
  readonly seconds: number;
}

/** Results by the names of the engines: each is in one of the two. */
export interface Measurement {
  readonly timings: ReadonlyMap<string, Timing>;
  /** What an engine threw. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Times engines one after the other, in an order that is reversed every round. The first runs do not
 * count. An engine that throws is left out from then on; the others go on. @throws the reason of the signal
 */
export async function measure(
  engines: readonly Runnable[],
  { rounds: [min, max], seconds }: MeasureOptions,
  signal?: AbortSignal,
): Promise<Measurement> {
  const failures = new Map<string, unknown>();
  const samples = new Map(engines.map(({ name }) => [name, [] as number[]]));
  const runOnce = async (order: readonly Runnable[]): Promise<void> => {
    for (const engine of order) {
      if (failures.has(engine.name)) continue;
      signal?.throwIfAborted();
      // The threads of the previous engine go on spinning for a while; that must not slow down this one.
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const start = performance.now();
      try {
        await engine.run();
        samples.get(engine.name)!.push(performance.now() - start);
      } catch (error) {
        failures.set(engine.name, error);
      }
    }
  };
  for (let warmup = 0; warmup < WARMUPS; warmup++) await runOnce(engines);
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < max && (round < min || performance.now() < end); round++) {
    if (failures.size === engines.length) break;
    await runOnce(round % 2 === 0 ? engines : engines.toReversed());
  }
  const timings = new Map<string, Timing>();
  for (const [name, times] of samples) {
    if (!failures.has(name)) timings.set(name, timingOf(times));
  }
  return { timings, failures };
}

function timingOf([first, ...others]: readonly number[]): Timing {
  const counted = others.slice(WARMUPS - 1);
  return {
    median: median(counted),
    p10: quantile(counted, 0.1),
    p95: quantile(counted, 0.95),
    rounds: counted.length,
    first: first!,
  };
}

/** The first line of what was thrown. */
export const errorLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
