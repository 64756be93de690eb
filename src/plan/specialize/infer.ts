// A graph specialized to one set of input shapes: types and shapes of its values, the numbers that
// follow from shapes and constants, and the nodes that are left to run.
import type { Graph } from '../../graph.ts';
import { recurrentAttributes } from '../../graph.ts';
import { Sequence, sequenceOutput } from '../../ops/control.ts';
import type { HostValue } from '../../ops/operator.ts';
import type { Value } from '../values.ts';
import { checkDeclared } from './declared-values.ts';
import { indexedSizes, SAME_ORDER, type IndexCheck } from './index-checks.ts';
import { PartialEvaluator, type EvaluatorOptions, type PlannedNode } from './partial-evaluator.ts';

export type { EvaluatorOptions, PlannedNode } from './partial-evaluator.ts';
export type { Value } from '../values.ts';

/** What is known of the inputs of a call. */
export interface CallShapes {
  /** Shape of every input. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
  /** Numbers of the inputs that decide shapes or branches, see `hostInputsOf`. */
  readonly host: ReadonlyMap<string, HostValue>;
}

/** A row of lengths that a recurrent layer reads from an input: none may exceed its time steps. */
export interface LengthCheck {
  readonly input: string;
  readonly steps: number;
}

/** What can be said of a graph at one set of shapes without running it. Plans are made from it. */
export interface SpecializedGraph {
  /** The inputs of the graph, in its order. */
  readonly inputs: readonly Value[];
  /** Type and shape of a value of the graph, with its numbers where they are known. */
  readonly value: (name: string) => Value | undefined;
  /** What is left to run, in order. */
  readonly list: readonly PlannedNode[];
  readonly lengths: readonly LengthCheck[];
  readonly indices: readonly IndexCheck[];
}

/**
 * Infers types and shapes, computes what follows from shapes and constants, and unrolls control flow.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_MODEL` from the operators, `INVALID_MODEL` where the file
 *   declares a type or a shape that contradicts them
 */
export function specializeGraph(
  graph: Graph,
  { dims, host }: CallShapes,
  options: EvaluatorOptions = {},
): SpecializedGraph {
  const evaluator = new PartialEvaluator(options);
  const { scope, list } = evaluator;
  const inputs = graph.inputs.map(({ name, type }): Value => {
    const known = host.get(name);
    const value = {
      name,
      type,
      dims: dims.get(name)!,
      constant: false,
      ...(known && { host: known }),
    };
    scope.set(name, value);
    return value;
  });
  evaluator.evaluate(graph);
  checkDeclared(graph.declared ?? [], (name) => {
    const found = scope.get(name);
    return found instanceof Sequence ? undefined : found;
  });
  const producer = new Map(list.flatMap((item) => item.outputs.map((value) => [value, item])));
  const lengths = list.flatMap(({ node, inputs: [x, , , , value] }): LengthCheck[] => {
    if (node.op !== 'Recurrent' || !value) return [];
    let from = value;
    for (let item = producer.get(from); item; item = producer.get(from)) {
      if (item.node.op !== 'Cast' && item.node.op !== 'Identity') break;
      from = item.inputs[0]!;
    }
    const steps = x!.dims[recurrentAttributes(node).layout]!;
    return inputs.includes(from) ? [{ input: from.name, steps }] : [];
  });
  const indices = list.flatMap(({ node, inputs: [data, value] }): IndexCheck[] => {
    const sizes = data && value && indexedSizes(node, data, value);
    if (!sizes) return [];
    let from = value;
    for (let item = producer.get(from); item; item = producer.get(from)) {
      if (!SAME_ORDER.has(item.node.op)) break;
      from = item.inputs[0]!;
    }
    const reader = `${node.op} '${node.name}'`;
    return inputs.includes(from) ? [{ input: from.name, reader, sizes }] : [];
  });
  const value = (name: string): Value | undefined => {
    const found = scope.get(name);
    if (found instanceof Sequence) throw sequenceOutput(name);
    return found;
  };
  return { inputs, list, lengths, indices, value };
}
