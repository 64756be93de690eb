// The engines that are measured in Node.
import type * as OnnxRuntime from 'onnxruntime-node';
import { loadModel, tensor, type LoadOptions } from 'webgpu-rnn/node';
import type { PackageApi } from './engines/engine.ts';
import type { Runnable } from './measure.ts';
import type { Workload } from './shapes.ts';

/** This package, or another copy of it. */
export async function ours(
  name: string,
  { file, X: { data, dims } }: Workload,
  options: LoadOptions,
  api: PackageApi = { loadModel, tensor },
): Promise<Runnable> {
  const model = await api.loadModel(file, options);
  const X = api.tensor(data, dims);
  await model.warmUp({ X }); // first results are not measured here, and later runs need the best kernels
  return {
    name,
    run: async () => (await model.run({ X }))['Y']!.data as Float32Array,
    dispose: () => model.dispose(),
  };
}

/** Providers of ONNX Runtime. */
export type Provider = 'webgpu' | 'cpu';

/** ONNX Runtime, where it is installed. It logs only errors that end a run. */
export async function findOnnxRuntime(): Promise<typeof OnnxRuntime | undefined> {
  try {
    return await import('onnxruntime-node');
  } catch {
    return undefined;
  }
}

/** ONNX Runtime with one of its providers. */
export async function ort(
  { InferenceSession, Tensor }: typeof OnnxRuntime,
  provider: Provider,
  { file, X }: Workload,
): Promise<Runnable> {
  const session = await InferenceSession.create(file, {
    executionProviders: [provider],
    logSeverityLevel: 3,
    // Its threads would otherwise spin after each run and take the cores from the next engine.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
  const feeds = { X: new Tensor('float32', X.data, [...X.dims]) };
  return {
    name: `ort-${provider}`,
    run: async () => (await session.run(feeds))['Y']!.data as Float32Array,
    dispose: () => session.release(),
  };
}
