// How many numbers of a model are its weights. The count is the one that people know from the
// framework the model was trained in, so what importers and exporters put in to be complete is none.
import { isGraph, RECURRENT_INPUTS, type Graph, type Node } from '../graph.ts';
import { isFloat, type Tensor } from '../tensor.ts';

/** Weights of each constant, by constant: one that two nodes read is one. */
export type WeightCounts = ReadonlyMap<Tensor, number>;

/** The weights of a graph and of the branches in it. */
export function weightsOf(graph: Graph): WeightCounts {
  const counts = new Map<Tensor, number>();
  const visit = ({ constants, nodes }: Graph, outer: ReadonlyMap<string, Tensor>): void => {
    const known = new Map([...outer, ...constants]);
    for (const node of nodes) {
      const inputs = node.inputs.map((name) => known.get(name));
      for (const [constant, count] of weightsIn(node, inputs)) {
        counts.set(constant, Math.max(count, counts.get(constant) ?? 0));
      }
      for (const value of Object.values(node.attributes)) if (isGraph(value)) visit(value, known);
    }
  };
  visit(graph, new Map());
  return counts;
}

/** The weights that one node reads; `inputs` by slot, undefined for what is no constant. */
export function weightsIn(node: Node, inputs: readonly (Tensor | undefined)[]): WeightCounts {
  const counts = new Map<Tensor, number>();
  inputs.forEach((constant, slot) => {
    if (constant && isFloat(constant.type)) counts.set(constant, countOf(node, slot, constant));
  });
  return counts;
}

/** Operators that bring zeros to where a layer takes its initial state, or its second bias. */
const MOVES = new Set(
  'Concat Expand Gather Identity Reshape Slice Split Squeeze Transpose Unsqueeze'.split(' '),
);

function countOf({ op }: Node, slot: number, { dims, data }: Tensor): number {
  if (dims.length === 0) return 0; // an exponent, an epsilon, the number that a mask looks for
  const numbers = data as Float32Array | Float64Array;
  const input = op === 'Recurrent' ? RECURRENT_INPUTS[slot] : undefined;
  if (input === 'initialH' || input === 'initialC' || MOVES.has(op)) {
    return numbers.every((value: number) => value === 0) ? 0 : data.length;
  }
  // Keras has one bias where B has two: the other is zero.
  return input === 'B' && isHalf(numbers, dims.at(-1)!) ? data.length / 2 : data.length;
}

/** True where the second half of each row is zero. */
const isHalf = (numbers: Float32Array | Float64Array, row: number): boolean =>
  numbers.every((value: number, i: number) => i % row < row / 2 || value === 0);

/** All of them together. */
export const sumOf = (counts: WeightCounts): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);
