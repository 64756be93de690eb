// Textbook formulas over lists of float64 numbers, and models in code held against them on every backend.
import { afterAll, expect } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { loadModel } from '../../src/load-model.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { getFullDevice } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

export type Vector = readonly number[];
export type Matrix = readonly Vector[];

const random = randomOf(SEED);

/** Random weights. */
export const weights = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.8,
    ),
    dims,
  );

export const range = (count: number): number[] => [...Array(count).keys()];

/** The numbers of a vector. */
export const vector = ({ data }: Tensor): Vector => Array.from(data as Float32Array);

/** The rows of a matrix. */
export const matrix = ({ data, dims }: Tensor): Matrix => {
  const width = dims.at(-1)!;
  const numbers = Array.from(data as Float32Array);
  return range(numbers.length / width).map((i) => numbers.slice(i * width, (i + 1) * width));
};

/** [A, B, C] as A matrices. */
export const cube = (x: Tensor): readonly Matrix[] => {
  const rows = matrix(x);
  const height = x.dims[1]!;
  return range(rows.length / height).map((i) => rows.slice(i * height, (i + 1) * height));
};

/** Block `index` of `count` blocks of rows. */
export const block = (x: Matrix, index: number, count: number): Matrix =>
  x.slice((index * x.length) / count, ((index + 1) * x.length) / count);

export const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
export const times = (W: Matrix, x: Vector): number[] => W.map((row) => dot(row, x));
export const plus = (...all: readonly Vector[]): number[] =>
  all[0]!.map((_, i) => all.reduce((sum, x) => sum + x[i]!, 0));
/** Of each pair of numbers. */
export const zip = (a: Vector, b: Vector, f: (x: number, y: number) => number): number[] =>
  a.map((x, i) => f(x, b[i]!));
export const product = (a: Vector, b: Vector): number[] => zip(a, b, (x, y) => x * y);
export const scaled = (a: Vector, factor: number): number[] => a.map((x) => x * factor);
export const transpose = (x: Matrix): Matrix => x[0]!.map((_, c) => x.map((row) => row[c]!));

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const tanh = (x: Vector): number[] => x.map(Math.tanh);
export const sigmoids = (x: Vector): number[] => x.map(sigmoid);
export const softmaxOf = (x: Vector): number[] => {
  const e = x.map(Math.exp);
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / total);
};
export const zeros = (count: number): number[] => range(count).map(() => 0);

/** Carries a state over steps and gives every output. */
export function scan<S>(steps: Matrix, first: S, step: (x: Vector, state: S) => S): S[] {
  let state = first;
  return steps.map((x) => (state = step(x, state)));
}

let device: Promise<GPUDevice> | undefined;
afterAll(async () => (await device)?.destroy());

/**
 * Holds a model against what its formulas give, on the reference and on the CPU's and the GPU's kernels. The reference
 * computes in float64, so that only constants that the model has rounded to float32 differ.
 */
export async function expectFormula(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  formulas: Readonly<Record<string, readonly unknown[]>>,
  backends: readonly ('wasm' | 'webgpu')[] = ['wasm', 'webgpu'],
): Promise<void> {
  const wanted = Object.entries(formulas).map(
    ([name, values]) => [name, values.flat(Infinity) as number[]] as const,
  );
  const exact = runReference(graph, feeds);
  for (const [name, values] of wanted) {
    expectClose(exact.get(name)!.data, values, { atol: 1e-6, label: `reference: ${name}` });
  }
  for (const backend of backends) {
    device ??= getFullDevice();
    const model = await loadModel(graph, { device: backend === 'wasm' ? 'wasm' : await device });
    expect(model.backend).toBe(backend);
    const outputs = await model.run(feeds);
    for (const [name, values] of wanted) {
      const { data } = outputs[name]!;
      expectClose(data as Float32Array, values, { atol: 1e-5, label: `${backend}: ${name}` });
    }
    model.dispose();
  }
}
