// One iteration of a loop that is to be held as one node: its body is specialized once, and what it gets a part of in each
// iteration is found.
import { Sequence, type Along, type Repeat } from '../../../ops/control.ts';
import type { HostValue } from '../../../ops/operator.ts';
import { isFloat, sizeOf } from '../../../tensor.ts';
import type { PlannedNode } from '../planned-node.ts';
import type { Value } from '../../values.ts';
import type { LoopSite } from './registry.ts';

// Recurrent layers and loops inside would be loops in a loop; scattering begins with a copy, which no loop records.
const NOT_INSIDE: ReadonlySet<string> = new Set([
  'Recurrent',
  'Loop',
  'Scan',
  'ScatterElements',
  'ScatterND',
]);

/** One iteration, with the values that differ in each. */
export interface Body {
  readonly list: readonly PlannedNode[];
  readonly states: readonly { readonly before: Value; readonly after: Value }[];
  readonly stacked: readonly (Value | undefined)[];
  /** By the value of one iteration: that of all of them, along the first axis. */
  readonly sequences: ReadonlyMap<Value, Value>;
  /** The number of the iteration, where the graph has it. */
  readonly counter: Value | undefined;
}

export const isKnown = (value: Value): boolean =>
  value.tensor !== undefined || value.host !== undefined;

export const unknown = (name: string, { type, dims }: Pick<Value, 'type' | 'dims'>): Value => ({
  name,
  type,
  dims,
  constant: false,
});

export const ints = (site: LoopSite, values: readonly number[], dims = [values.length]): Value => {
  const host: HostValue = { type: 'int64', dims, data: Float64Array.from(values) };
  return site.literal(host);
};

/** Before every element, for the end of a Slice that runs backwards. */
const START = -(2 ** 31);

/** The other way round along the first axis. */
const flipped = (site: LoopSite, x: Value): Value =>
  site.apply('Slice', [
    x,
    ints(site, [-1]),
    ints(site, [START]),
    ints(site, [0]),
    ints(site, [-1]),
  ]);

export const cut = (site: LoopSite, x: Value, from: number, to: number): Value =>
  from === 0 && to === x.dims[0]
    ? x
    : site.apply('Slice', [x, ints(site, [from]), ints(site, [to]), ints(site, [0])]);

/** A sequence with its parts along the first axis, in the order of the iterations. */
function inOrder(site: LoopSite, { x, axis, reversed }: Along<Value>): Value {
  const others = [...x.dims.keys()].filter((k) => k !== axis);
  const first = axis === 0 ? x : site.apply('Transpose', [x], { perm: [axis, ...others] });
  return reversed ? flipped(site, first) : first;
}

/** Results along the first axis, laid out as the node wants them. */
export function laidOut(
  site: LoopSite,
  x: Value,
  { axis, reversed }: Omit<Along<Value>, 'x'>,
): Value {
  const ordered = reversed ? flipped(site, x) : x;
  const rank = x.dims.length;
  const at = axis < 0 ? axis + rank : axis;
  if (at === 0) return ordered;
  const perm = Array.from({ length: rank - 1 }, (_, k) => k + 1).toSpliced(at, 0, 0);
  return site.apply('Transpose', [ordered], { perm });
}

/** What a Gather by the number of the iteration takes, as a sequence; undefined for any other node. */
function gathered(
  site: LoopSite,
  { node, inputs: [data, index], outputs: [out], params }: PlannedNode,
  counter: Value,
  steps: number,
  made: ReadonlySet<Value>,
): Value | undefined {
  if (node.op !== 'Gather' || index !== counter || !data || made.has(data)) return undefined;
  const { axis } = params as { axis: number };
  if (data.dims[axis]! < steps) return undefined;
  const first = cut(site, inOrder(site, { x: data, axis, reversed: false }), 0, steps);
  return site.apply('Reshape', [first, ints(site, [steps, ...out!.dims])]);
}

/** Specializes one iteration; undefined for a body that cannot be kept. */
export function bodyOf(repeat: Repeat<Value>, site: LoopSite): Body | undefined {
  const { steps, counter, states, stacked } = repeat;
  const sequences = new Map<Value, Value>();
  const inputs: Value[] = [];
  const count = counter && unknown('iteration', { type: 'int64', dims: counter[0] });
  if (count) {
    const goes: HostValue = { type: 'bool', dims: counter[1], data: Float64Array.of(1) };
    inputs.push(count, site.literal(goes));
  }
  const befores = (states as readonly Value[]).map((state) => unknown('state', state));
  inputs.push(...befores);
  for (const along of repeat.sequences) {
    const x = inOrder(site, along);
    const part = unknown('part', { type: x.type, dims: x.dims.slice(1) });
    sequences.set(part, x);
    inputs.push(part);
  }
  const { list, outputs } = site.body(inputs);
  if (outputs.some((item) => item instanceof Sequence)) return undefined;
  const given = [...(outputs as readonly Value[])];
  if (counter && given.shift()?.host?.data[0] !== 1) return undefined;
  const made = new Set([...list.flatMap((item) => item.outputs), ...inputs].filter((x) => !!x));
  const rest = list.filter((item) => {
    const sequence = count && gathered(site, item, count, steps, made);
    if (sequence) sequences.set(item.outputs[0]!, sequence);
    return !sequence;
  });
  const afters = given.slice(0, befores.length);
  const varying = new Set<Value | undefined>([...befores, ...sequences.keys(), count]);
  varying.delete(undefined);
  const varies = rest.filter((item) => {
    const found = item.inputs.some((value) => varying.has(value));
    if (found) for (const value of item.outputs) varying.add(value);
    // A loop inside that has been unrolled leaves nodes that are the same in every iteration.
    else site.insert(item, site.position());
    return found;
  });
  return {
    list: varies,
    states: befores.map((before, k) => ({ before, after: afters[k]! })),
    stacked: stacked.map((wanted, k) => wanted && given[befores.length + k]),
    sequences,
    counter: count,
  };
}

/** Whether a body computes the same thing in every iteration, and floating point numbers, which decide no shapes. */
export function isKept({ list, states, stacked, sequences }: Body): boolean {
  const befores = new Set(states.map(({ before }) => before));
  return (
    list.every(({ node }) => !NOT_INSIDE.has(node.op)) &&
    states.every(
      ({ before, after }) =>
        isFloat(before.type) &&
        before.type === after.type &&
        before.dims.join() === after.dims.join() &&
        // A state that becomes another one without a node in between.
        (before === after || !befores.has(after)),
    ) &&
    stacked.every((value) => value === undefined || isFloat(value.type)) &&
    [...befores, ...sequences.keys(), ...list.flatMap(({ outputs }) => outputs)].every(
      (value) => !value || sizeOf(value.dims) > 0,
    )
  );
}
