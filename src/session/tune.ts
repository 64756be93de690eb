// Which recurrent kernel is the fastest, found by running both: once for each layer and shape.
import type { MeasuredKernel, RecurrentKernel } from '../plan/choose.ts';
import type { Plan } from '../plan/types.ts';
import { Runner } from '../webgpu/runner.ts';
import type { DeviceArray, Executor } from './executor.ts';

const KERNELS: readonly RecurrentKernel[] = ['step', 'persistent'];
/** Runs that count; one goes before. */
const RUNS = 5;

/** The fastest kernel by adapter, layer and shape, for all models as long as the page lives. */
const found = new Map<string, RecurrentKernel>();

/**
 * Measures the layers of a plan that nobody has measured, one after another in the whole plan.
 *
 * @param planOf makes the plan with given kernels
 * @param arrays what the plan is fed, by name; states begin with zeros, and results are dropped
 */
export async function measureKernels(
  executor: Executor,
  planOf: (measured: MeasuredKernel) => Plan,
  arrays: readonly (readonly [string, DeviceArray])[],
): Promise<MeasuredKernel> {
  const { vendor, architecture, device, description } = executor.device.adapterInfo;
  const keyOf = (layer: string): string =>
    [vendor, architecture, device, description, layer].join('|');
  const layers = new Set<string>();
  planOf((layer) => {
    layers.add(layer);
    return undefined;
  });
  for (const layer of layers) {
    if (found.has(keyOf(layer))) continue;
    const times: { kernel: RecurrentKernel; ms: number }[] = [];
    for (const kernel of KERNELS) {
      const plan = planOf((other) => (other === layer ? kernel : found.get(keyOf(other))));
      executor.check();
      // A kernel that this device refuses is not the fastest.
      const ms = await timeOf(executor, plan, arrays).catch(() => Infinity);
      times.push({ kernel, ms });
    }
    const best = times.reduce((a, b) => (b.ms < a.ms ? b : a));
    if (best.ms < Infinity) found.set(keyOf(layer), best.kernel);
  }
  return (layer) => found.get(keyOf(layer));
}

/** Milliseconds of a run: the median of some. */
async function timeOf(
  executor: Executor,
  plan: Plan,
  arrays: readonly (readonly [string, DeviceArray])[],
): Promise<number> {
  const { queue } = executor.device;
  const runner = await executor.guard(Runner.create(executor.share, plan));
  const state = runner.createState();
  try {
    const bound = runner.bind(state);
    for (const [name, data] of arrays) runner.upload(name, data);
    const times: number[] = [];
    for (let run = 0; run <= RUNS; run++) {
      const start = performance.now();
      queue.submit([executor.record(runner, bound).finish()]);
      await executor.guard(queue.onSubmittedWorkDone());
      if (run > 0) times.push(performance.now() - start);
    }
    return times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)]!;
  } finally {
    runner.destroy();
    for (const buffer of state.values()) buffer.destroy();
  }
}
