// The denoiser that comes with the page: layers made in code around weights that scripts/train/denoiser.py trained.
import { dense, functional, gru, input, readSafetensors, type Graph } from 'webgpu-rnn';
import type { Fit } from './fit.ts';

const SIZE = 512;
const BINS = SIZE / 2 + 1;
const LAYERS = ['l0', 'l1'];

/** How the denoiser is fed: log magnitudes of 32 ms every 16 ms in, factors out. */
export const DENOISER: Fit = {
  sampleRate: 16_000,
  hop: SIZE / 2,
  kind: 'magnitudes',
  size: SIZE,
  window: 'sqrt-hann',
  input: 'X',
  dims: [1, 1, BINS],
  output: 'Y',
  isLog: true,
  state: {}, // streams carry the states of recurrent layers by themselves
};

/** The denoiser as a graph: `X` [1, 1, 257] → `Y` [1, 1, 257]. @throws RnnError for bytes that are not its weights */
export function denoiserOf(bytes: ArrayBuffer): Graph {
  const weights = readSafetensors(bytes);
  const weight = (name: string) => weights.get(name)!;
  const x = input('X', [1, 'time', BINS]);
  let hidden = dense({ W: weight('input.weight'), b: weight('input.bias'), activation: 'relu' })(x);
  for (const layer of LAYERS) {
    hidden = gru({
      order: 'pytorch',
      W: weight(`rnn.weight_ih_${layer}`),
      R: weight(`rnn.weight_hh_${layer}`),
      B: [weight(`rnn.bias_ih_${layer}`), weight(`rnn.bias_hh_${layer}`)],
    })(hidden);
  }
  const mask = dense({
    W: weight('output.weight'),
    b: weight('output.bias'),
    activation: 'sigmoid',
  })(hidden);
  return functional({ inputs: [x], outputs: { Y: mask } });
}
