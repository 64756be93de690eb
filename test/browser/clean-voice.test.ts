// The denoiser of the demo in an audio thread, against the float64 reference outside of it.
import { expect, test } from 'vitest';
import { DENOISER, denoiserOf } from '../../demo/clean/denoiser.ts';
import { addressOf } from '../../demo/clean/fit.ts';
import { Stft } from '../../src/audio/stft.ts';
import { createRnnNode, tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { randomOf } from '../support/random.ts';

const BLOCKS = 40;
const { sampleRate, hop, size } = DENOISER;
const weights = new URL('../../demo/assets/denoiser.safetensors', import.meta.url);
const worklet = new URL('../../demo/clean/denoise.worklet.ts', import.meta.url);

/** All frames at once: spectra, the whole sequence through the graph, and back. */
function outside(sound: Float32Array, bytes: ArrayBuffer): Float32Array {
  const stft = new Stft({ size, window: 'sqrt-hann' }, hop);
  const bins = size / 2 + 1;
  const frames = Array.from({ length: sound.length / hop }, (_, n) => {
    stft.analyse(sound.subarray(n * hop, (n + 1) * hop));
    return { re: stft.re.slice(), im: stft.im.slice() };
  });
  const features = frames.flatMap(({ re, im }) =>
    Array.from(re, (x, k) => Math.log10(Math.hypot(x, im[k]!) + 1e-3)),
  );
  const X = tensor(Float32Array.from(features), [1, frames.length, bins]);
  const mask = runReference(denoiserOf(bytes), { X }).get('Y')!.data as Float64Array;
  const output = new Float32Array(sound.length);
  frames.forEach(({ re, im }, n) => {
    stft.re.set(re.map((x, k) => x * mask[n * bins + k]!));
    stft.im.set(im.map((x, k) => x * mask[n * bins + k]!));
    stft.synthesise(output.subarray(n * hop, (n + 1) * hop));
  });
  return output;
}

test('the built-in denoiser gives in the audio thread what the reference gives outside', async () => {
  const bytes = await (await fetch(weights)).arrayBuffer();
  const random = randomOf(11);
  const sound = Float32Array.from(random.floats(BLOCKS * hop, 0.3), (x, i) =>
    i % 4000 < 2000 ? x : x / 100,
  );
  const context = new OfflineAudioContext(1, sound.length, sampleRate);
  await context.audioWorklet.addModule(addressOf(worklet.href, DENOISER));
  const model = denoiserOf(bytes);
  const { node, latency } = await createRnnNode(context, { processor: 'denoise', model });
  const buffer = new AudioBuffer({ length: sound.length, sampleRate });
  buffer.copyToChannel(sound, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(node).connect(context.destination);
  source.start();
  const output = (await context.startRendering()).getChannelData(0);
  // The transform of the reference is late by itself; the rest is between blocks and frames.
  const late = Math.round(latency * sampleRate) - (size - hop);
  const want = outside(sound, bytes).subarray(0, sound.length - late);
  const worst = want.reduce((max, x, i) => Math.max(max, Math.abs(x - output[i + late]!)), 0);
  // A mask is off by 1e-5 at most (sums of some hundred products in float32), and factors of samples below 0.3.
  expect(worst).toBeLessThan(1e-5);
  expect(Math.max(...want)).toBeGreaterThan(1e-3);
});
