// An operator: its shape rule and its meaning in float64. plan/lower/ says how it runs on a GPU, so that
// the meaning of a graph never depends on a kernel.
import type { Node } from '../graph.ts';
import type { DataType } from '../tensor.ts';
import type { ElementBudget } from './element-budget.ts';

/** Type and shape of a value whose numbers are not known yet. */
export interface ValueType {
  readonly type: DataType;
  readonly dims: readonly number[];
}

/**
 * A value of the reference. Every element type is carried as float64, which holds integers up to
 * 2^53 exactly; bool is 0 or 1. Treat `data` as read-only: values are shared.
 */
export interface HostValue extends ValueType {
  readonly data: Float64Array;
}

/** Inputs by slot; undefined where an optional input is left out. */
export type Inputs<T> = readonly (T | undefined)[];

/** What is known of a node before it runs. */
export interface Inferred<P> {
  /** Types and shapes of the outputs, one for each slot the node names. */
  readonly types: readonly ValueType[];
  /**
   * The attributes and the shape-determining inputs in normal form: defaults filled in, axes counted
   * from the front, padding resolved. `undefined` for an operator without any.
   */
  readonly params: P;
}

/** An operator of the graph; `P` are the parameters that its nodes have, see {@link Inferred}. */
export interface Operator<N extends string = string, P = unknown> {
  /** Name in the graph, an ONNX operator name or `Recurrent`. */
  readonly name: N;
  /**
   * The element type of an output: a type, or the slot of the input that has the same. It is known
   * where shapes are not.
   *
   * @throws RnnError `INVALID_MODEL` for an attribute that names no type
   */
  readonly resultType: (node: Node, slot: number) => DataType | number;
  /** Minimum and maximum number of inputs. */
  readonly arity: readonly [number, number];
  /**
   * Slots of the shape-determining inputs (the shape of a Reshape, the bounds of a Slice). Their
   * numbers must be known when a plan is made.
   */
  readonly hostInputs?: readonly number[];
  /** True where the outputs depend on the shapes of the inputs alone (Shape, Size). */
  readonly shapeOnly?: true;
  /**
   * Types and shapes of the outputs, and the parameters; checks attributes too.
   *
   * @param host the numbers of a slot where they are known
   * @throws RnnError whose path is that of the node plus a field
   */
  readonly infer: (
    node: Node,
    inputs: Inputs<ValueType>,
    host: (slot: number) => HostValue | undefined,
    path: string,
  ) => Inferred<P>;
  /**
   * The outputs in float64, from inputs that `infer` has accepted.
   *
   * @param path for errors in the numbers themselves, such as an index out of range; the name of
   *   the node when left out
   * @param budget what the outputs count against, before they are allocated
   * @throws RnnError `LIMIT_EXCEEDED` beyond the budget
   */
  readonly evaluate: (
    node: Node,
    inputs: Inputs<HostValue>,
    path?: string,
    budget?: ElementBudget,
  ) => readonly HostValue[];
}
