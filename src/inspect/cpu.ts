// What a call does on the wasm backend.
import type { SpecializedGraph } from '../plan/specialize/infer.ts';
import type { InspectedCpu } from './types.ts';
import { makeProgram, type ProgramRequest } from '../wasm/make-program.ts';

/** The steps of a program. */
export function inspectCpu(graph: SpecializedGraph, request: ProgramRequest): InspectedCpu {
  const { steps } = makeProgram(graph, request);
  const tables = steps.flatMap((step) => (step.kind === 'table' ? [step] : []));
  // A loop computes a node again in every iteration.
  const items = steps.flatMap((step) =>
    step.kind === 'host' && !step.products ? [step.item] : [],
  );
  const nodes = new Map(items.map(({ node: { op, name }, path }) => [path, { op, name, path }]));
  return {
    calls: tables.length,
    kernels: tables.reduce((sum, { entries }) => sum + entries.length, 0),
    withoutKernel: [...nodes.values()],
  };
}
