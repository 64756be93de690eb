// Real PyTorch models from safetensors files through the public API: what they are for, done right.
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadModel,
  readSafetensors,
  tensor,
  type Graph,
  type LoadOptions,
  type PyTorchArchitecture,
  type Tensor,
} from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { DECODER, ENCODER, type Words } from '../support/g2p.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { needsSharedData, sharedBytes, sharedFloats, sharedJson } from '../support/shared-data.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['reference', { device: 'reference' }],
];
const floats = (value: Tensor | undefined): Float32Array => value!.data as Float32Array;

describe.each(BACKENDS)('letters to phonemes on %s', needsSharedData, (_, options) => {
  test('ten words to the phoneme', async () => {
    const file = sharedBytes('models/g2p-en/g2p_en.safetensors');
    const { graphemes, phonemes, words } = sharedJson<Words>('models/g2p-en/reference/words.json');
    const encoder = await loadModel(file, { ...options, architecture: ENCODER });
    const decoder = await loadModel(file, { ...options, architecture: DECODER });
    const idOf = (letter: string): number => graphemes.indexOf(letter);
    const end = phonemes.indexOf('</s>');
    const stream = decoder.stream({ state: { hn: 'h0' } });
    expect(Object.keys(words)).toHaveLength(10);
    for (const [word, want] of Object.entries(words)) {
      const ids = Int32Array.from([...word, '</s>'], idOf);
      const { y, hn } = await encoder.run({ x: tensor(ids, [1, ids.length]) });
      expectClose(floats(y), want.encoderLastHidden, { label: `${word}: hidden` });
      expect(floats(hn)).toEqual(floats(y));

      stream.reset();
      stream.restore({ h0: hn! });
      const spoken: string[] = [];
      let token = phonemes.indexOf('<s>');
      for (let i = 0; i < 20; i++) {
        const { y: logits } = await stream.step({ x: tensor(Int32Array.of(token), [1, 1]) });
        // Logits reach 20, where float32 has steps of 2e-6 in each of 256 products.
        if (i === 0) expectClose(floats(logits), want.logitsStep0, { atol: 1e-4 });
        token = floats(logits).indexOf(Math.max(...floats(logits)));
        if (token === end) break;
        spoken.push(phonemes[token]!);
      }
      expect([word, ...spoken]).toEqual([word, ...want.phonemes]);
    }
    encoder.dispose();
    decoder.dispose();
  });
});

/** The front of the voice detector, which no nn module is: magnitudes of a convolution with sines. */
function spectrum(sines: Tensor): Graph {
  const ints = (...values: number[]): Tensor =>
    tensor(BigInt64Array.from(values, BigInt), [values.length]);
  const node = (op: string, inputs: string[], outputs: string[], attributes = {}) => ({
    op,
    name: outputs[0]!,
    inputs,
    outputs,
    attributes,
  });
  return {
    name: 'spectrum',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 576] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', 129, 4] }],
    constants: new Map<string, Tensor>([
      ['pads', ints(0, 0, 0, 64)],
      ['axes', ints(1)],
      ['sines', sines],
      ['halves', ints(129, 129)],
    ]),
    nodes: [
      node('Pad', ['x', 'pads'], ['padded'], { mode: 'reflect' }),
      node('Unsqueeze', ['padded', 'axes'], ['wave']),
      node('Conv', ['wave', 'sines'], ['parts'], { kernel_shape: [256], strides: [128] }),
      node('Split', ['parts', 'halves'], ['re', 'im'], { axis: 1 }),
      node('Mul', ['re', 're'], ['re2']),
      node('Mul', ['im', 'im'], ['im2']),
      node('Add', ['re2', 'im2'], ['power']),
      node('Sqrt', ['power'], ['y']),
    ],
  };
}

const conv = (name: string, stride: number) =>
  ({ type: 'conv1d', name, stride, padding: 1, activation: 'relu' }) as const;
const DETECTOR: PyTorchArchitecture = {
  ignore: ['stft_conv'],
  layers: [
    conv('conv1', 1),
    conv('conv2', 2),
    conv('conv3', 2),
    conv('conv4', 1),
    { type: 'permute', dims: [2, 0, 1] }, // [B, C, L] → [L, B, C]
    { type: 'lstm', name: 'lstm_cell' },
    { type: 'activation', activation: 'relu' },
    { type: 'permute', dims: [1, 2, 0] },
    { type: 'conv1d', name: 'final_conv', activation: 'sigmoid' },
  ],
};

describe('voice detector', { ...needsSharedData, ...ONLY_IN_FULL }, () => {
  test('300 frames as a stream, its front as a graph in code', async () => {
    const folder = 'models/silero-vad/';
    const file = sharedBytes(`${folder}silero_vad_16k.safetensors`);
    const sines = readSafetensors(file).get('stft_conv.weight')!;
    const front = await loadModel(spectrum(sines), { device });
    const back = await loadModel(file, { device, architecture: DETECTOR });
    const input = sharedFloats(`${folder}reference/input.f32`);
    const { y } = await front.run({ x: tensor(input, [300, 576]) });
    const size = 129 * 4;
    // Its convolutions see the four frames of one window, which is a chunk; its LSTM is carried.
    const stream = back.stream({ carry: ['lstm_cell'] });
    const got: number[] = [];
    for (let i = 0; i < 300; i++) {
      const x = tensor(floats(y).slice(i * size, (i + 1) * size), [1, 129, 4]);
      got.push(floats((await stream.step({ x }))['y'])[0]!);
    }
    const want = sharedFloats(`${folder}reference/prob_safetensors.f32`);
    // 300 steps of a recurrence over float32 sums of 256 products each.
    expectClose(got, want, { atol: 1e-4, label: 'probability' });
    front.dispose();
    back.dispose();
  });
});
