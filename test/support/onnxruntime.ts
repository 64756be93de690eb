// Microsoft's ONNX Runtime on the CPU: the arbiter of what ONNX operators mean.
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { DataType, Tensor } from '../../src/tensor.ts';

/** Runs an ONNX file; every output by its name. float16 is not supported here. */
export async function runOnnxRuntime(
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(model, {
    graphOptimizationLevel: 'disabled', // what the file says, not what an optimiser makes of it
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const tensors = Object.entries(feeds).map(([name, { type, data, dims }]) => [
    name,
    new OrtTensor(type as 'float32', data as Float32Array, dims),
  ]);
  const results = await session.run(Object.fromEntries(tensors) as Record<string, OrtTensor>);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, data, dims }]) => [
      name,
      { type: type as DataType, data: data as Float32Array, dims },
    ]),
  );
}
