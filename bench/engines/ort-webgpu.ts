import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import * as runtime from 'onnxruntime-web/webgpu';
import type { Prepare } from './engine.ts';
import { prepareOrt } from './ort.ts';
import type { Runtime } from './ort.ts';

/** ONNX Runtime's WebGPU provider. */
export const prepare: Prepare = (workload) =>
  prepareOrt(runtime as unknown as Runtime, 'ort-webgpu', wasm, workload);
