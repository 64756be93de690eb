// What is left of a graph at known shapes: nodes that are to run.
import type { Node } from '../../graph.ts';
import type { ValueType } from '../../ops/operator.ts';
import type { Value } from '../values.ts';

/** A node with its shapes known that is left to run. */
export interface PlannedNode {
  readonly node: Node;
  readonly path: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly types: readonly ValueType[];
  /** What its operator made of the attributes, see `Inferred` in src/ops/operator.ts. */
  readonly params: unknown;
}
