// PyTorch's own outputs from its own weights: every case of the golden data, on both backends.
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadModel,
  readSafetensors,
  type LoadOptions,
  type PyTorchArchitecture,
  type Tensor,
} from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { hasSharedData, needsSharedData, sharedBytes, sharedJson } from '../support/shared-data.ts';

interface Case {
  readonly name: string;
  readonly kind: 'RNN' | 'GRU' | 'LSTM';
  readonly batch_first: boolean;
  readonly initial_state: boolean;
  readonly lengths: readonly number[] | null;
  readonly nonlinearity?: 'tanh' | 'relu';
}

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const { cases } = hasSharedData
  ? sharedJson<{ cases: Case[] }>('pytorch-golden/index.json')
  : { cases: [] };
const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['reference', { device: 'reference' }],
];

describe.each(BACKENDS)('PyTorch on %s', needsSharedData, (_, options) => {
  test.each(cases)('$name', async (golden) => {
    const bytes = sharedBytes(`pytorch-golden/${golden.name}.safetensors`);
    const given = readSafetensors(bytes);
    // Kind, layers, directions, biases and projection are for the importer to find out.
    const architecture: PyTorchArchitecture = {
      prefix: 'param.',
      batchFirst: golden.batch_first,
      initialState: golden.initial_state,
      lengths: golden.lengths !== null,
      ...(golden.nonlinearity && { nonlinearity: golden.nonlinearity }),
    };
    const model = await loadModel({ 'm.safetensors': bytes }, { ...options, architecture });
    const feeds: Record<string, Tensor> = {};
    for (const { name, type } of model.inputs) {
      const value = given.get(`in.${name}`)!;
      feeds[name] =
        type === 'int32'
          ? ({ type, dims: value.dims, data: Int32Array.from(value.data, Number) } as Tensor)
          : value;
    }
    const results = await model.run(feeds);
    const wanted = [...given.keys()].filter((name) => name.startsWith('out.'));
    expect(Object.keys(results)).toEqual(wanted.map((name) => name.slice(4)));
    for (const name of wanted) {
      const want = given.get(name)!;
      const got = results[name.slice(4)]!;
      expect(got.dims).toEqual(want.dims);
      // Order-one values, f32 on both sides.
      expectClose(got.data as Float32Array, want.data as Float32Array, { label: name });
    }
    model.dispose();
  });
});

test('all 33 cases are there', needsSharedData, () => {
  expect(cases).toHaveLength(33);
});
