// The js backend of a Model: the kernels are plain TypeScript, for pages that refuse WebAssembly.
import type { Graph } from '../../graph.ts';
import { plainKernels } from '../../wasm/plain/index.ts';
import { CpuSession, type CpuOptions } from './session.ts';

/** A graph on plain JavaScript. It needs nothing of its environment. */
export function jsSession(graph: Graph, options: CpuOptions): CpuSession {
  const names = { backend: 'js', adapter: 'JavaScript float32' } as const;
  return new CpuSession(graph, plainKernels(), names, options);
}
