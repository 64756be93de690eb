// The options of generations.
import type { Tensors } from '../backends/backend.ts';
import type { StreamOptions } from '../load-options.ts';

/** How tokens are chosen from the scores of a model, in this order. */
export interface SamplingOptions {
  /**
   * Divides the score of each token that is in the prompt or was chosen before, or multiplies it where it is negative
   * (the penalty of [CTRL](https://arxiv.org/abs/1909.05858)); 1 (default) for none.
   */
  readonly repetitionPenalty?: number;
  /** Divides all scores; 1 by default. 0 takes the best token, and of equal ones the first. */
  readonly temperature?: number;
  /** Only the best k tokens are candidates, and those equal to the last of them; all by default. */
  readonly topK?: number;
  /**
   * Only the fewest best tokens whose probabilities come to `topP` are candidates, and those equal to the last of
   * them; 1 (default) for all. The probabilities are those among the best `topK`. Without `topK` the vocabulary
   * is sorted at each step: for a large one give both.
   */
  readonly topP?: number;
  /** Of the random numbers, a whole number; another one each time when left out. */
  readonly seed?: number;
}

/** What the tokens of a model are, and when they end. */
export interface TokenOptions {
  /** Tokens that end a row; they are not given out. */
  readonly stop?: number | readonly number[];
  /** Maximum of tokens in a row; without one only a stop token or whoever iterates ends it. */
  readonly maxSteps?: number;
  /** Ends the iteration with the reason of the signal, `AbortError` by default. */
  readonly signal?: AbortSignal;
  /** The input that takes tokens, where the model has others that `feeds` and `stream.state` do not name. */
  readonly tokens?: string;
  /** The output with the scores of the next token, where the model has several. */
  readonly logits?: string;
  /**
   * Whether that output has logits (any scores whose softmax are the probabilities) or probabilities. Found out
   * where it is made by a Softmax, whose input is read then; else `'logits'`.
   */
  readonly scores?: 'logits' | 'probabilities';
  /** Tensors for the other inputs, the same at each step; those of a state are for the first step. */
  readonly feeds?: Tensors;
  /** How the model is streamed: names of state pairs and the like, as in `model.stream`. */
  readonly stream?: Omit<StreamOptions, 'batch'>;
  /**
   * Maximum of tokens that a GPU computes before they are read back; 32 by default. The first token is read alone,
   * then 1, 2, 4 … at once.
   */
  readonly tokensPerSubmit?: number;
}

/** Token numbers, in order. */
export type TokenList = readonly number[] | Int32Array | BigInt64Array;

/** Options of `generate`. */
export interface GenerateOptions extends SamplingOptions, TokenOptions {
  /** The tokens to go on from, at least one; or a list of such lists, of any lengths, as a batch. */
  readonly prompt: TokenList | readonly TokenList[];
  /** Whether to give the logarithm of the probability of each token, see {@link ScoredToken}. */
  readonly logProbs?: boolean;
}

/** A token with its probability. */
export interface ScoredToken {
  /** Its number. */
  readonly token: number;
  /**
   * The natural logarithm of the probability that the model gives it: at temperature 1, before penalty, top-k and
   * top-p.
   */
  readonly logProb: number;
}
