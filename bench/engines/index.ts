// Engines by name. Each is a chunk that a page loads only to measure it.
import type { EngineName, Prepare } from './engine.ts';

/** Imports an engine. */
export const LOADERS: Readonly<Record<EngineName, () => Promise<Prepare>>> = {
  'webgpu-rnn': async () => (await import('./ours.ts')).prepareOurs,
  'ort-webgpu': async () => (await import('./ort-webgpu.ts')).prepare,
  'ort-wasm': async () => (await import('./ort-wasm.ts')).prepare,
  tfjs: async () => (await import('./tfjs.ts')).prepare,
};
