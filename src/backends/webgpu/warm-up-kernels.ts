// The kernels of all shapes of a range, found by planning and compiled together. No plan is kept.
import type { Kernel } from '../../../shaders/kernel.ts';
import { RnnError } from '../../errors.ts';
import { makePlan } from '../../plan/index.ts';
import type { Tier } from '../../plan/select/variants.ts';
import { kernelsOf, type Plan } from '../../plan/types.ts';
import { checkSignal } from '../abort.ts';
import type { CheckedCall } from '../prepare-call.ts';
import { visitShapes, type ShapeRange } from '../warm-up-range.ts';
import type { Executor } from './executor.ts';

/** More kernels than a range of sizes can need of a model whose kernels take sizes as parameters. */
const MAX_KERNELS = 512;

/** Milliseconds to plan for before others have the thread. */
const SLICE = 8;

/** What a range is warmed up for. */
export interface RangeRequest {
  readonly range: ShapeRange;
  readonly outputs: readonly string[];
  readonly signal: AbortSignal | undefined;
  /** A call of such shapes. @throws RnnError where the graph refuses them */
  readonly callAt: (length: number, batch: number) => CheckedCall;
}

/** Lets others have the thread now and then. */
function slices(signal: AbortSignal | undefined): () => Promise<void> {
  let begin = performance.now();
  return async () => {
    checkSignal(signal);
    if (performance.now() - begin < SLICE) return;
    await new Promise((resolve) => setTimeout(resolve));
    begin = performance.now();
  };
}

/** Whether a shape is one that a run refuses too. */
const isRefusal = (error: unknown): error is RnnError =>
  error instanceof RnnError && error.code === 'SHAPE_MISMATCH';

/**
 * Kernels by source.
 *
 * @throws RnnError `LIMIT_EXCEEDED` for a model that has kernels of its own for each size; the error of the shapes
 *   where the graph refuses all of them
 */
async function kernelsIn(
  executor: Executor,
  { range, outputs, signal, callAt }: RangeRequest,
  tier: Tier,
): Promise<ReadonlyMap<string, Kernel>> {
  const { options, profile } = executor;
  const checks = options.selfCheck ?? profile.adapter === 'gpu';
  const found = new Map<string, Kernel>();
  const numbers = new Map<string, number>();
  const others = slices(signal);
  let refused: RnnError | undefined;
  await visitShapes(range, async (length, batch) => {
    await others();
    try {
      const { specialized } = callAt(length, batch);
      const planOf = (as: Tier): Plan =>
        makePlan(specialized, {
          outputs,
          feedback: new Map(),
          device: executor.profile,
          options: { ...options, excluded: executor.excluded, tier: as },
        });
      if (checks) await (await import('./self-check.ts')).selfCheck(executor, planOf);
      const kernels = kernelsOf(planOf(tier));
      for (const [source, kernel] of kernels) {
        found.set(source, kernel);
        if (!numbers.has(source)) numbers.set(source, numbers.size);
      }
      if (found.size > MAX_KERNELS) {
        const what = `lengths up to ${length} need more than ${MAX_KERNELS} kernels: call warmUp with feeds`;
        throw new RnnError('LIMIT_EXCEEDED', 'range', what);
      }
      return [...kernels.keys()].map((source) => numbers.get(source)!).toString();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused = error;
      return 'refused';
    }
  });
  if (found.size === 0 && refused) throw refused;
  return found;
}

/** Compiles what runs of a range need at a tier. @throws RnnError as {@link kernelsIn}, `INTERNAL`, `DEVICE_LOST` */
export async function compileRange(
  executor: Executor,
  request: RangeRequest,
  tier: Tier,
): Promise<void> {
  const kernels = await kernelsIn(executor, request, tier);
  executor.check();
  const { pipelines } = executor.resources;
  const compiling = [...kernels.values()].map((kernel) => pipelines.get(kernel));
  await executor.during(Promise.all(compiling));
}
