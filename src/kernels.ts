// The kernels of every operator beyond recurrence: a chunk of its own, for graphs that have one of
// them and run on a GPU.
import { LOOP_LOWERINGS, LOWERING_FAMILIES } from './plan/lower/index.ts';
import { addLowerings } from './plan/lower/registry.ts';

/** Makes the kernels of all operators known to the planner. */
export function registerKernels(): void {
  addLowerings(LOWERING_FAMILIES);
  addLowerings(LOOP_LOWERINGS);
}
