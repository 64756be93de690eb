// Where the compiler of loops is found: it comes with the operators, in a chunk of its own.
import type { Item, Repeat } from '../../../ops/control.ts';
import type { Attribute, Node } from '../../../graph.ts';
import type { HostValue, ValueType } from '../../../ops/operator.ts';
import type { PlannedNode } from '../planned-node.ts';
import type { Value } from '../../values.ts';

/** What the evaluator does for a loop that is compiled. */
export interface LoopSite {
  /** The node of the loop, and its path. */
  readonly node: Node;
  readonly path: string;
  /** Iterations from which a loop is compiled, and those that one has at most. */
  readonly minSteps: number;
  readonly maxSteps: number;
  /** A value of known numbers. */
  literal(host: HostValue): Value;
  /** Adds an operator around the loop; `path` is that of the node it stands for. */
  apply(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes?: Readonly<Record<string, Attribute>>,
    path?: string,
  ): Value;
  /** One iteration: the nodes that are left to run, and the outputs of the body. */
  body(inputs: readonly Item<Value>[]): {
    readonly list: readonly PlannedNode[];
    readonly outputs: readonly Item<Value>[];
  };
  /** How many nodes there are around the loop so far. */
  position(): number;
  /** Takes back the nodes after a position. */
  takeBack(position: number): void;
  /** Adds the node of the loop, in front of those that came after a position. */
  insert(item: PlannedNode, position: number): void;
  /** Counts nodes against the limit of unrolled ones. */
  count(nodes: number): void;
  /** Counts what the iterations make against the limit of what is kept of them. */
  keep(value: ValueType): void;
}

/** Compiles a loop: its outputs by slot; undefined where it must be unrolled. */
export type LoopCompiler = (repeat: Repeat<Value>, site: LoopSite) => readonly Value[] | undefined;

let registered: LoopCompiler | undefined;

/** Makes the compiler known to the evaluator. */
export function addLoopCompiler(compiler: LoopCompiler): void {
  registered = compiler;
}

/** The compiler; undefined where no operator beyond recurrence has been loaded. */
export const loopCompiler = (): LoopCompiler | undefined => registered;
