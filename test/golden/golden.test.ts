// Files of other projects through the public API: what comes out is what their own engines gave.
import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { loadModel, type LoadOptions, type Model, type Tensor } from '../../src/index.ts';
import { readTensor } from '../../src/import/onnx/model.ts';
import { toTensor } from '../../src/import/onnx/tensor.ts';
import { Budget, DEFAULT_IMPORT_LIMITS } from '../../src/import/limits.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { readSafetensors } from '../support/safetensors.ts';
import {
  hasSharedData,
  needsSharedData,
  sharedBytes,
  sharedJson,
  sharedPath,
} from '../support/shared-data.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const ATOL = 1e-5; // order-one values, f32 on both sides
const list = (folder: string): string[] => (hasSharedData ? readdirSync(sharedPath(folder)) : []);
const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['js', { device: 'js' }],
  ['reference', { device: 'reference' }],
];

function expectTensor(
  actual: Tensor | undefined,
  want: { dims: readonly number[]; data: ArrayLike<number> },
  label: string,
) {
  expect(actual?.dims, label).toEqual([...want.dims]);
  expectClose(actual!.data as Float32Array, want.data as Float32Array, { atol: ATOL, label });
}

async function withModel(
  files: Record<string, Uint8Array>,
  options: LoadOptions,
  work: (model: Model) => Promise<void>,
) {
  const model = await loadModel(files, options);
  try {
    await work(model);
  } finally {
    model.dispose();
  }
}

describe.each(BACKENDS)('on %s', needsSharedData, (_, options) => {
  const nodeTests = list('onnx-node').filter((name) => name.startsWith('test_'));
  test.each(nodeTests)('ONNX node test %s', async (name) => {
    const folder = `onnx-node/${name}/`;
    const numbered = (kind: string): Tensor[] =>
      list(`${folder}test_data_set_0`)
        .filter((file) => file.startsWith(kind))
        .map((_file, i) => {
          const path = `${folder}test_data_set_0/${kind}_${i}.pb`;
          const budget = new Budget(DEFAULT_IMPORT_LIMITS);
          return toTensor(readTensor(sharedBytes(path), path, budget), new Map(), budget);
        });
    await withModel(
      { 'model.onnx': sharedBytes(`${folder}model.onnx`) },
      options,
      async (model) => {
        const feeds = Object.fromEntries(
          numbered('input').map((value, i) => [model.inputs[i]!.name, value]),
        );
        const results = await model.run(feeds);
        const expected = numbered('output');
        expect(model.outputs).toHaveLength(expected.length);
        model.outputs.forEach(({ name: output }, i) => {
          expectTensor(results[output], expected[i] as Tensor<'float32'>, output);
        });
      },
    );
  });

  const exported = list('pytorch-golden').filter((file) => file.endsWith('.onnx'));
  test.each(exported)('PyTorch export %s', async (file) => {
    const golden = readSafetensors(
      sharedBytes(`pytorch-golden/${file.replace('.onnx', '.safetensors')}`),
    );
    await withModel({ [file]: sharedBytes(`pytorch-golden/${file}`) }, options, async (model) => {
      const feeds = Object.fromEntries(
        model.inputs.map(({ name }) => [name, golden.get(`in.${name}`)!]),
      );
      const results = await model.run(feeds);
      expect(Object.keys(results).length).toBeGreaterThan(1);
      for (const [name, value] of Object.entries(results)) {
        expectTensor(value, golden.get(`out.${name}`) as Tensor<'float32'>, name);
      }
    });
  });

  interface Io {
    readonly input: { shape: number[]; dtype: 'float32' | 'int32'; data: number[] };
    readonly outputs: readonly { step: number; shape: number[]; data: number[] }[];
  }
  const layers = hasSharedData
    ? sharedJson<{ models: { name: string; calls: number }[] }>('tfjs-golden/index.json').models
    : [];
  test.each(layers)('TF.js model $name ($calls calls)', async ({ name, calls }) => {
    const { input, outputs } = sharedJson<Io>(`tfjs-golden/${name}/io.json`);
    const files = {
      'model.json': sharedBytes(`tfjs-golden/${name}/model.json`),
      'weights.bin': sharedBytes(`tfjs-golden/${name}/weights.bin`),
    };
    await withModel(files, options, async (model) => {
      const [{ name: inputName, type }] = model.inputs as [(typeof model.inputs)[0]];
      const data = type === 'float32' ? Float32Array.from(input.data) : Int32Array.from(input.data);
      const feeds = { [inputName]: { type, dims: input.shape, data } as Tensor };
      // `predict` of a stateful model goes on from the state of the last call, as a stream does.
      const stream = calls > 1 ? model.stream({ batch: input.shape[0]! }) : undefined;
      for (let step = 0; step < calls; step++) {
        const results = await (stream ? stream.step(feeds) : model.run(feeds));
        const expected = outputs.filter((output) => output.step === step);
        expect(expected.length).toBe(model.outputs.length);
        expected.forEach(({ shape, data: want }, i) => {
          expectTensor(
            results[model.outputs[i]!.name],
            { dims: shape, data: want },
            `call ${step}`,
          );
        });
      }
    });
  });
});
