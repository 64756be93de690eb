// Autotuning: which candidate for each recurrent layer is the fastest, found by running the plan with each of
// them, once for each device, layer and shape.
import type { Overrides, TuningCache } from '../../plan/select/select-kernel.ts';
import type { Plan, Selection } from '../../plan/types.ts';
import { completionOf } from '../../gpu/completion.ts';
import { Program } from '../../gpu/program.ts';
import type { DeviceArray } from '../../plan/device-array.ts';
import type { Executor } from './executor.ts';

/** Samples of each candidate, whose median counts. */
const SAMPLES = 5;

/**
 * Minimum milliseconds of a sample. Browsers report the end of work with errors of up to 0.1 ms
 * (https://developer.mozilla.org/en-US/docs/Web/API/Performance/now#security_requirements), a hundredth of it.
 */
const MIN_SAMPLE_MS = 10;

/** Maximum runs of a sample. */
const MAX_REPEATS = 1024;

/** The fastest candidate by key, by device, for all models as long as the page lives. */
const caches = new Map<string, Map<string, string>>();

/** The cache of a device: adapters that differ in nothing here share it. */
function cacheOf({ device, profile }: Executor): Map<string, string> {
  const info = device.adapterInfo as GPUAdapterInfo | undefined; // older browsers have none
  const names = [info?.vendor, info?.architecture, info?.device, info?.description];
  const key = JSON.stringify([...names, profile]);
  let cache = caches.get(key);
  if (!cache) caches.set(key, (cache = new Map()));
  return cache;
}

/**
 * Times the candidates of all layers of a plan that the cache of its device does not have.
 *
 * @param planOf makes the plan with overrides
 * @param arrays what the plan is fed, by name; states begin with zeros, and results are dropped
 * @throws RnnError `DISPOSED` or `DEVICE_LOST`
 */
export async function autotune(
  executor: Executor,
  planOf: (overrides: Overrides) => Plan,
  arrays: readonly (readonly [string, DeviceArray])[],
): Promise<TuningCache> {
  const cache = cacheOf(executor);
  // First each layer by itself; then wavefronts against sequences of the layers' fastest kernels.
  const orders = executor.options.wavefront === undefined ? [{ wavefront: false }, {}] : [{}];
  for (const order of orders) {
    const { selections } = planOf({ ...order, tuned: cache });
    for (const selection of selections) {
      const { key } = selection;
      if (cache.has(key)) continue;
      const time = (name: string): Promise<number> => {
        const plan = planOf({ ...order, tuned: new Map([...cache, [key, name]]) });
        return timeOf(executor, plan, arrays);
      };
      cache.set(key, await fastestOf(executor, selection, time));
    }
  }
  return cache;
}

/** Name of the fastest candidate of a selection; the selected one where none can be run. */
async function fastestOf(
  executor: Executor,
  { candidates, selected }: Selection,
  time: (name: string) => Promise<number>,
): Promise<string> {
  const possible = candidates.filter((candidate) => candidate.refusal() === undefined);
  if (possible.length < 2) return selected;
  let best = { name: selected, ms: Number.POSITIVE_INFINITY };
  for (const { name } of possible) {
    executor.check();
    try {
      const ms = await time(name);
      if (ms < best.ms) best = { name, ms };
    } catch {
      executor.check(); // a device that is lost has refused nothing; any other refusal skips the candidate
    }
  }
  return best.name;
}

/** Milliseconds of a run of a plan: the median of samples of at least {@link MIN_SAMPLE_MS}. */
async function timeOf(
  executor: Executor,
  plan: Plan,
  arrays: readonly (readonly [string, DeviceArray])[],
): Promise<number> {
  const { queue } = executor.device;
  const program = await executor.during(Program.create(executor.resources, plan));
  const { state, room } = program.createState();
  try {
    await room;
    const bindings = program.bind(state);
    for (const [name, data] of arrays) program.upload(name, data);
    const sample = async (repeats: number): Promise<number> => {
      const start = performance.now();
      for (let run = 0; run < repeats; run++) {
        queue.submit([executor.record(program, bindings).finish()]);
      }
      await executor.guard(completionOf(queue, queue.onSubmittedWorkDone()));
      return performance.now() - start;
    };
    return await medianOf(sample);
  } finally {
    program.destroy();
    for (const buffer of state.values()) buffer.destroy();
  }
}

/**
 * Milliseconds of one run.
 *
 * @param sample runs so often and gives the milliseconds of all runs together
 */
export async function medianOf(sample: (repeats: number) => Promise<number>): Promise<number> {
  await sample(1); // the first run also fills caches
  let repeats = 1;
  let ms = await sample(repeats);
  while (ms < MIN_SAMPLE_MS && repeats < MAX_REPEATS) {
    const missing = Math.max(2, Math.ceil(MIN_SAMPLE_MS / ms)); // infinite for a clock that stands still
    repeats = Math.min(MAX_REPEATS, repeats * missing);
    ms = await sample(repeats);
  }
  const times = [ms];
  while (times.length < SAMPLES) times.push(await sample(repeats));
  return times.toSorted((a, b) => a - b)[Math.floor(SAMPLES / 2)]! / repeats;
}
