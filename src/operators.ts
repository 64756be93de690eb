// The meaning of every operator beyond recurrence, and how time goes through it: a chunk of its own, which is loaded when a graph
// has one of them. Their kernels are in kernels.ts.
import { CONTROL_FLOW, FAMILIES } from './ops/index.ts';
import { addControl, addOperators } from './ops/registry.ts';
import { compileLoop } from './plan/specialize/loops/compile.ts';
import { addLoopCompiler } from './plan/specialize/loops/registry.ts';
import { analyseOwnLayers, analyseTime } from './plan/specialize/time-axis/index.ts';
import { followTime } from './plan/specialize/time-axis/follow.ts';
import { addTimeAnalysis } from './plan/specialize/time-axis/registry.ts';

/** Makes all operators known to the interpreter and the planner, and how they relate to time to streams. */
export function registerOperators(): void {
  addOperators(FAMILIES);
  addControl(CONTROL_FLOW);
  addLoopCompiler(compileLoop);
  addTimeAnalysis({ analyseTime, analyseOwnLayers, followTime });
}

export { simplify } from './simplify/index.ts';
