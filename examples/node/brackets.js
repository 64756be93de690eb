// How many brackets are open at the end of a text, by an LSTM of 8 units that has learned to count them.
import { tensor } from 'webgpu-rnn/node';

const ALPHABET = '()x';

/** One-hot characters in, the depth divided by 10 after each of them out. */
export async function openBrackets(model, text) {
  const X = new Float32Array(text.length * ALPHABET.length);
  [...text].forEach((character, t) => {
    X[t * ALPHABET.length + ALPHABET.indexOf(character)] = 1;
  });
  const { Y } = await model.run({ X: tensor(X, [1, text.length, ALPHABET.length]) });
  return Math.round(10 * Y.data[text.length - 1]);
}
