// Holds a loop as one node: its body is specialized once, what no state has a say in is computed for all iterations
// at once, and what is left runs step by step. What cannot be held is left to be unrolled.
import { RnnError } from '../../../errors.ts';
import { Sequence, type Item, type Repeat } from '../../../ops/control.ts';
import { isFloat, sizeOf } from '../../../tensor.ts';
import type { PlannedNode } from '../planned-node.ts';
import type { Value } from '../../values.ts';
import { bodyOf, cut, ints, isKept, isKnown, laidOut, unknown, type Body } from './body.ts';
import { hoisted } from './hoist.ts';
import type { LoopSite } from './registry.ts';
import { PLACE, type LoopParams, type PlaceParams } from './types.ts';

/** Part of a body that runs step by step, and values of all iterations by those of one. */
interface Parts {
  readonly left: readonly PlannedNode[];
  readonly all: ReadonlyMap<Value, Value>;
}

/** Computes for some iterations at once what no state has a say in. */
function hoistAll(site: LoopSite, body: Body, from: number, to: number): Parts {
  const all = new Map<Value, Value>();
  for (const [part, x] of body.sequences) all.set(part, cut(site, x, from, to));
  if (body.counter) {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i);
    all.set(body.counter, ints(site, numbers, [numbers.length, ...body.counter.dims]));
  }
  const stateful = new Set(body.states.map(({ before }) => before));
  const left: PlannedNode[] = [];
  for (const item of body.list) {
    const isFree = item.inputs.every((value) => !value || !stateful.has(value));
    const results = isFree ? hoisted(site, item, to - from, (value) => all.get(value)) : undefined;
    item.outputs.forEach((output, slot) => {
      if (!output) return;
      if (results) all.set(output, results[slot]!);
      else stateful.add(output);
    });
    if (!results) left.push(item);
  }
  return { left, all };
}

/** Elements of the states of some iterations that are kept to compute from them at once. */
const MAX_KEPT = 2 ** 22;

/** The nodes that some values need, in order. */
function neededFor(list: readonly PlannedNode[], values: readonly Value[]): Set<PlannedNode> {
  const wanted = new Set<Value | undefined>(values);
  const needed = list.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((output) => output && wanted.has(output))) return false;
    for (const input of inputs) wanted.add(input);
    return true;
  });
  return new Set(needed);
}

/** What is computed after a loop, for all of its iterations at once, from results of each. */
interface Sunk {
  /** What is left of the body. */
  readonly left: readonly PlannedNode[];
  /** By the value of one iteration: that of all of them. */
  readonly all: ReadonlyMap<Value, Value>;
  /** Values of the body that each iteration has to give, and all of them along a new first axis. */
  readonly results: ReadonlyMap<Value, Value>;
}

/** Computes after the loop what no state needs. */
function sinkAll(site: LoopSite, body: Body, parts: Parts, steps: number): Sunk {
  const position = site.position();
  const needed = body.states.map(({ after }) => after);
  for (;;) {
    const inLoop = neededFor(parts.left, needed);
    const sunk = sinkOthers(site, body, parts, steps, inLoop);
    // What has to stay in the loop needs in each iteration what was to be computed after it.
    const stuck = sunk.left.filter((item) => !inLoop.has(item));
    if (stuck.length === 0) return sunk;
    needed.push(...stuck.flatMap(({ outputs }) => outputs.filter((value) => value !== undefined)));
    site.takeBack(position);
  }
}

function sinkOthers(
  site: LoopSite,
  body: Body,
  parts: Parts,
  steps: number,
  inLoop: ReadonlySet<PlannedNode>,
): Sunk {
  const all = new Map(parts.all);
  const results = new Map<Value, Value>();
  const resultOf = (value: Value): Value => {
    const { type, dims } = value;
    const made =
      results.get(value) ?? unknown(`${site.node.name}/result`, { type, dims: [steps, ...dims] });
    results.set(value, made);
    return made;
  };
  const made = new Set<Value | undefined>([
    ...body.states.map(({ before }) => before),
    ...parts.left.flatMap(({ outputs }) => outputs),
  ]);
  const isOfLoop = (value: Value): boolean => made.has(value) && !all.has(value);
  const left = parts.left.filter((item) => {
    if (inLoop.has(item)) return true;
    const given = item.inputs.filter((value) => value !== undefined).filter(isOfLoop);
    const size = given.reduce((sum, { dims }) => sum + sizeOf(dims) * steps, 0);
    if (size > MAX_KEPT) return true;
    const sunk = hoisted(site, item, steps, (value) =>
      isOfLoop(value) ? resultOf(value) : all.get(value),
    );
    if (sunk) item.outputs.forEach((output, slot) => output && all.set(output, sunk[slot]!));
    return !sunk;
  });
  for (const value of body.stacked) if (value && !all.has(value)) resultOf(value);
  return { left, all, results };
}

/** Adds the loop over some iterations: the states after it, and what its iterations made. */
function addLoop(
  site: LoopSite,
  body: Body,
  begins: readonly Value[],
  [from, to]: readonly [number, number],
): { readonly states: readonly Value[]; readonly stacked: readonly (Value | undefined)[] } {
  const steps = to - from;
  const parts = hoistAll(site, body, from, to);
  const position = site.position();
  const { left, all, results } = sinkAll(site, body, parts, steps);
  const afters = body.states.map(({ after }) => after);
  const read = new Set([...left.flatMap(({ inputs }) => inputs), ...afters, ...results.keys()]);
  const sequences = [...parts.all.keys()].filter((part) => read.has(part));
  const inside = new Set([
    ...left.flatMap(({ outputs }) => outputs),
    ...body.states.map(({ before }) => before),
    ...parts.all.keys(),
  ]);
  const captured = [...read].filter((value): value is Value => !!value && !inside.has(value));
  const states = body.states.map(({ before }) => unknown(`${site.node.name}/state`, before));
  const outputs = [...states, ...results.values()];
  if (outputs.length > 0) {
    const { node, path } = site;
    const stacked = [...results.keys()];
    const params: LoopParams = { steps, body: left, states: body.states, sequences, stacked };
    const inputs = [...begins, ...sequences.map((part) => parts.all.get(part)!), ...captured];
    site.insert({ node, path, inputs, outputs, types: outputs, params }, position);
  }
  return {
    states,
    stacked: body.stacked.map((value) => value && (all.get(value) ?? results.get(value))),
  };
}

/** The results of all iterations so far, with those of some more, which begin with iteration `from`. */
function placed(
  site: LoopSite,
  before: Value | undefined,
  part: Value,
  from: number,
  steps: number,
): Value {
  const [count, ...dims] = part.dims;
  if (count === steps) return part;
  const whole = unknown(`${site.node.name}/results`, { type: part.type, dims: [steps, ...dims] });
  const names = [before?.name ?? '', part.name];
  const node = {
    op: PLACE,
    name: whole.name,
    inputs: names,
    outputs: [whole.name],
    attributes: {},
  };
  const params: PlaceParams = { start: from * sizeOf(dims) };
  const outputs = [whole];
  const item = { node, path: site.path, inputs: [before, part], outputs, types: outputs, params };
  site.insert(item, site.position());
  return whole;
}

/** See the top of the file. */
export function compileLoop(repeat: Repeat<Value>, site: LoopSite): readonly Value[] | undefined {
  const { steps, states, sequences } = repeat;
  if (steps < site.minSteps || steps === 0) return undefined;
  const begins = states as readonly Item<Value>[];
  if (begins.some((state) => state instanceof Sequence || !isFloat(state.type))) return undefined;
  let body: Body | undefined;
  try {
    body = bodyOf(repeat, site);
  } catch (error) {
    // A body that needs the numbers of an iteration; what is wrong with it is said when it is unrolled.
    if (error instanceof RnnError && error.code !== 'LIMIT_EXCEEDED') return undefined;
    throw error;
  }
  if (!body || !isKept(body)) return undefined;
  const inner = new Set<Value | undefined>(body.list.flatMap((item) => item.outputs));
  for (const { before } of body.states) inner.add(before);
  for (const part of [...body.sequences.keys(), body.counter]) inner.add(part);
  const around = body.list.flatMap((item) => item.inputs).filter((x) => x && !inner.has(x));
  const sources = [...(begins as readonly Value[]), ...sequences.map(({ x }) => x), ...around];
  const gathers = [...body.sequences.values()];
  // What is known all along is computed here, iteration by iteration.
  if ([...sources, ...gathers].every((value) => isKnown(value!))) return undefined;
  site.count(Math.ceil(steps / site.maxSteps) * (body.list.length + 1));
  for (const value of body.stacked) {
    if (value) site.keep({ type: value.type, dims: [steps, ...value.dims] });
  }
  let current = begins as readonly Value[];
  const results: (Value | undefined)[] = repeat.stacked.map(() => undefined);
  for (let from = 0; from < steps; from += site.maxSteps) {
    const to = Math.min(from + site.maxSteps, steps);
    const made = addLoop(site, body, current, [from, to]);
    current = made.states;
    made.stacked.forEach((value, k) => {
      if (value) results[k] = placed(site, results[k], value, from, steps);
    });
  }
  const wholes = repeat.stacked.map((along, k) => along && laidOut(site, results[k]!, along));
  return [...current, ...wholes] as readonly Value[];
}
