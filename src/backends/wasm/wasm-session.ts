// The wasm backend of a Model: the kernels are one WebAssembly instance.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { compileKernels, instantiate, type Compiled } from '../../wasm/module.ts';
import type { Build } from '../../wasm/unfuse.ts';
import { CpuSession, type CpuOptions } from './session.ts';

/**
 * A graph on WebAssembly. The kernels are compiled once for all models.
 *
 * @param build the instruction set to insist on, for tests
 * @throws RnnError `UNSUPPORTED_FEATURE` where there is no WebAssembly with SIMD
 */
export async function wasmSession(
  graph: Graph,
  options: CpuOptions = {},
  build?: Build,
): Promise<CpuSession> {
  let compiled;
  try {
    compiled = await compileKernels(build);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const what = `WebAssembly with SIMD, got an engine or a content security policy that refuses it: ${why}`;
    throw new RnnError('UNSUPPORTED_FEATURE', 'options.device', what, { cause: error });
  }
  return sessionOf(graph, compiled, options);
}

/** A graph on kernels that are compiled. */
export function sessionOf(graph: Graph, compiled: Compiled, options: CpuOptions = {}): CpuSession {
  const names = { backend: 'wasm', adapter: `WebAssembly ${compiled.build}` } as const;
  return new CpuSession(graph, instantiate(compiled), names, options);
}
