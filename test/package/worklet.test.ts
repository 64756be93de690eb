// The entry for audio threads as it is published: one file, run here with the globals of such a thread and no others.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { soundModel, soundThroughReference } from '../support/sound-model.ts';

const file = fileURLToPath(new URL('../../dist/worklet.js', import.meta.url));
const HOP = 96;

interface Processor {
  readonly process: (inputs: Float32Array[][], outputs: Float32Array[][]) => boolean;
}

test('it imports nothing, fetches nothing, and runs a model without the globals of a page', async () => {
  const code = await readFile(file, 'utf8');
  expect(code).not.toMatch(/\bimport\s*[({"'*]/);
  expect(code).not.toMatch(/\bfetch\(|new URL\(/);
  const messages: { type: string; error?: { message: string } }[] = [];
  const processors = new Map<string, new (options: object) => Processor>();
  const scope = createContext({
    sampleRate: 48000,
    registerProcessor: (name: string, made: new (options: object) => Processor) =>
      processors.set(name, made),
    AudioWorkletProcessor: class {
      readonly port = {
        postMessage: (message: { type: string }) => messages.push(message),
        addEventListener: () => undefined,
        start: () => undefined,
      };
    },
  });
  // A script has no exports: its last line names them.
  const [, body, names] = /^([\s\S]*)export\s*\{([^}]*)\};?[\s\S]*$/.exec(code)!;
  const register = names!.split(',').find((name) => name.trim().endsWith('registerRnnProcessor'))!;
  const local = register.trim().split(' ')[0]!;
  runInContext(
    `(() => { ${body}; ${local}('sound', { sampleRate: 48000, hop: ${HOP}, clock: () => 0 }); })()`,
    scope,
  );
  const bytes = [...soundModel(HOP)].join();
  const model = runInContext(`new Uint8Array([${bytes}])`, scope) as Uint8Array;
  const processor = new (processors.get('sound')!)({ processorOptions: { model } });
  expect(messages.map(({ type, error }) => error?.message ?? type)).toEqual(['ready']);
  const sound = Float32Array.from({ length: 128 * 12 }, (_, i) => Math.sin(i / 5));
  const output = new Float32Array(sound.length);
  for (let at = 0; at < sound.length; at += 128) {
    const [from, to] = [sound.subarray(at, at + 128), output.subarray(at, at + 128)];
    expect(processor.process([[from]], [[to]])).toBe(true);
  }
  const want = soundThroughReference(HOP, sound);
  const got = output.slice(HOP - 32);
  got.forEach((sample, i) => expect(Math.abs(sample - want[i]!)).toBeLessThan(1e-5));
});
