// Makes what `device: 'auto'` computes on where there are both a GPU and the CPU's kernels: a chunk of its own.
import type { CpuSession } from '../backends/wasm/session.ts';
import { wasmSession } from '../backends/wasm/wasm-session.ts';
import { profileOf } from '../backends/webgpu/device-profile.ts';
import type { RecoveringSession } from '../backends/webgpu/recovering-session.ts';
import { RnnError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Graph } from '../graph.ts';
import type { PlanOptions } from '../plan/lowering.ts';
import type { EvaluatorOptions } from '../plan/specialize/infer.ts';
import { calibrate } from './calibrate.ts';
import { AutoSession } from './session.ts';

/**
 * A session that chooses, or the GPU's and why where there is no choice.
 *
 * @param webgpu becomes part of it
 * @throws RnnError `DEVICE_LOST`
 */
export async function makeAutoSession(
  graph: Graph,
  webgpu: RecoveringSession,
  gpu: Gpu,
  options: PlanOptions,
  limits: EvaluatorOptions = {},
): Promise<{ session: AutoSession | RecoveringSession; reason: string }> {
  let wasm: CpuSession;
  try {
    wasm = await wasmSession(graph, { limits });
  } catch (error) {
    if (!(error instanceof RnnError) || error.code !== 'UNSUPPORTED_FEATURE') throw error;
    return { session: webgpu, reason: `WebGPU is available; ${error.message}` };
  }
  const calibration = await calibrate(gpu);
  const device = profileOf(gpu, options);
  const session = new AutoSession(graph, { webgpu, wasm, calibration, device, options, limits });
  return { session, reason: session.reason };
}
