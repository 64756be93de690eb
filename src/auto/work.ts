// What a call takes on each side, from the GPU's plan and the CPU's program for its shapes.
import { makePlan, type PlanRequest } from '../plan/index.ts';
import type { SpecializedGraph } from '../plan/specialize/infer.ts';
import { runsOf } from '../plan/types.ts';
import { sizeOf } from '../tensor.ts';
import { makeProgram } from '../wasm/make-program.ts';
import { runsOf as runsOfProgram } from '../wasm/program.ts';
import type { Work } from './predict.ts';

/**
 * Counts the work of a call.
 *
 * @throws RnnError where one of the sides cannot compute it
 */
export function workOf(graph: SpecializedGraph, request: PlanRequest): Work {
  const plan = makePlan(graph, request);
  const runs = runsOf(plan);
  const sum = (of: (run: (typeof runs)[number]) => number): number =>
    runs.reduce((total, run) => total + of(run) * run.times, 0);
  const weightOf = (id: number): number =>
    plan.buffers[id]!.life === 'weight' ? plan.buffers[id]!.size : 0;
  const cpuRuns = runsOfProgram(makeProgram(graph, request).steps);
  return {
    flops: sum(({ dispatch }) => dispatch.flops),
    dispatches: sum(() => 1),
    weightBytes: sum(({ dispatch }) =>
      Object.values(dispatch.buffers).reduce((bytes, id) => bytes + weightOf(id), 0),
    ),
    kernels: cpuRuns.reduce(
      (n, { step, times }) => n + (step.kind === 'table' ? step.entries.length * times : 0),
      0,
    ),
    hostElements: cpuRuns.reduce((total, { step, times }) => {
      if (step.kind === 'table') return total;
      const made = step.item.outputs.reduce((n, value) => n + (value ? sizeOf(value.dims) : 0), 0);
      return total + made * times;
    }, 0),
  };
}
