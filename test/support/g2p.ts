// The layers of g2p-en, letters to phonemes: which tensors of its file belong to the encoder and the decoder.
import type { PyTorchArchitecture } from '../../src/index.ts';

/** `reference/words.json`. */
export interface Words {
  readonly graphemes: readonly string[];
  readonly phonemes: readonly string[];
  readonly words: Readonly<
    Record<
      string,
      { phonemes: readonly string[]; encoderLastHidden: number[]; logitsStep0: number[] }
    >
  >;
}

const gru = (side: 'enc' | 'dec') =>
  ({
    weight_ih_l0: `${side}_w_ih`,
    weight_hh_l0: `${side}_w_hh`,
    bias_ih_l0: `${side}_b_ih`,
    bias_hh_l0: `${side}_b_hh`,
  }) as const;
/** The layers that read a word. */
export const ENCODER: PyTorchArchitecture = {
  batchFirst: true,
  ignore: ['dec_', 'fc_'],
  layers: [
    { type: 'embedding', tensors: { weight: 'enc_emb' } },
    { type: 'gru', tensors: gru('enc'), output: 'hidden', returnState: true },
  ],
};
/** The layers that say it. */
export const DECODER: PyTorchArchitecture = {
  batchFirst: true,
  ignore: ['enc_'],
  layers: [
    { type: 'embedding', tensors: { weight: 'dec_emb' } },
    { type: 'gru', tensors: gru('dec'), initialState: true },
    { type: 'linear', tensors: { weight: 'fc_w', bias: 'fc_b' } },
  ],
};
