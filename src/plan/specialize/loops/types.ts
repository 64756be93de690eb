// A loop that is kept as one node: its body, with the shapes of one iteration, and what goes in and out.
import type { PlannedNode } from '../planned-node.ts';
import type { Value } from '../../values.ts';

/**
 * Parameters of a planned `Loop` or `Scan`. Inputs of the node: the initial states, the sequences, the values around it
 * that the body reads. Outputs: the last states, then the results of all iterations along a new first axis.
 */
export interface LoopParams {
  /** Iterations, at most MAX_LOOP_STEPS unless a stream is analysed. */
  readonly steps: number;
  /** What one iteration computes, in order. */
  readonly body: readonly PlannedNode[];
  /** A state before and after an iteration. */
  readonly states: readonly { readonly before: Value; readonly after: Value }[];
  /** The part of each sequence, which lacks its first axis. */
  readonly sequences: readonly Value[];
  /** What each iteration gives to the slots after those of the states. */
  readonly stacked: readonly Value[];
}

/**
 * The operator that puts the results of a part of a long loop among those of all of it. Inputs: those so far, left out
 * for the first part, which become the output; the part.
 */
export const PLACE = 'PlaceResults';

/** Its parameters. */
export interface PlaceParams {
  /** Elements in front of the part. */
  readonly start: number;
}

/** A body with values of its own, so that it can be lowered more than once. */
export interface BodyCopy extends Omit<LoopParams, 'steps' | 'stacked'> {
  /** Undefined where nobody wants the slot. */
  readonly stacked: readonly (Value | undefined)[];
  /** How many nodes read a value of the body; endless for what leaves it. */
  readonly readers: ReadonlyMap<Value, number>;
}

/**
 * Copies the part of a body that its states and the wanted results need.
 *
 * @param wanted whether anyone reads a slot of the node
 */
export function copyBody(params: LoopParams, wanted: (slot: number) => boolean): BodyCopy {
  const copies = new Map<Value, Value>();
  const fresh = (value: Value): Value => {
    const { name, type, dims } = value;
    const copy: Value = { name, type, dims, constant: false };
    copies.set(value, copy);
    return copy;
  };
  const begins = params.states.map(({ before }) => fresh(before));
  const sequences = params.sequences.map(fresh);
  for (const { outputs } of params.body) for (const value of outputs) if (value) fresh(value);
  const copyOf = <V extends Value | undefined>(value: V): V =>
    ((value && copies.get(value)) ?? value) as V;
  const states = params.states.map(({ after }, k) => ({
    before: begins[k]!,
    after: copyOf(after),
  }));
  const stacked = params.stacked.map((value, k) =>
    wanted(states.length + k) ? copyOf(value) : undefined,
  );
  const leaving = [...states.map(({ after }) => after), ...stacked.filter((value) => !!value)];
  const readers = new Map(leaving.map((value) => [value, Number.POSITIVE_INFINITY]));
  const live = params.body
    .map((item) => ({
      ...item,
      inputs: item.inputs.map(copyOf),
      outputs: item.outputs.map(copyOf),
    }))
    .toReversed()
    .filter(({ inputs, outputs }) => {
      if (!outputs.some((output) => output && readers.has(output))) return false;
      for (const input of new Set(inputs)) {
        if (input) readers.set(input, (readers.get(input) ?? 0) + 1);
      }
      return true;
    });
  return { body: live.toReversed(), states, sequences, stacked, readers };
}
