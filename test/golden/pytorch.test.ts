// Small layers and trained models give PyTorch's numbers, from the state_dict and from the ONNX export.
import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { tensor, type LoadOptions } from '../../src/index.ts';
import { getFullDevice } from '../setup/gpu.ts';
import {
  expectLikePyTorch,
  loadCase,
  type ModelFormat,
  type PyTorchCase,
  type TextCase,
} from './pytorch-cases.ts';

const FOLDER = new URL('pytorch/', import.meta.url);
const read = (name: string): Promise<Uint8Array> => readFile(new URL(name, FOLDER));
const { cases } = JSON.parse(new TextDecoder().decode(await read('index.json'))) as {
  cases: readonly PyTorchCase[];
};
const exported = cases.filter(({ onnx }) => onnx === true);

const device = await getFullDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['js', { device: 'js' }],
  ['reference', { device: 'reference' }],
];

describe.each(BACKENDS)('on %s', (_, options) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))(
    '%s.safetensors',
    (_name, golden) => expectLikePyTorch(golden, 'safetensors', read, options),
  );
  test.each(exported.map((golden) => [golden.name, golden] as const))('%s.onnx', (_name, golden) =>
    expectLikePyTorch(golden, 'onnx', read, options),
  );

  // The letters follow from the state that each step leaves: one wrong gate and the text is another.
  test.each(['safetensors', 'onnx'] as const satisfies ModelFormat[])(
    'a character model from %s continues its text as PyTorch does',
    async (format) => {
      const golden = cases.find(({ name }) => name === 'trained_text_lstm') as TextCase;
      const model = await loadCase(golden, format, read, options);
      const stream = model.stream({ state: { hn: 'h0', cn: 'c0' } });
      stream.restore({
        h0: tensor(new Float32Array(32), [2, 1, 16]),
        c0: tensor(new Float32Array(32), [2, 1, 16]),
      });
      let letter = golden.letters.indexOf(golden.start);
      let text = '';
      for (let i = 0; i < golden.text.length; i++) {
        const x =
          model.inputs[0]!.type === 'int64'
            ? tensor(BigInt64Array.of(BigInt(letter)), [1, 1])
            : tensor(Int32Array.of(letter), [1, 1]);
        const logits = (await stream.step({ x }))['y']!.data as Float32Array;
        letter = logits.indexOf(Math.max(...logits));
        text += golden.letters[letter];
      }
      expect(text).toBe(golden.text);
      model.dispose();
    },
  );
});

test('there are cases of every module, and all but projections are exported', () => {
  const modules = new Set(cases.map(({ name }) => name.split('_')[0]));
  expect([...modules]).toEqual(['rnn', 'lstm', 'gru', 'trained']);
  const refused = cases.filter(({ onnx }) => onnx !== true);
  expect(refused.map(({ name }) => name)).toEqual([
    'lstm_projection',
    'lstm_projection_two_layers_bidirectional_states',
  ]);
});
