// What a call does on the wasm backend.
import type { SpecializedGraph } from '../plan/specialize/infer.ts';
import type { InspectedCpu } from './types.ts';
import { makeProgram, type ProgramRequest } from '../wasm/make-program.ts';
import { runsOf } from '../wasm/program.ts';

/** The steps of a program. */
export function inspectCpu(graph: SpecializedGraph, request: ProgramRequest): InspectedCpu {
  const { steps } = makeProgram(graph, request);
  const runs = runsOf(steps);
  const tables = runs.flatMap(({ step, times }) =>
    step.kind === 'table' ? [{ kernels: step.entries.length * times, times }] : [],
  );
  // A loop computes a node again in every iteration.
  const items = runs.flatMap(({ step }) =>
    step.kind === 'host' && !step.products ? [step.item] : [],
  );
  const nodes = new Map(items.map(({ node: { op, name }, path }) => [path, { op, name, path }]));
  return {
    calls: tables.reduce((sum, { times }) => sum + times, 0),
    kernels: tables.reduce((sum, { kernels }) => sum + kernels, 0),
    withoutKernel: [...nodes.values()],
  };
}
