// One ONNX file in ONNX Runtime and on all backends.
import { expect } from 'vitest';
import type { LoadOptions } from '../../src/load-options.ts';
import { loadModel } from '../../src/load-model.ts';
import type { Model } from '../../src/model.ts';
import type { Graph } from '../../src/graph.ts';
import { isFloat, type Tensor } from '../../src/tensor.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from './close.ts';
import { runOnnxRuntime } from './onnxruntime.ts';

const gpu = await (await getAdapter()).requestDevice();

/** Names of the backends that every file runs on. */
export const BACKENDS = ['reference', 'wasm', 'js', 'webgpu'] as const;
type Backend = (typeof BACKENDS)[number];

/**
 * Fails unless all backends give the types, shapes and numbers of ONNX Runtime. Floats may be off
 * by 1e-5 of their output's largest number, or of 1 where that is larger; integers are exact.
 */
export async function expectLikeOnnxRuntime(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  label = '',
): Promise<void> {
  const expected = await runOnnxRuntime(bytes, feeds);
  for (const device of BACKENDS) {
    const actual = await runOn(device, bytes, feeds);
    for (const [name, { type, dims, data }] of Object.entries(expected)) {
      const got = actual[name]!;
      const where = `${label} ${device} ${name}`;
      expect({ type: got.type, dims: got.dims }, where).toEqual({ type, dims: [...dims] });
      const numbers = Array.from(data as ArrayLike<number>, Number);
      const largest = numbers.reduce((a, x) => Math.max(a, Math.abs(x)), 1);
      const atol = isFloat(type) ? 1e-5 * largest : 0.5;
      expectClose(got.data, numbers, { atol, label: where, dims });
    }
  }
}

/** Loads a file or a graph on one of the backends. */
export function loadOn(
  device: Backend,
  bytes: Uint8Array | Graph,
  options: LoadOptions = {},
): Promise<Model> {
  return loadModel(bytes, { ...options, device: device === 'webgpu' ? gpu : device });
}

/** Loads a file, runs it once and disposes of it. */
export async function runOn(
  device: Backend,
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  options: LoadOptions = {},
): Promise<Record<string, Tensor>> {
  const model = await loadOn(device, bytes, options);
  try {
    return await model.run(feeds);
  } finally {
    model.dispose();
  }
}
