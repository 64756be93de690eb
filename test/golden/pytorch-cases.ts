// The models of test/golden/pytorch/, made by scripts/make-goldens.py, for the tests of each environment.
import { expect } from 'vitest';
import {
  loadModel,
  type LoadOptions,
  type Model,
  type PyTorchArchitecture,
} from '../../src/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { readSafetensors } from '../support/safetensors.ts';

/** One entry of index.json. */
export interface PyTorchCase {
  readonly name: string;
  /** How often the model is called, each time with other sizes. */
  readonly calls: number;
  /** Whether there is an ONNX file, else why PyTorch refuses to export the module. */
  readonly onnx: true | string;
  readonly architecture: PyTorchArchitecture;
}

/** The character model: `text` is what follows `start`, taking the most likely letter at each step. */
export interface TextCase extends PyTorchCase {
  readonly letters: string;
  readonly start: string;
  readonly text: string;
}

/** The two files of a case that hold the model. */
export type ModelFormat = 'safetensors' | 'onnx';

/** Reads a file of the folder. */
export type ReadFile = (name: string) => Promise<Uint8Array>;

/**
 * For values of order one. Both sides compute in float32. A gate sums at most K = 32 products of order one (16
 * inputs, 16 units), so its error is below K · 2⁻²⁴ = 2e-6; gates do not amplify it, and these recurrences damp
 * it. The factor 5 is for layers on top of each other, and for saturating weights, which are up to 8 times as large.
 */
const ATOL = 1e-5;

/** Loads one of the files of a case. */
export async function loadCase(
  { name, architecture }: PyTorchCase,
  format: ModelFormat,
  readFile: ReadFile,
  options: LoadOptions,
): Promise<Model> {
  const file = `${name}.${format}`;
  const all = format === 'safetensors' ? { ...options, architecture } : options;
  return loadModel({ [file]: await readFile(file) }, all);
}

/** Ids and lengths as the model declares them: int32 for safetensors, int64 for ONNX. */
function asDeclared(value: Tensor, type: Tensor['type']): Tensor {
  if (type !== 'int32') return value;
  return { type, dims: value.dims, data: Int32Array.from(value.data, Number) };
}

/** Fails unless all calls of a case give the shapes and numbers of PyTorch. */
export async function expectLikePyTorch(
  golden: PyTorchCase,
  format: ModelFormat,
  readFile: ReadFile,
  options: LoadOptions,
): Promise<void> {
  const files = readSafetensors(await readFile(`${golden.name}.io.safetensors`));
  const model = await loadCase(golden, format, readFile, options);
  try {
    for (let call = 0; call < golden.calls; call++) {
      const feeds = Object.fromEntries(
        model.inputs.map(({ name, type }) => [
          name,
          asDeclared(files.get(`${call}.in.${name}`)!, type),
        ]),
      );
      const results = await model.run(feeds);
      const prefix = `${call}.out.`;
      const expected = [...files].filter(([name]) => name.startsWith(prefix));
      expect(Object.keys(results)).toEqual(expected.map(([name]) => name.slice(prefix.length)));
      for (const [name, { dims, data }] of expected) {
        const actual = results[name.slice(prefix.length)]!;
        expect(actual.dims, name).toEqual(dims);
        const numbers = data as Float32Array;
        const largest = numbers.reduce((max, x) => Math.max(max, Math.abs(x)), 1);
        expectClose(actual.data, numbers, { atol: ATOL * largest, label: name, dims });
      }
    }
  } finally {
    model.dispose();
  }
}
