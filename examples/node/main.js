// Node: files by path, WebGPU where the package `webgpu` is installed, SIMD in WebAssembly otherwise.
import { loadModel } from 'webgpu-rnn/node';
import { openBrackets } from './brackets.js';

const model = await loadModel(new URL('brackets.safetensors', import.meta.url));
console.log(`${await openBrackets(model, '((x)(')} open brackets, on ${model.backend}`);
model.dispose();
