// Bun: SIMD in WebAssembly.
import { loadModel } from 'webgpu-rnn';
import { openBrackets } from './brackets.js';

const model = await loadModel(
  await Bun.file(new URL('brackets.safetensors', import.meta.url)).bytes(),
);
console.log(`${await openBrackets(model, '((x)(')} open brackets, on ${model.backend}`);
model.dispose();
