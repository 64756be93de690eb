import { loadModel } from 'webgpu-rnn';
import { openBrackets } from './brackets.js';

const model = await loadModel('./brackets.safetensors');
const open = await openBrackets(model, '((x)(');
document.querySelector('#result').textContent = `${open} open brackets, on ${model.backend}`;
