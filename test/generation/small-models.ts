// Small models of tokens with random weights, and the choice of tokens written out in float64.
import { dense, embedding, lstm, sequential, tensor } from '../../src/index.ts';
import type { Graph, GenerateOptions, Model, Tensor, TokenOptions } from '../../src/index.ts';
import { uniformNumbers } from '../../src/generation/random.ts';
import { randomOf } from '../support/random.ts';

const floats = (seed: number, scale: number, ...dims: number[]): Tensor<'float32'> => {
  const size = dims.reduce((n, dim) => n * dim, 1);
  return tensor(randomOf(seed).floats(size, scale), dims);
};

/** Tokens, and units of the layer. */
export const [V, H] = [11, 8];

/** Embedding, LSTM, output layer: `X` int32 [B, T] → `Y` [B, T, V]. */
export const tokenModel = (activation?: 'softmax' | 'logSoftmax', layout: 0 | 1 = 1): Graph =>
  sequential(
    [
      embedding({ weights: floats(1, 1, V, H) }),
      lstm({ W: floats(2, 0.8, 4 * H, H), R: floats(3, 0.8, 4 * H, H), returnSequences: true }),
      dense({ W: floats(4, 4, V, H), b: floats(5, 1, V), activation }),
    ],
    { layout },
  );

/** The scores of the next token depend on the last token only: row `x` of `table`, [V, V]. */
export const chain = (table: Tensor<'float32'>): Graph =>
  sequential([embedding({ weights: table })]);

/** What a chain needs, which carries nothing from step to step. */
export const NO_STATE: Pick<TokenOptions, 'stream'> = { stream: { carry: [] } };

const softmax = (scores: readonly number[]): number[] => {
  const largest = Math.max(...scores);
  const e = scores.map((x) => Math.exp(x - largest));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
};

/** The natural logarithm of the probability of each token. */
export const logSoftmax = (scores: readonly number[]): number[] => softmax(scores).map(Math.log);

/** The probabilities that a token is drawn with, after all options. */
export function distribution(
  logits: readonly number[],
  seen: ReadonlySet<number>,
  options: Partial<GenerateOptions>,
): number[] {
  const { temperature = 1, topK = logits.length, topP = 1, repetitionPenalty: r = 1 } = options;
  const x = logits.map((z, v) => (seen.has(v) ? (z < 0 ? z * r : z / r) : z) / temperature);
  const order = [...x.keys()].toSorted((a, b) => x[b]! - x[a]!).slice(0, topK);
  const p = softmax(order.map((v) => x[v]!));
  let before = 0;
  const kept = order.filter((_, rank) => {
    const isKept = before < topP;
    before += p[rank]!;
    return isKept;
  });
  const sum = kept.reduce((total, v) => total + Math.exp(x[v]! - x[order[0]!]!), 0);
  return x.map((z, v) => (kept.includes(v) ? Math.exp(z - x[order[0]!]!) / sum : 0));
}

/**
 * The tokens that a row of a batch is to get: each step is one call of `model`, a model on the reference.
 *
 * @returns tokens, with the logarithm of the probability that the model gives each
 */
export async function plainly(
  model: Model,
  prompt: readonly number[],
  options: Partial<GenerateOptions> & { readonly seed: number; readonly maxSteps: number },
  row = 0,
): Promise<{ tokens: number[]; logProbs: number[] }> {
  const { temperature = 1, seed, maxSteps, stream = {} } = options;
  const stepper = model.stream(stream);
  const uniform = uniformNumbers(seed, row);
  const scores = async (token: number): Promise<number[]> => {
    const { Y } = await stepper.step({ X: tensor(Int32Array.of(token), [1, 1]) });
    return Array.from(Y!.data, Number);
  };
  let logits: number[] = [];
  for (const token of prompt) logits = await scores(token);
  const seen = new Set(prompt);
  const [tokens, logProbs]: [number[], number[]] = [[], []];
  while (tokens.length < maxSteps) {
    const u = uniform();
    let token = 0;
    if (temperature === 0) {
      const p = distribution(logits, seen, { ...options, temperature: 1, topK: 1, topP: 1 });
      token = p.indexOf(1);
    } else {
      const p = distribution(logits, seen, options);
      let sum = 0;
      token = p.findIndex((each) => (sum += each) > u);
    }
    tokens.push(token);
    logProbs.push(logSoftmax(logits)[token]!);
    seen.add(token);
    logits = await scores(token);
  }
  stepper.dispose();
  return { tokens, logProbs };
}

/** All that an iterator gives. */
export async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
