// Splits a streamed graph by its state: what comes before it and what follows from it can be computed for many steps at
// once, as rows of a batch; what is in between goes step by step.
import type { PlannedNode, SpecializedGraph, Value } from '../../plan/specialize/infer.ts';
import type { StateSlot } from '../stateful-graph.ts';

/** A value that one part gives to another, or to the caller, or takes from the caller. */
export interface Crossing {
  readonly name: string;
  /** As one step has it. */
  readonly one: Value;
  /** As many steps have it, whose rows are along `axis`; the same for all of them where that is undefined. */
  readonly many: Value;
  readonly axis: number | undefined;
}

/** One of the parts: a graph with what it reads and gives. States are not among these. */
export interface Part {
  readonly graph: SpecializedGraph;
  readonly reads: readonly Crossing[];
  readonly gives: readonly Crossing[];
  /** Names of the states that it takes; its graph has them behind what it reads. */
  readonly states: readonly string[];
}

/** The parts of a graph, in the order in which they run. */
export interface SplitGraph {
  /** What no state has a say in, for many steps. */
  readonly before: Part;
  /** What states follow from that follow from states, for one step. */
  readonly between: Part;
  /** The rest, for many steps. */
  readonly after: Part;
  /** The wanted outputs, which the last part gives by their names. */
  readonly outputs: readonly Crossing[];
}

/** The part that a node is in. */
type Side = 'before' | 'between' | 'after';

/** Says of each node which part it is in. */
function sidesOf(
  { list, value }: SpecializedGraph,
  slots: readonly StateSlot[],
): ReadonlyMap<PlannedNode, Side> {
  const fromState = new Set(slots.map(({ input }) => value(input)));
  const dependent = list.filter(({ inputs, outputs }) => {
    const found = inputs.some((input) => input && fromState.has(input));
    if (found) for (const output of outputs) if (output) fromState.add(output);
    return found;
  });
  const toState = new Set(slots.map(({ output }) => value(output)));
  const sides = new Map<PlannedNode, Side>(list.map((item) => [item, 'before']));
  for (const item of dependent.toReversed()) {
    const isBetween = item.outputs.some((output) => output && toState.has(output));
    if (isBetween) for (const input of item.inputs) if (input) toState.add(input);
    sides.set(item, isBetween ? 'between' : 'after');
  }
  return sides;
}

/** A value as one step and as many have it; undefined where they differ in more than rows. */
function crossingOf(name: string, one: Value, many: Value, rows: number): Crossing | undefined {
  if (one.type !== many.type || one.dims.length !== many.dims.length) return undefined;
  const axes = [...one.dims.keys()].filter((axis) => one.dims[axis] !== many.dims[axis]);
  const [axis] = axes;
  if (axis === undefined) return { name, one, many, axis };
  const isRow = axes.length === 1 && one.dims[axis] === 1 && many.dims[axis] === rows;
  return isRow ? { name, one, many, axis } : undefined;
}

/** Which value of one graph is which of the other; undefined where they have other nodes. */
function pairs(one: SpecializedGraph, many: SpecializedGraph): Map<Value, Value> | undefined {
  const found = new Map(one.inputs.map((value, k) => [value, many.inputs[k]!]));
  if (one.list.length !== many.list.length) return undefined;
  for (const [k, { path, node, outputs }] of one.list.entries()) {
    const other = many.list[k]!;
    if (other.path !== path || other.node.op !== node.op) return undefined;
    for (const [slot, value] of outputs.entries()) {
      const same = other.outputs[slot];
      if ((value === undefined) !== (same === undefined)) return undefined;
      if (value && same) found.set(value, same);
    }
  }
  return found;
}

const isDevice = (value: Value): boolean => value.tensor === undefined && value.host === undefined;

/**
 * Splits a graph whose rows of a batch are known to be independent.
 *
 * @param one specialized to one row
 * @param many the same for `rows` rows
 * @param outputs that are wanted
 * @returns undefined where the two differ in more than rows, or nothing would be computed at once
 */
export function splitGraph(
  one: SpecializedGraph,
  many: SpecializedGraph,
  rows: number,
  slots: readonly StateSlot[],
  outputs: readonly string[],
): SplitGraph | undefined {
  const pair = pairs(one, many);
  if (!pair) return undefined;
  const sides = sidesOf(one, slots);
  if (![...sides.values()].some((side) => side !== 'between')) return undefined;
  const states = one.inputs.filter((value) =>
    slots.some(({ input }) => one.value(input) === value),
  );
  const made = new Map<Value, Side>();
  for (const value of one.inputs) made.set(value, states.includes(value) ? 'between' : 'before');
  for (const [{ outputs: results }, side] of sides) {
    for (const value of results) if (value) made.set(value, side);
  }
  const reads: Record<Side, Set<Value>> = {
    before: new Set(one.inputs.filter((value) => !states.includes(value) && isDevice(value))),
    between: new Set(),
    after: new Set(),
  };
  const read = (value: Value | undefined, side: Side): void => {
    if (value && isDevice(value) && made.get(value) !== side) reads[side].add(value);
  };
  for (const [{ inputs }, side] of sides) for (const value of inputs) read(value, side);
  for (const { output } of slots) read(one.value(output), 'between');
  for (const name of outputs) read(one.value(name), 'after');
  const crossings = new Map<Value, Crossing>();
  for (const value of [...reads.before, ...reads.between, ...reads.after]) {
    const found = crossingOf(`crossing ${crossings.size}`, value, pair.get(value)!, rows);
    if (!found || (found.axis === undefined && made.get(value) !== 'before')) return undefined;
    crossings.set(value, crossings.get(value) ?? found);
  }
  const results = outputs.map((name) => {
    const value = one.value(name)!;
    return isDevice(value) ? crossingOf(name, value, many.value(name)!, rows) : undefined;
  });
  if (results.some((result) => result?.axis === undefined)) return undefined;
  const part = (side: Side, names: readonly string[]): Part => {
    const isOne = side === 'between';
    const graph = isOne ? one : many;
    const as = (each: Crossing): Value => (isOne ? each.one : each.many);
    const own = [...reads[side]].map((value) => crossings.get(value)!);
    const given = [...crossings].flatMap(([value, each]) =>
      made.get(value) === side && (reads.between.has(value) || reads.after.has(value))
        ? [each]
        : [],
    );
    const named = new Map([
      ...names.map((name) => [name, graph.value(name)!] as const),
      ...given.map((each) => [each.name, as(each)] as const),
    ]);
    return {
      graph: {
        inputs: [...own.map(as), ...(isOne ? states : [])],
        list: graph.list.filter((_, k) => sides.get(one.list[k]!) === side),
        lengths: [],
        indices: [],
        value: (name) => named.get(name),
      },
      reads: own,
      gives: given,
      states: isOne ? states.map(({ name }) => name) : [],
    };
  };
  return {
    before: part('before', []),
    between: part(
      'between',
      slots.flatMap(({ input, output }) => [input, output]),
    ),
    after: part('after', outputs),
    outputs: results as readonly Crossing[],
  };
}
