// charRNN of ml5.js, trained on Shakespeare, and the text that it writes greedily in float64.
// https://github.com/ml5js/ml5-data-and-models

/** Reads a file of the folder with the data of other engines. */
type Read = (name: string) => Uint8Array | Promise<Uint8Array>;

/** The model, and what it is judged by. */
export interface CharRnn {
  /** Files of the model by name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Tokens of the prompt, `The `. */
  readonly prompt: readonly number[];
  /** The likeliest tokens, the prompt first. */
  readonly ids: readonly number[];
  readonly text: string;
  /** The text of tokens. */
  readonly textOf: (ids: readonly number[]) => string;
}

/** Letters of the prompt, before the rows of the reference. */
const PROMPT = 4;

/** Reads all of it. */
export async function readCharRnn(read: Read): Promise<CharRnn> {
  const bytesOf = (name: string) => read(`models/charrnn-shakespeare/${name}`);
  const jsonOf = async (name: string): Promise<unknown> =>
    JSON.parse(new TextDecoder().decode(await bytesOf(name)));
  const vocabulary = (await jsonOf('vocab.json')) as Record<string, number>;
  const letters = new Map(Object.entries(vocabulary).map(([letter, id]) => [id, letter]));
  const { ids, text } = (await jsonOf('reference/meta.json')) as { ids: number[]; text: string };
  return {
    files: {
      'model.json': await bytesOf('tfjs/model.json'),
      'weights.bin': await bytesOf('tfjs/weights.bin'),
    },
    prompt: ids.slice(0, PROMPT),
    ids,
    text,
    textOf: (list) => list.map((id) => letters.get(id)).join(''),
  };
}
