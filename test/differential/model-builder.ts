// A model under construction, as an ONNX file with what to feed it, and how it is compared.
import { loadModel } from '../../src/load-model.ts';
import { isFloat, type DataType, type Tensor } from '../../src/tensor.ts';
import { findDifference } from '../support/close.ts';
import { writeOnnx, type OnnxAttribute, type OnnxNode } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import type { Random } from '../support/random.ts';

/** Attributes by name; undefined ones are left out. */
export type Attributes = Readonly<Record<string, OnnxAttribute | undefined>>;

/** Nodes, weights and feeds by name, in the order in which they were added. */
export class ModelBuilder {
  readonly random: Random;
  readonly nodes: OnnxNode[] = [];
  readonly feeds: Record<string, Tensor> = {};
  readonly initializers: Record<string, Tensor> = {};
  readonly outputs: { readonly name: string; readonly type: DataType }[] = [];
  #values = 0;

  constructor(random: Random) {
    this.random = random;
  }

  #name(): string {
    return `v${this.#values++}`;
  }

  feed(value: Tensor): string {
    const name = this.#name();
    this.feeds[name] = value;
    return name;
  }

  constant(value: Tensor): string {
    const name = this.#name();
    this.initializers[name] = value;
    return name;
  }

  /** Adds a node; false in `outputs` leaves that output out, and '' in `inputs` that input. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: readonly boolean[] = [true],
    domain?: string,
  ): string[] {
    const names = outputs.map((wanted) => (wanted ? this.#name() : ''));
    const used = (slots: readonly string[]): readonly string[] =>
      slots.slice(0, slots.findLastIndex((slot) => slot !== '') + 1);
    const slots = { inputs: used(inputs), outputs: used(names) };
    this.nodes.push({ op, ...slots, attributes, ...(domain && { domain }) });
    return names;
  }

  /** Takes back what `work` has added when it comes to nothing. */
  attempt<T>(work: () => T | undefined): T | undefined {
    const [nodes, values] = [this.nodes.length, this.#values];
    const result = work();
    if (result !== undefined) return result;
    this.nodes.length = nodes;
    for (; this.#values > values; this.#values--) {
      delete this.feeds[`v${this.#values - 1}`];
      delete this.initializers[`v${this.#values - 1}`];
    }
    return undefined;
  }

  /** The file. Sizes of inputs are free or not at random; those of outputs are never told. */
  bytes(): Uint8Array {
    const { random, nodes, initializers, outputs } = this;
    const inputs = Object.entries(this.feeds).map(([name, { type, dims }]) => ({
      name,
      type,
      dims: dims.map((dim, axis) => (random.chance(0.5) ? `${name}_${axis}` : dim)),
    }));
    // ONNX has Swish from opset 24 on.
    const opset = nodes.some(({ op }) => op === 'Swish') ? 24 : random.pick([22, 23, 24]);
    const rawData = random.chance(0.8);
    const domains = nodes.some(({ domain }) => domain) ? { 'com.microsoft': 1 } : {};
    return writeOnnx({ nodes, inputs, outputs, initializers }, { opset, rawData, domains });
  }
}

/** What is wrong with one output of one backend. */
export interface Mismatch {
  readonly output: string;
  readonly text: string;
}

/**
 * Computes a model in ONNX Runtime and on all backends.
 *
 * Floats may be off by 1e-5 of the largest number of their output, or of 1 where that is larger:
 * sums cancel, and what is left of terms of order m carries the rounding errors of m. Both sides
 * compute in float32. A sum of n terms of order one errs by √n · 2⁻²⁴, at most 4e-6 for the 2000
 * terms that there are here; functions by some 16 · 2⁻²⁴ = 1e-6. Integers and bools are exact.
 */
export async function compareModel(
  model: ModelBuilder,
  device: GPUDevice,
): Promise<readonly Mismatch[]> {
  const bytes = model.bytes();
  const expected = await runOnnxRuntime(bytes, model.feeds);
  const found: Mismatch[] = [];
  for (const backend of ['reference', 'wasm', 'js', device] as const) {
    const where = typeof backend === 'string' ? backend : 'webgpu';
    const loaded = await loadModel(bytes, { device: backend });
    try {
      const actual = await loaded.run(model.feeds);
      for (const { name: output } of model.outputs) {
        const text = difference(actual[output]!, expected[output]!);
        if (text !== undefined) found.push({ output, text: `${where}: ${text}` });
      }
    } finally {
      loaded.dispose();
    }
  }
  return found;
}

function difference(actual: Tensor, expected: Tensor): string | undefined {
  const shown = ({ type, dims }: Tensor): string => `${type}[${dims.join(',')}]`;
  if (shown(actual) !== shown(expected)) return `got ${shown(actual)}, want ${shown(expected)}`;
  const numbers = Array.from(expected.data as ArrayLike<number>, Number);
  const largest = numbers.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), 1);
  const atol = isFloat(actual.type) ? 1e-5 * largest : 0.5;
  return findDifference(actual.data, numbers, { atol, dims: actual.dims, label: shown(actual) });
}
