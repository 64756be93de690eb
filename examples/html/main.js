import { loadModel } from './node_modules/webgpu-rnn/dist/index.js';
import { openBrackets } from './brackets.js';

const model = await loadModel('./brackets.safetensors');
const open = await openBrackets(model, '((x)(');
document.querySelector('#result').textContent = `${open} open brackets, on ${model.backend}`;
