// One operator on its own, in our reference and in ONNX Runtime.
import { expect } from 'vitest';
import type { Attribute, Graph, Node } from '../../src/graph.ts';
import { operatorOf, type HostValue } from '../../src/ops/index.ts';
import { toHost } from '../../src/ops/value.ts';
import { runReference } from '../../src/reference.ts';
import { sizeOf, tensor, type DataType, type Tensor } from '../../src/tensor.ts';
import { expectClose, type Closeness } from './close.ts';
import { writeOnnx, type OnnxNode } from './onnx-writer.ts';
import { runOnnxRuntime } from './onnxruntime.ts';
import type { Random } from './random.ts';

/** An operator with its inputs; undefined where an optional one is left out. */
export interface OperatorCase {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes?: Readonly<Record<string, Exclude<Attribute, Graph>>>;
  /** Number of outputs; 1 when left out. */
  readonly outputs?: number;
}

/** Random float32 numbers of a shape. */
export const floats = (random: Random, dims: readonly number[], scale = 1): Tensor =>
  tensor(random.floats(sizeOf(dims), scale), dims);

/** Random whole numbers of a shape. */
export function integers<K extends DataType = 'int64'>(
  random: Random,
  dims: readonly number[],
  min: number,
  max: number,
  type = 'int64' as K,
): Tensor<K> {
  return tensor<K>(
    Array.from({ length: sizeOf(dims) }, () => random.int(min, max)),
    dims,
    type,
  );
}

/** A list of int64. */
export const list = (values: readonly number[]): Tensor => tensor(values, [values.length], 'int64');

/** A random shape. */
export const randomDims = (random: Random, min = 0, max = 4, size = 4): number[] =>
  Array.from({ length: random.int(min, max) }, () => random.int(1, size));

/** A shape that stretches to `dims`: some sizes become 1, some leading axes go. */
export function narrower(random: Random, dims: readonly number[]): number[] {
  const kept = dims.map((dim) => (random.chance(0.3) ? 1 : dim));
  return kept.slice(random.chance(0.3) ? random.int(0, dims.length) : 0);
}

/** The node of a case, reading x0, x1, … and making y0, y1, … */
export function nodeOf({ op, inputs, attributes = {}, outputs = 1 }: OperatorCase): Node {
  const names = inputs.map((input, slot) => (input === undefined ? '' : `x${slot}`));
  return {
    op,
    name: 'node',
    // ONNX Runtime takes '' at the end of the list for an input that is there and null.
    inputs: names.slice(0, names.findLastIndex((name) => name !== '') + 1),
    outputs: Array.from({ length: outputs }, (_, slot) => `y${slot}`),
    attributes,
  };
}

/** Types and shapes as a plan would learn them: only numbers of `hostInputs` are known. */
export function inferCase(
  operatorCase: OperatorCase,
): readonly { type: DataType; dims: readonly number[] }[] {
  const node = nodeOf(operatorCase);
  const operator = operatorOf(node, 'graph.nodes[0]');
  const host = (slot: number): HostValue | undefined => {
    const input = operatorCase.inputs[slot];
    return input && operator.hostInputs?.includes(slot) ? toHost(input) : undefined;
  };
  return operator.infer(node, operatorCase.inputs, host, 'graph.nodes[0]').types;
}

/** Runs a case in the reference. */
export function evaluateCase(operatorCase: OperatorCase): HostValue[] {
  const node = nodeOf(operatorCase);
  const feeds: Record<string, Tensor> = {};
  operatorCase.inputs.forEach((input, slot) => {
    if (input !== undefined) feeds[`x${slot}`] = input;
  });
  const infos = Object.entries(feeds).map(([name, { type, dims }]) => ({ name, type, dims }));
  const graph: Graph = {
    name: 'case',
    inputs: infos,
    outputs: [],
    constants: new Map(),
    nodes: [node],
  };
  return [...runReference(graph, feeds, node.outputs).values()];
}

/** The case on one line, for messages. */
export function describeCase({ op, inputs, attributes = {} }: OperatorCase): string {
  const shown = inputs.map((input) => {
    if (input === undefined) return '-';
    const small = input.data.length <= 4 ? `(${input.data.join(',')})` : '';
    return `${input.type}[${input.dims.join(',')}]${small}`;
  });
  const given = Object.entries(attributes).map(([key, value]) => `${key}=${String(value)}`);
  return `${op} ${[...shown, ...given].join(' ')}`;
}

/** Fails unless types, shapes and numbers are those of ONNX Runtime. */
export async function expectLikeOnnxRuntime(
  operatorCase: OperatorCase,
  closeness: Closeness = {},
): Promise<void> {
  const label = describeCase(operatorCase);
  const node = nodeOf(operatorCase);
  const feeds: Record<string, Tensor> = {};
  operatorCase.inputs.forEach((input, slot) => {
    if (input !== undefined) feeds[`x${slot}`] = input;
  });
  const inferred = inferCase(operatorCase);
  const actual = evaluateCase(operatorCase);
  const model = writeOnnx({
    nodes: [node as OnnxNode],
    inputs: Object.entries(feeds).map(([name, { type, dims }]) => ({ name, type, dims })),
    outputs: inferred.map(({ type }, slot) => ({ name: `y${slot}`, type })),
  });
  const expected = await runOnnxRuntime(model, feeds);
  for (const [slot, name] of node.outputs.entries()) {
    const [got, want] = [actual[slot]!, expected[name]!];
    const { type, dims, data } = got;
    expect({ type, dims }, `${label}: ${name}`).toEqual({ type: want.type, dims: want.dims });
    expect(inferred[slot], `${label}: inferred ${name}`).toEqual({ type, dims });
    const data64 = want.data as ArrayLike<number>;
    expectClose(data, data64, { rtol: 1e-5, label: `${label}: ${name}`, dims, ...closeness });
  }
}

/** Runs random cases one after the other. */
export async function expectManyLikeOnnxRuntime(
  count: number,
  make: (index: number) => OperatorCase,
  closeness?: Closeness,
): Promise<void> {
  for (let i = 0; i < count; i++) await expectLikeOnnxRuntime(make(i), closeness);
}
