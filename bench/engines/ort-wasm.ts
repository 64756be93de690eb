import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import * as runtime from 'onnxruntime-web/wasm';
import type { Prepare } from './engine.ts';
import { prepareOrt } from './ort.ts';
import type { Runtime } from './ort.ts';

/** ONNX Runtime's CPU provider in WebAssembly. */
export const prepare: Prepare = (workload) =>
  prepareOrt(runtime as unknown as Runtime, 'ort-wasm', wasm, workload);
