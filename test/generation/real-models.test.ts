// The judges of `generate` and `seq2seq`: what other engines wrote with trained models, to the letter.
import { afterAll, describe, expect, test } from 'vitest';
import { generate, loadModel, seq2seq, type LoadOptions } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { readCharRnn } from '../support/charrnn.ts';
import { DECODER, ENCODER, type Words } from '../support/g2p.ts';
import { needsSharedData, sharedBytes, sharedJson } from '../support/shared-data.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
];

describe.each(BACKENDS)('on %s', needsSharedData, (_, options) => {
  test('charRNN: 161 greedy letters are those of the reference', async () => {
    const { files, prompt, ids, text, textOf } = await readCharRnn(sharedBytes);
    const model = await loadModel(files, options);
    const maxSteps = ids.length - prompt.length;
    expect(maxSteps).toBeGreaterThan(150);
    const got = [...prompt];
    for await (const token of generate(model, { prompt, temperature: 0, maxSteps }))
      got.push(token);
    expect(textOf(got)).toBe(text);
    expect(got).toEqual(ids);
    model.dispose();
  });

  test('g2p-en: ten words to the phoneme, and no beam finds less likely ones', async () => {
    const file = sharedBytes('models/g2p-en/g2p_en.safetensors');
    const { graphemes, phonemes, words } = sharedJson<Words>('models/g2p-en/reference/words.json');
    const encoder = await loadModel(file, { ...options, architecture: ENCODER });
    const decoder = await loadModel(file, { ...options, architecture: DECODER });
    const speller = seq2seq(encoder, decoder, {
      connect: { hn: 'h0' },
      stream: { state: { hn: 'h0' } },
      start: phonemes.indexOf('<s>'),
      stop: phonemes.indexOf('</s>'),
    });
    const spoken = Object.keys(words);
    expect(spoken).toHaveLength(10);
    const sources = spoken.map((word) =>
      [...word, '</s>'].map((letter) => graphemes.indexOf(letter)),
    );
    const said = await speller.run(sources, { maxSteps: 20 });
    const textOf = (tokens: readonly number[]): string[] => tokens.map((id) => phonemes[id]!);
    for (const [row, word] of spoken.entries()) {
      expect([word, ...textOf(said[row]!.tokens)]).toEqual([word, ...words[word]!.phonemes]);
    }
    const wide = await speller.run(sources.slice(0, 3), { maxSteps: 20, beams: 3 });
    wide.forEach(({ logProb }, row) => {
      // No rule for beams: these words leave the model in no doubt, so the greedy path stays in the beam.
      expect(logProb).toBeGreaterThan(said[row]!.logProb - 1e-3);
    });
    encoder.dispose();
    decoder.dispose();
  });
});
