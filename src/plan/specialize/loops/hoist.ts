// Computes nodes of a body for all iterations at once: an operator on values of one iteration becomes one on values
// with an axis of iterations in front.
import { elementwise } from '../../../ops/elementwise.ts';
import type { HostValue } from '../../../ops/operator.ts';
import { unaries } from '../../../ops/unary.ts';
import type { Attribute } from '../../../graph.ts';
import { sizeOf } from '../../../tensor.ts';
import type { PlannedNode } from '../planned-node.ts';
import type { Value } from '../../values.ts';
import type { LoopSite } from './registry.ts';

/** A node that is to be computed for all iterations. */
interface Hoist {
  readonly item: PlannedNode;
  readonly steps: number;
  /** The value of all iterations; undefined where an input is the same in each. */
  readonly all: (value: Value) => Value | undefined;
  readonly apply: (
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes?: Readonly<Record<string, Attribute>>,
  ) => Value;
  readonly ints: (values: readonly number[]) => Value;
}

/** The outputs for all iterations; undefined for a node that is left in the body. */
type Rule = (hoist: Hoist) => readonly Value[] | undefined;

const shapeOf = ({ item }: Hoist, slot = 0): readonly number[] => item.outputs[slot]!.dims;

/** The same numbers under another shape, with the axis of iterations in front. */
const reshaped = (hoist: Hoist, value: Value, dims: readonly number[]): Value =>
  value.dims.slice(1).join() === dims.join()
    ? value
    : hoist.apply('Reshape', [value, hoist.ints([hoist.steps, ...dims])]);

/** An input for all iterations with `rank` axes behind the first; one that is the same in each as it is. */
function widened(hoist: Hoist, value: Value | undefined, rank: number): Value | undefined {
  const all = value && hoist.all(value);
  if (!all) return value;
  const ones = Array.from({ length: Math.max(rank - value.dims.length, 0) }, () => 1);
  return reshaped(hoist, all, [...ones, ...value.dims]);
}

/** An input for all iterations, repeated where it is the same in each. */
function repeated(hoist: Hoist, value: Value): Value {
  return (
    hoist.all(value) ?? hoist.apply('Expand', [value, hoist.ints([hoist.steps, ...value.dims])])
  );
}

const pointwise: Rule = (hoist) => {
  const { node, inputs } = hoist.item;
  const rank = shapeOf(hoist).length;
  const given = inputs.map((value) => widened(hoist, value, rank));
  return [hoist.apply(node.op, given, node.attributes)];
};

const matMul: Rule = (hoist) => {
  const [a, b] = hoist.item.inputs as [Value, Value];
  const [left, right] = [hoist.all(a), hoist.all(b)];
  if (left && !right && b.dims.length === 2) return [hoist.apply('MatMul', [left, b])];
  if (a.dims.length < 2 || b.dims.length < 2) return undefined;
  const rank = Math.max(a.dims.length, b.dims.length);
  return [hoist.apply('MatMul', [widened(hoist, a, rank), widened(hoist, b, rank)])];
};

/** A · B + C of all iterations is one product of more rows, where the rows of C do not differ. */
const gemm: Rule = (hoist) => {
  const { node, inputs, params } = hoist.item;
  const [a, b, c] = inputs as [Value, Value, Value?];
  const left = hoist.all(a);
  const { transA } = params as { transA: boolean };
  const isRow = c === undefined || (!hoist.all(c) && (c.dims.at(-2) ?? 1) === 1);
  if (!left || hoist.all(b) || transA || !isRow) return undefined;
  const [rows, inner] = a.dims as [number, number];
  const merged = hoist.apply('Reshape', [left, hoist.ints([hoist.steps * rows, inner])]);
  const product = hoist.apply('Gemm', [merged, b, c], node.attributes);
  return [hoist.apply('Reshape', [product, hoist.ints([hoist.steps, ...shapeOf(hoist)])])];
};

/** An operator of one input, or of one that varies, with its axes one further. */
const shifted =
  (attributesOf: (hoist: Hoist) => Readonly<Record<string, Attribute>>): Rule =>
  (hoist) => {
    const { node, inputs } = hoist.item;
    const [x, ...more] = inputs as [Value, ...(Value | undefined)[]];
    const all = hoist.all(x);
    const isAlone = more.every((value) => !value || !hoist.all(value));
    if (!all || !isAlone || hoist.item.outputs.length !== 1) return undefined;
    return [hoist.apply(node.op, [all, ...more], attributesOf(hoist))];
  };

const withAxis = shifted(({ item }) => ({
  ...item.node.attributes,
  axis: (item.params as { axis: number }).axis + 1,
}));

const reduction: Rule = (hoist) => {
  const { node, inputs, params } = hoist.item;
  const all = hoist.all(inputs[0]!);
  const axes = (params as { axes: readonly number[] }).axes.map((axis) => axis + 1);
  if (!all || axes.length === 0) return undefined;
  return [hoist.apply(node.op, [all, hoist.ints(axes)], node.attributes)];
};

const reshape: Rule = (hoist) => {
  const all = hoist.all(hoist.item.inputs[0]!);
  return all && hoist.item.outputs.length === 1
    ? [reshaped(hoist, all, shapeOf(hoist))]
    : undefined;
};

const transpose: Rule = (hoist) => {
  const all = hoist.all(hoist.item.inputs[0]!)!;
  const { perm } = hoist.item.params as { perm: readonly number[] };
  return [hoist.apply('Transpose', [all], { perm: [0, ...perm.map((axis) => axis + 1)] })];
};

/** A part of an input along its axes. */
function cut(
  hoist: Hoist,
  starts: readonly number[],
  dims: readonly number[],
  steps: readonly number[],
): Value {
  const list = (values: readonly number[]): Value => hoist.ints(values);
  const ends = starts.map((start, k) => start + steps[k]! * (dims[k]! - 1) + 1);
  const axes = starts.map((_, k) => k + 1);
  const all = hoist.all(hoist.item.inputs[0]!)!;
  return hoist.apply('Slice', [all, list(starts), list(ends), list(axes), list(steps)]);
}

const slice: Rule = (hoist) => {
  const { starts, steps } = hoist.item.params as {
    starts: readonly number[];
    steps: readonly number[];
  };
  if (steps.some((step) => step < 0) || sizeOf(shapeOf(hoist)) === 0) return undefined;
  return [cut(hoist, starts, shapeOf(hoist), steps)];
};

const split: Rule = (hoist) => {
  const { axis } = hoist.item.params as { axis: number };
  const ones = hoist.item.inputs[0]!.dims.map(() => 1);
  let start = 0;
  return hoist.item.outputs.map((_, slot) => {
    const dims = shapeOf(hoist, slot);
    const starts = ones.map((_one, k) => (k === axis ? start : 0));
    start += dims[axis]!;
    return cut(hoist, starts, dims, ones);
  });
};

const concat: Rule = (hoist) => {
  const { axis } = hoist.item.params as { axis: number };
  const parts = hoist.item.inputs.map((value) => repeated(hoist, value!));
  return [hoist.apply('Concat', parts, { axis: axis + 1 })];
};

const expand: Rule = (hoist) => {
  const dims = shapeOf(hoist);
  const all = widened(hoist, hoist.item.inputs[0], dims.length);
  return [hoist.apply('Expand', [all, hoist.ints([hoist.steps, ...dims])])];
};

const each = (names: string, rule: Rule): [string, Rule][] =>
  names.split(' ').map((name) => [name, rule]);

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...[...elementwise, ...unaries].map(({ name }): [string, Rule] => [name, pointwise]),
  ...each('Reshape Flatten Squeeze Unsqueeze', reshape),
  ...each(
    'ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ' +
      'ReduceSumSquare',
    reduction,
  ),
  ...each('Softmax LogSoftmax LayerNormalization Gather', withAxis),
  ['MatMul', matMul],
  ['Gemm', gemm],
  ['Transpose', transpose],
  ['Slice', slice],
  ['Split', split],
  ['Concat', concat],
  ['Expand', expand],
]);

/**
 * Computes a node for all iterations.
 *
 * @param all the value of all iterations of one that varies, and that no state has a say in
 * @returns its outputs for all iterations; undefined where it has to be computed in each
 */
export function hoisted(
  site: LoopSite,
  item: PlannedNode,
  steps: number,
  all: (value: Value) => Value | undefined,
): readonly Value[] | undefined {
  const rule = RULES.get(item.node.op);
  if (!rule || item.outputs.some((output) => output === undefined)) return undefined;
  const ints = (values: readonly number[]): Value => {
    const host: HostValue = {
      type: 'int64',
      dims: [values.length],
      data: Float64Array.from(values),
    };
    return site.literal(host);
  };
  const apply: Hoist['apply'] = (op, inputs, attributes) =>
    site.apply(op, inputs, attributes, item.path);
  return rule({ item, steps, all, apply, ints });
}
