// The js backend of a Model: the kernels are plain TypeScript, for pages that refuse WebAssembly.
import type { Graph } from '../../graph.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import { plainKernels } from '../../wasm/plain/index.ts';
import { CpuSession } from './session.ts';

/** A graph on plain JavaScript. It needs nothing of its environment. */
export function jsSession(graph: Graph, limits: EvaluatorOptions = {}): CpuSession {
  const names = { backend: 'js', adapter: 'JavaScript float32' } as const;
  return new CpuSession(graph, plainKernels(), names, limits);
}
