// Deno: it has WebGPU of its own (`--unstable-webgpu`); without it, SIMD in WebAssembly.
import { loadModel } from 'webgpu-rnn';
import { openBrackets } from './brackets.js';

const model = await loadModel(
  await Deno.readFile(new URL('brackets.safetensors', import.meta.url)),
);
console.log(`${await openBrackets(model, '((x)(')} open brackets, on ${model.backend}`);
model.dispose();
