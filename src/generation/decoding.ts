// The options and results of encoder-decoder models.
import type { Tensors } from '../backends/backend.ts';
import type { SamplingOptions, TokenList, TokenOptions } from './types.ts';

/** What an encoder and a decoder have to do with each other. */
export interface Seq2SeqOptions extends Pick<TokenOptions, 'tokens' | 'logits' | 'scores'> {
  /**
   * What the decoder takes of the encoder: output of the encoder, or an input of it such as lengths → input of the
   * decoder. An input that `stream.state` names begins with it, any other has it at each step. One output may go to
   * several inputs.
   */
  readonly connect: Readonly<Record<string, string | readonly string[]>>;
  /** The token that the decoder begins with. */
  readonly start: number;
  /** Tokens that end a sequence. */
  readonly stop?: number | readonly number[];
  /** How the decoder is streamed: names of state pairs and the like, as in `model.stream`. */
  readonly stream?: TokenOptions['stream'];
  /** Tensors for the other inputs of the decoder, the same at each step. */
  readonly feeds?: Tensors;
  /** The input of the encoder that takes the source, where it has several. */
  readonly source?: string;
  /** The input of the encoder that takes the lengths of the sources, integers [B]; they are padded with 0 then. */
  readonly lengths?: string;
  /** Axis of the batch by name of an input of the decoder, where names and sizes do not tell. */
  readonly batchAxis?: Readonly<Record<string, number>>;
}

/** How a decoder writes. Without any of it the best token is taken at each step. */
export interface Decoding extends SamplingOptions {
  /** Takes tokens at random as `generate` does; 0 (default) takes the best. */
  readonly temperature?: number;
  /**
   * Hypotheses that are followed at once: of all continuations of all of them the best go on, by log P. 1 (default)
   * follows one. As many as there are sequences of `maxSteps` tokens find the best of all.
   */
  readonly beams?: number;
  /** α of the score, from 0 up; 0 (default) prefers short sequences, 1 none. */
  readonly lengthPenalty?: number;
  /** Maximum of tokens in a sequence; 256 by default. What has not ended by then counts as it is. */
  readonly maxSteps?: number;
  /** Ends the call with the reason of the signal. */
  readonly signal?: AbortSignal;
}

/** A sequence that the decoder has written. */
export interface DecodedSequence {
  /** Its tokens, without start and stop. */
  readonly tokens: readonly number[];
  /** log P(Y | X), natural, the stop token included. */
  readonly logProb: number;
  /** `logProb` divided by the penalty for its length. */
  readonly score: number;
  /** The other hypotheses of the beam, best first, up to `beams` with this one; empty without beams. */
  readonly others: readonly Omit<DecodedSequence, 'others'>[];
}

/** An encoder and a decoder, made by `seq2seq`. The models stay the caller's to dispose of. */
export interface Seq2Seq {
  /**
   * Reads sources and writes a sequence for each.
   *
   * @param source token numbers; a list of such lists; or the tensors that the encoder takes, of any number of rows
   * @returns a sequence for each source, in their order
   */
  run(
    source: TokenList | readonly TokenList[] | Tensors,
    decoding?: Decoding,
  ): Promise<readonly DecodedSequence[]>;
}

/** lp(Y) of GNMT, for a sequence of `length` tokens. */
export const lengthPenaltyOf = (length: number, alpha: number): number =>
  ((5 + length) / 6) ** alpha;
