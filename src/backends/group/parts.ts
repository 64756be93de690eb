// What a group of streams is made of.
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import type { Session } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';

/** What a group is made of. */
export interface GroupParts {
  readonly session: Session;
  readonly streamed: StreamedGraph;
  readonly capacity: number;
  /** Milliseconds that a step may wait for those of other streams; 0 for those of the same task only. */
  readonly maxWait: number;
  /** Steps of a stream between two copies of its state on the host; 0 for none. */
  readonly checkpoint: number;
  readonly limits: EvaluatorOptions;
}
