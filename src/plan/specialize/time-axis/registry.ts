// Where the analysis of time is found: it comes with the operators, in a chunk of its own.
import type { Graph } from '../../../graph.ts';
import type { Sizes } from './chunks.ts';
import type { followTime } from './follow.ts';
import type { Carry } from './tag.ts';

/** What a stream asks of the analysis. */
export interface TimeRequest extends Sizes {
  readonly graph: Graph;
  /** Inputs that the caller carries as state. */
  readonly states: ReadonlySet<string>;
  /** Outputs that are fed back to them. */
  readonly feedback: readonly string[];
  /** Axis of time by name of the input, where the caller says it. */
  readonly timeAxis?: Readonly<Record<string, number>> | undefined;
  /** Paths of the layers that tell which axis is time; all of them when left out. */
  readonly main?: ReadonlySet<string>;
}

/** How to stream a graph. */
export interface TimeAnalysis {
  /** What to carry, by index of the node. */
  readonly carries: ReadonlyMap<number, Carry>;
  /** Chunks must have a multiple of this many steps. */
  readonly multiple: number;
  /** Axis of time by name of the input; empty where it is not known. */
  readonly time: ReadonlyMap<string, number>;
}

/** What to do where a node needs more than its chunk: refuse, or compute it on each chunk alone. */
export type ChunkMode = 'exact' | 'independent';

/** The analysis, see index.ts. */
export interface Analyser {
  readonly analyseTime: (request: TimeRequest, mode: ChunkMode) => TimeAnalysis;
  readonly analyseOwnLayers: (request: TimeRequest, own: readonly number[]) => TimeAnalysis;
  /** What is behind both; it follows rows of a batch as well. */
  readonly followTime: typeof followTime;
}

/** What a caller can do instead, for messages. */
export const ALTERNATIVES =
  "use run on the whole sequence; or stream({ chunks: 'independent' }) computes it on each chunk alone; or " +
  "stream({ carry: ['layer'] }) carries the recurrent layers that it names and nothing else";

let registered: Analyser | undefined;

/** Makes the analysis known to streams. */
export function addTimeAnalysis(analyser: Analyser): void {
  registered = analyser;
}

/** The analysis; undefined where no operator beyond recurrence has been loaded. */
export const timeAnalysis = (): Analyser | undefined => registered;
