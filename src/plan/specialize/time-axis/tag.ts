// How a value of a graph relates to time, where a sequence is computed chunk by chunk.
import type { Dims } from '../../../ops/shapes.ts';
import type { DataType } from '../../../tensor.ts';
import type { PlannedNode, Value } from '../infer.ts';

/**
 * A value that has one part for each chunk: the value of the whole sequence is the parts of all chunks, one
 * after the other along an axis.
 */
export interface Frames {
  readonly kind: 'frames';
  readonly axis: number;
  /** Sizes that a Reshape merged into the axis in front of time; time is concatenated within each. */
  readonly outer: number;
  /** Frames before those of the chunk, which the chunk before had too: what causal windows reach back to. */
  readonly head: number;
  /** Frames after those of the chunk, which exist at the end of the whole sequence only: right padding. */
  readonly tail: number;
  /** True where every frame holds the same numbers, whatever the chunk. */
  readonly uniform: boolean;
  /** Paths of the nodes that made `head` and `tail`. */
  readonly margins: readonly string[];
}

/** How a value relates to time. */
export type Tag =
  /** The same in every chunk. */
  | { readonly kind: 'static' }
  /** Known from shapes, and different for chunks of another length. */
  | { readonly kind: 'length' }
  /** Follows from a state that the caller names: it belongs to the start of the chunk. */
  | { readonly kind: 'begin' }
  /** Belongs to the end of the chunk, and is then the value of the whole sequence so far. */
  | { readonly kind: 'last' }
  /** Depends on time in a way that was not followed. */
  | { readonly kind: 'lost' }
  | Frames;

export const STATIC: Tag = { kind: 'static' };
export const LAST: Tag = { kind: 'last' };
export const LOST: Tag = { kind: 'lost' };

/** Frames along an axis without anything before or after them. */
export const framesAt = (axis: number, outer = 1): Frames => ({
  kind: 'frames',
  axis,
  outer,
  head: 0,
  tail: 0,
  uniform: false,
  margins: [],
});

/** What a rule throws for a node that cannot be computed chunk by chunk. */
export class NotByChunk extends Error {
  /** Whether to name the nodes that padded the input, which are the cause. */
  readonly margins: readonly string[];

  constructor(why: string, margins: readonly string[] = []) {
    super(why);
    this.margins = margins;
  }
}

/** What a rule throws where chunks must have a multiple of some frames. */
export class NeedsMultiple extends Error {
  readonly of: number;

  constructor(of: number) {
    super(`chunks must be a multiple of ${of} frames`);
    this.of = of;
  }
}

/** What a stream carries from chunk to chunk so that a node computes what it does on the whole sequence. */
export type Carry =
  /** The state of a recurrent layer; `repeats` where masked steps repeat the output before the chunk. */
  | { readonly kind: 'state'; readonly repeats: boolean }
  /** The states of a Loop or a Scan: inputs of the node from a slot on, and its first outputs. */
  | { readonly kind: 'loop'; readonly slot: number; readonly states: readonly LoopState[] }
  /** The last `frames` frames of an input, which replace what the node pads there. */
  | {
      readonly kind: 'frames';
      readonly slot: number;
      /** Of the input. */
      readonly type: DataType;
      readonly rank: number;
      readonly axis: number;
      readonly frames: number;
      /** Frames at the end of the input that are not yet the past of the next chunk. */
      readonly after: number;
      /** What the first chunk finds there: this number, or the input in a slot that the frames replace. */
      readonly initial: number | { readonly slot: number };
      /** Padding of the node by axis of the input, for Conv, pooling and Pad. */
      readonly pads?: { readonly before: Dims; readonly after: Dims };
    }
  /** The sum so far of a CumSum. */
  | {
      readonly kind: 'sum';
      readonly type: DataType;
      readonly rank: number;
      readonly axis: number;
      readonly exclusive: boolean;
    };

/** A state of a loop. */
export interface LoopState {
  readonly type: DataType;
  readonly rank: number;
}

/** A node as a rule sees it. */
export interface TimeCall {
  /** At the first chunk length. */
  readonly a: PlannedNode;
  /** At a second chunk length; the same as `a` where time has one length only. */
  readonly b: PlannedNode;
  readonly tags: readonly (Tag | undefined)[];
  /** True where there are two lengths to compare. */
  readonly isCompared: boolean;
  /** True where the node may get a state: it is not inside a branch or a loop. */
  readonly isOutermost: boolean;
  /** Asks for a state. */
  readonly carry: (what: Carry) => void;
}

/** How an operator maps time: the tags of the outputs, one for all where they are alike. */
export type TimeRule = (call: TimeCall) => Tag | readonly Tag[];

/** Shape of an input. */
export const dimsOf = ({ a }: TimeCall, slot: number): Dims => a.inputs[slot]!.dims;

/** Element type and number of axes of an input. */
export function kindOf({ a }: TimeCall, slot: number): { type: DataType; rank: number } {
  const { type, dims } = a.inputs[slot]!;
  return { type, rank: dims.length };
}

/** The tag of an input that has frames. */
export function framesOf({ tags }: TimeCall, slot: number): Frames | undefined {
  const tag = tags[slot];
  return tag?.kind === 'frames' ? tag : undefined;
}

/** Refuses a node that would mix the frames of other chunks. */
export function notByChunk(why: string): never {
  throw new NotByChunk(why);
}

/** The one input that has frames, for operators of which only the first may. */
export function onlyFirst(call: TimeCall): Frames {
  const first = framesOf(call, 0);
  if (first && call.tags.every((tag, slot) => slot === 0 || tag?.kind !== 'frames')) return first;
  return notByChunk('has parameters that change along time');
}

/** One tag for frames that meet at the same place of an output. */
export function merged(all: readonly Frames[]): Frames {
  const main = all.find(({ uniform }) => !uniform) ?? all[0]!;
  for (const { axis, outer, head, tail, uniform } of all) {
    if (axis !== main.axis || outer !== main.outer) {
      notByChunk('has time along two axes, as attention over all steps has');
    }
    if (!uniform && (head !== main.head || tail !== main.tail)) {
      notByChunk('puts frames of different times together');
    }
  }
  return { ...main, margins: [...new Set(all.flatMap(({ margins }) => margins))] };
}

/** Values that hold the same numbers. */
export function sameNumbers(a: Value, b: Value): boolean {
  if (a.tensor !== undefined && a.tensor === b.tensor) return true;
  const [x, y] = [a.host?.data, b.host?.data];
  if (!x || !y || x.length !== y.length) return false;
  return x.every((number, i) => Object.is(number, y[i]));
}
