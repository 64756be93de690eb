// What can be said of a graph at one set of input shapes without running it: types, shapes, and the
// numbers that follow from shapes and constants.
import type { Graph } from '../../graph.ts';
import { recurrentAttributes } from '../../graph.ts';
import { Sequence, sequenceOutput } from '../../ops/control.ts';
import type { HostValue } from '../../ops/operator.ts';
import { PartialEvaluator, type PlannedNode, type Value } from './partial-evaluator.ts';
import type { PlanValue } from '../lowering.ts';

export type { PlannedNode, Value } from './partial-evaluator.ts';

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

/** What can be said of a graph at one set of shapes without running it. */
export interface Inference {
  /** Type and shape of a value of the graph, with its numbers where they are known. */
  readonly value: (name: string) => PlanValue | undefined;
  readonly lengths: readonly LengthCheck[];
}

/** An inference with what a plan is made from. */
export interface Specialized extends Inference {
  readonly value: (name: string) => Value | undefined;
  readonly list: readonly PlannedNode[];
}

/**
 * Learns a graph.
 *
 * @param bufferOf gives the buffers of inputs whose numbers are not known
 * @param maxUnrolled nodes that loops may come to
 */
export function specializeGraph(
  graph: Graph,
  { dims, host }: CallShapes,
  maxUnrolled?: number,
  bufferOf?: (value: Value) => number,
): Specialized {
  const learner = new PartialEvaluator(maxUnrolled);
  const { scope, list } = learner;
  const inputs = new Set<Value>();
  for (const { name, type } of graph.inputs) {
    const value: Value = { name, type, dims: dims.get(name)!, constant: false };
    const known = host.get(name);
    if (known) value.host = known;
    else if (bufferOf) value.buffer = bufferOf(value);
    scope.set(name, value);
    inputs.add(value);
  }
  learner.learn(graph);
  const producer = new Map(list.flatMap((item) => item.outputs.map((value) => [value, item])));
  const lengths = list.flatMap(({ node, inputs: [x, , , , value] }): LengthCheck[] => {
    if (node.op !== 'Recurrent' || !value) return [];
    let from = value;
    for (let item = producer.get(from); item; item = producer.get(from)) {
      if (item.node.op !== 'Cast' && item.node.op !== 'Identity') break;
      from = item.inputs[0]!;
    }
    const steps = x!.dims[recurrentAttributes(node).layout]!;
    return inputs.has(from) ? [{ input: from.name, steps }] : [];
  });
  const value = (name: string): Value | undefined => {
    const found = scope.get(name);
    if (found instanceof Sequence) throw sequenceOutput(name);
    return found;
  };
  return { list, lengths, value };
}

/** Types, shapes and known numbers of a graph at one set of input shapes. */
export function inferGraph(graph: Graph, inputs: CallShapes, maxUnrolled?: number): Inference {
  const { lengths, value } = specializeGraph(graph, inputs, maxUnrolled);
  return { lengths, value }; // whoever keeps this keeps no nodes
}
