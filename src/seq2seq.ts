// Encoder-decoder models as users see them. The work is in a chunk of its own, loaded when the first sequence is decoded.
import type { Tensors } from './backends/backend.ts';
import type { Model } from './model.ts';
import type { Decoding, DecodedSequence, Seq2Seq, Seq2SeqOptions } from './generation/decoding.ts';
import type { TokenList } from './generation/types.ts';

/**
 * Joins an encoder and a decoder: the encoder reads a source once, and the decoder writes token by token, from the
 * states that the encoder left and with its outputs, to attend to, at each step.
 *
 * Sources of different length are one batch where the encoder takes their lengths (`lengths`); else those of equal
 * length are computed together. Either way each row is what it would be alone.
 *
 * The score of a sequence Y is that of GNMT ([Wu et al. 2016](https://arxiv.org/abs/1609.08144), equation 14 without
 * coverage): log P(Y | X) / lp(Y), with lp(Y) = (5 + |Y|)^α / (5 + 1)^α, α the `lengthPenalty`, and |Y| the number of
 * tokens with the stop token.
 *
 * @param encoder takes tokens or anything else, and gives what `connect` names
 * @param decoder takes tokens and gives scores, as for `generate`; its free batch is that of the sources, or with
 *   `beams` that times the beams
 * @throws RnnError from `run` and not before: `INVALID_ARGUMENT` for options and names that do not exist, what
 *   `encoder.run` and `generate` throw
 * @example
 * ```ts
 * const speller = seq2seq(encoder, decoder, { connect: { hn: 'h0' }, stream: { state: { hn: 'h0' } }, start: 2, stop: 3 });
 * const [word] = await speller.run([7, 4, 11, 11, 14], { beams: 4, lengthPenalty: 0.6, maxSteps: 20 });
 * console.log(word.tokens, word.score);
 * ```
 */
export function seq2seq(encoder: Model, decoder: Model, options: Seq2SeqOptions): Seq2Seq {
  let made: Promise<Seq2Seq> | undefined;
  return {
    async run(
      source: TokenList | readonly TokenList[] | Tensors,
      decoding: Decoding = {},
    ): Promise<readonly DecodedSequence[]> {
      made ??= import('./generation/encoder-decoder.ts').then(({ EncoderDecoder }) => {
        return new EncoderDecoder(encoder, decoder, options);
      });
      made.catch(() => (made = undefined)); // a chunk that did not load may do so later
      return (await made).run(source, decoding);
    },
  };
}
