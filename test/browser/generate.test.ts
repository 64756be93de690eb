// Text in a page: the letters of the reference on every backend, and with one seed the same text on all.
import { commands } from 'vitest/browser';
import { describe, expect, test } from 'vitest';
import { generate, loadModel, type LoadOptions } from '../../src/index.ts';
import { readCharRnn, type CharRnn } from '../support/charrnn.ts';
import { requires } from '../support/requires.ts';

async function bytesOf(name: string): Promise<Uint8Array> {
  const base64 = await commands.sharedFile(name);
  expect(base64, name).not.toBeNull();
  const response = await fetch(`data:application/octet-stream;base64,${base64}`);
  return new Uint8Array(await response.arrayBuffer());
}

const isThere = (await commands.sharedFile('models/charrnn-shakespeare/vocab.json')) !== null;
type Backend = NonNullable<LoadOptions['device']>;
const BACKENDS: readonly Backend[] = ['webgpu', 'wasm'];

/** What a backend writes greedily, and at random with a seed. */
async function written(device: Backend, { files, prompt, ids }: CharRnn) {
  const model = await loadModel(files, { device });
  const greedy = [...prompt];
  const maxSteps = ids.length - prompt.length;
  for await (const token of generate(model, { prompt, temperature: 0, maxSteps })) {
    greedy.push(token);
  }
  const sampled: number[] = [];
  const sampling = { prompt, temperature: 0.8, topK: 20, topP: 0.95, seed: 7, maxSteps: 40 };
  for await (const token of generate(model, sampling)) sampled.push(token);
  expect(model.backend).toBe(device);
  model.dispose();
  return { greedy, sampled };
}

describe('charRNN', requires(isThere, '../shared/data is not there'), () => {
  test('writes the greedy letters of the reference, and with one seed one text', async () => {
    const judge = await readCharRnn(bytesOf);
    expect(judge.ids.length).toBeGreaterThan(150);
    const texts: (readonly number[])[] = [];
    for (const device of BACKENDS) {
      const { greedy, sampled } = await written(device, judge);
      expect(judge.textOf(greedy), device as string).toBe(judge.text);
      texts.push(sampled);
    }
    expect(texts[1]).toEqual(texts[0]);
    expect(texts[0]).toHaveLength(40);
    expect(new Set(texts[0]).size).toBeGreaterThan(5);
  });
});
