// The meaning of every operator beyond recurrence: a chunk of its own, which is loaded when a graph
// has one of them. Their kernels are in kernels.ts.
import { CONTROL_FLOW, FAMILIES } from './ops/index.ts';
import { addControl, addOperators } from './ops/registry.ts';

/** Makes all operators known to the interpreter and the planner. */
export function registerOperators(): void {
  addOperators(FAMILIES);
  addControl(CONTROL_FLOW);
}

export { simplify } from './simplify/index.ts';
