// Text generation as users see it. The work is in a chunk of its own, loaded when the first token is asked for.
import type { GenerateOptions, ScoredToken, TokenList } from './generation/types.ts';
import type { Model } from './model.ts';

/**
 * Goes on from a prompt, token by token. The loop stays on the device: what chooses a token is part of the graph, the
 * token is fed back there, and a GPU computes several tokens in one submit with one small read-back.
 *
 * A batch gives a list at each step, with `undefined` for a row that is still in its prompt, because another prompt
 * is shorter, or that has ended. The text of a row depends on its own prompt and place in the batch only.
 *
 * The random numbers are made on the host and have 23 bits, so a token with a probability below 1e-7 may never be
 * chosen. The same seed gives the same text on every backend, but where a random number is as near to a border
 * between two tokens as float32 rounds (about 1e-6 for each token), or where two scores differ by no more at
 * the border of `topK`, `topP`, or the best token.
 *
 * @param model with the ids of tokens as an input: whole numbers [B, T], [T, B] or [B], or rows of zeros with a one
 *   [B, T, V]; and scores as an output: [B, T, V] or [B, V]. A model that takes one step at a time reads its
 *   prompt step by step
 * @returns one number for each token; a {@link ScoredToken} with `logProbs`; a list of them for a batch of prompts
 * @throws RnnError at the first step `INVALID_ARGUMENT` for options, and where it is not clear which input or output
 *   is meant, with a list of them; `SHAPE_MISMATCH` for scores of another shape; what `model.stream` and
 *   `stream.step` throw; `INVALID_MODEL` where scores are NaN
 * @example
 * ```ts
 * for await (const token of generate(model, { prompt: [29, 5, 1], temperature: 0.8, topK: 20, seed: 1, maxSteps: 200 })) {
 *   console.log(token);
 * }
 * ```
 */
export function generate(
  model: Model,
  options: GenerateOptions & { readonly prompt: TokenList; readonly logProbs?: false },
): AsyncGenerator<number, void, undefined>;
/** The same with the probabilities of the tokens. */
export function generate(
  model: Model,
  options: GenerateOptions & { readonly prompt: TokenList; readonly logProbs: true },
): AsyncGenerator<ScoredToken, void, undefined>;
/** The same for a batch of prompts: a list for each step. */
export function generate(
  model: Model,
  options: GenerateOptions & { readonly prompt: readonly TokenList[]; readonly logProbs?: false },
): AsyncGenerator<readonly (number | undefined)[], void, undefined>;
/** The same for a batch of prompts with the probabilities of the tokens. */
export function generate(
  model: Model,
  options: GenerateOptions & { readonly prompt: readonly TokenList[]; readonly logProbs: true },
): AsyncGenerator<readonly (ScoredToken | undefined)[], void, undefined>;
export async function* generate(
  model: Model,
  options: GenerateOptions,
): AsyncGenerator<unknown, void, undefined> {
  const { generateItems } = await import('./generation/index.ts');
  yield* generateItems(model, options);
}
