// ONNX Runtime Web. Its two builds have the same interface.
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import type { Workload } from '../shapes.ts';
import type { Contender } from './engine.ts';

/** What either build exports, as far as it is used. */
export interface Runtime {
  readonly env: { logLevel?: string; readonly wasm: { wasmPaths?: unknown; numThreads?: number } };
  readonly InferenceSession: {
    create(file: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}

/** A contender of one build; `wasm` is the address of its WebAssembly, which comes with the page. */
export async function prepareOrt(
  runtime: Runtime,
  name: 'ort-webgpu' | 'ort-wasm',
  wasm: string,
  { file, X }: Workload,
): Promise<Contender> {
  const { env } = runtime;
  env.wasm.wasmPaths = { wasm: new URL(wasm, self.location.href).href };
  // Threads need shared memory, which a page has only where its server isolates it.
  if (!self.crossOriginIsolated) env.wasm.numThreads = 1;
  env.logLevel = 'error';
  const session = await runtime.InferenceSession.create(file, {
    executionProviders: [name === 'ort-webgpu' ? 'webgpu' : 'wasm'],
    logSeverityLevel: 3,
  });
  const feeds = { X: new runtime.Tensor('float32', X.data, X.dims) };
  return {
    name,
    run: async () => (await session.run(feeds))['Y']!.data as Float32Array,
    dispose: () => session.release(),
  };
}
