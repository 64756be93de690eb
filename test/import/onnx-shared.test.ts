// Files of other projects: what they compute on the float64 reference is what their own engines did.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Budget, DEFAULT_IMPORT_LIMITS } from '../../src/import/limits.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { readTensor } from '../../src/import/onnx/model.ts';
import { toTensor } from '../../src/import/onnx/tensor.ts';
import type { Graph } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { readSafetensors } from '../support/safetensors.ts';
import {
  hasSharedData,
  needsSharedData,
  sharedBytes,
  sharedFloats,
  sharedJson,
  sharedPath,
} from '../support/shared-data.ts';

const list = (folder: string): string[] => (hasSharedData ? readdirSync(sharedPath(folder)) : []);

/** A graph as imported and as simplified: both must compute the same. */
function bothForms(path: string): readonly Graph[] {
  const graph = importOnnx(sharedBytes(path));
  return [graph, simplify(graph)];
}

function readPb(path: string): Tensor {
  const budget = new Budget(DEFAULT_IMPORT_LIMITS);
  return toTensor(readTensor(sharedBytes(path), path, budget), new Map(), budget);
}

describe('ONNX backend node tests', needsSharedData, () => {
  it.each(list('onnx-node').filter((name) => name.startsWith('test_')))('%s', (name) => {
    const folder = `onnx-node/${name}/`;
    const files = list(`${folder}test_data_set_0`);
    const numbered = (kind: string): Tensor[] =>
      files
        .filter((file) => file.startsWith(kind))
        .map((_, i) => readPb(`${folder}test_data_set_0/${kind}_${i}.pb`));
    for (const graph of bothForms(`${folder}model.onnx`)) {
      const feeds = Object.fromEntries(
        numbered('input').map((value, i) => [graph.inputs[i]!.name, value]),
      );
      const results = [...runReference(graph, feeds).values()];
      const expected = numbered('output');
      expect(results).toHaveLength(expected.length);
      expected.forEach(({ dims, data }, i) => {
        expect(results[i]!.dims).toEqual(dims);
        expectClose(results[i]!.data, data as Float32Array, { atol: 1e-6 });
      });
    }
  });
});

describe('PyTorch exports', needsSharedData, () => {
  const names = list('pytorch-golden').filter((file) => file.endsWith('.onnx'));
  it.each(names)('%s gives what PyTorch gave', (file) => {
    const golden = readSafetensors(
      sharedBytes(`pytorch-golden/${file.replace('.onnx', '.safetensors')}`),
    );
    for (const graph of bothForms(`pytorch-golden/${file}`)) {
      const feeds = Object.fromEntries(
        graph.inputs.map(({ name }) => [name, golden.get(`in.${name}`)!]),
      );
      const results = runReference(graph, feeds);
      expect(results.size).toBeGreaterThan(1);
      for (const [name, { dims, data }] of results) {
        const want = golden.get(`out.${name}`)!;
        expect(dims).toEqual(want.dims);
        expectClose(data, want.data as Float32Array, { atol: 1e-5, label: name, dims });
      }
    }
  });
});

describe('Silero voice activity detector', needsSharedData, () => {
  const FRAMES = 8; // a frame takes about 50 ms on the reference
  it.each(['silero_vad.onnx', 'silero_vad_16k_op15.onnx'])('%s', (file) => {
    const folder = 'models/silero-vad/';
    const input = sharedFloats(`${folder}reference/input.f32`);
    const expected = sharedFloats(`${folder}reference/prob.f32`);
    const probabilities = bothForms(`${folder}${file}`).map((graph) => {
      let state: Tensor = tensor(new Float32Array(256), [2, 1, 128]);
      return Array.from({ length: FRAMES }, (_, i) => {
        const results = runReference(graph, {
          input: tensor(input.slice(i * 576, (i + 1) * 576), [1, 576]),
          state,
          sr: tensor(BigInt64Array.of(16000n), []),
        });
        state = tensor(Float32Array.from(results.get('stateN')!.data), [2, 1, 128]);
        return results.get('output')!.data[0]!;
      });
    });
    for (const actual of probabilities) {
      expectClose(actual, expected.slice(0, FRAMES), { atol: 1e-5, label: file });
    }
  });
});

describe('DTLN speech denoiser', needsSharedData, () => {
  interface Meta {
    readonly model1: Readonly<Record<'input' | 'output', [string, number[]]>>;
    readonly model2: Readonly<Record<'input' | 'output', [string, number[]]>>;
  }
  const FRAMES = 4;
  it.each([1, 2] as const)('model_%d.onnx', (number) => {
    const folder = 'models/dtln/';
    const meta = sharedJson<Meta>(`${folder}reference/meta.json`)[`model${number}`];
    const input = sharedFloats(`${folder}reference/${meta.input[0]}`);
    const expected = sharedFloats(`${folder}reference/${meta.output[0]}`);
    const dims = meta.input[1].slice(1);
    const size = dims.reduce((a, b) => a * b, 1);
    for (const graph of bothForms(`${folder}model_${number}.onnx`)) {
      const [x, s] = graph.inputs.map(({ name }) => name) as [string, string];
      const [y, next] = graph.outputs.map(({ name }) => name) as [string, string];
      let state: Tensor = tensor(new Float32Array(512), [1, 2, 128, 2]);
      for (let i = 0; i < FRAMES; i++) {
        const frame = tensor(input.slice(i * size, (i + 1) * size), dims);
        const results = runReference(graph, { [x]: frame, [s]: state });
        state = tensor(Float32Array.from(results.get(next)!.data), [1, 2, 128, 2]);
        const want = expected.slice(i * size, (i + 1) * size);
        expectClose(results.get(y)!.data, want, { atol: 1e-5, label: `frame ${i}` });
      }
    }
  });
});
