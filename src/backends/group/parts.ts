// What a group of streams is made of.
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import type { Session, StreamSession, Tensors } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import type { GroupGraph } from './group-graph.ts';

/** What a group is made of. */
export interface GroupParts {
  readonly session: Session;
  readonly streamed: StreamedGraph;
  readonly capacity: number;
  /** Milliseconds that a step may wait for those of other streams; 0 for those of the same task only. */
  readonly maxWait: number;
  readonly limits: EvaluatorOptions;
}

/** What is known from the first step on. */
export interface Begun {
  readonly group: GroupGraph;
  readonly stream: StreamSession;
  /** State of one row at the beginning. */
  readonly initial: Tensors;
  readonly stateAxes: ReadonlyMap<string, number>;
}
