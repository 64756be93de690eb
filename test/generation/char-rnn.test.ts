// The judge of `generate`: the greedy text of another engine's character model, to the letter.
import { afterAll, describe, expect, test } from 'vitest';
import { generate, loadModel, type LoadOptions } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { needsSharedData, sharedBytes, sharedJson } from '../support/shared-data.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
];
const FOLDER = 'models/charrnn-shakespeare';
/** Letters of the prompt, `The `, before the 161 rows of the reference. */
const SEED = 4;

describe.each(BACKENDS)('charRNN on %s', needsSharedData, (_, options) => {
  test('161 greedy letters are those of the reference', async () => {
    const meta = sharedJson<{ ids: number[]; text: string }>(`${FOLDER}/reference/meta.json`);
    const vocabulary = sharedJson<Record<string, number>>(`${FOLDER}/vocab.json`);
    const letters = new Map(Object.entries(vocabulary).map(([letter, id]) => [id, letter]));
    const files = {
      'model.json': sharedBytes(`${FOLDER}/tfjs/model.json`),
      'weights.bin': sharedBytes(`${FOLDER}/tfjs/weights.bin`),
    };
    const model = await loadModel(files, options);
    const prompt = meta.ids.slice(0, SEED);
    const maxSteps = meta.ids.length - SEED;
    expect(maxSteps).toBeGreaterThan(150);
    const ids = [...prompt];
    for await (const token of generate(model, { prompt, temperature: 0, maxSteps }))
      ids.push(token);
    expect(ids.map((id) => letters.get(id)).join('')).toBe(meta.text);
    expect(ids).toEqual(meta.ids);
    model.dispose();
  });
});
