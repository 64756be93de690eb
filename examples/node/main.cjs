// CommonJS: `require` of an ES module, from Node 20.19 on.
const { loadModel } = require('webgpu-rnn/node');
const { join } = require('node:path');

async function main() {
  const { openBrackets } = await import('./brackets.js');
  const model = await loadModel(join(__dirname, 'brackets.safetensors'));
  console.log(`${await openBrackets(model, '((x)(')} open brackets, on ${model.backend}`);
  model.dispose();
}

void main();
