// The model lives in a worker: the page stays free, whatever the model costs.
import { createWorkerModel, tensor } from 'webgpu-rnn';

const ALPHABET = '()x';
const TEXT = '((x)(';

const model = await createWorkerModel(new URL('/brackets.safetensors', location.href));
const X = new Float32Array(TEXT.length * ALPHABET.length);
[...TEXT].forEach((character, t) => {
  X[t * ALPHABET.length + ALPHABET.indexOf(character)] = 1;
});
const { Y } = await model.run({ X: tensor(X, [1, TEXT.length, ALPHABET.length]) });
const open = Math.round(10 * Number(Y!.data[TEXT.length - 1]));
document.querySelector('#result')!.textContent = `${open} open brackets, on ${model.backend}`;
