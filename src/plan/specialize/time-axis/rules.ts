// Which operators are local in time, and where time is in their outputs: products, elementwise operators,
// those that move numbers or change shapes, reductions and normalisations.
import { elementwise } from '../../../ops/elementwise.ts';
import { sizeOf } from '../../../tensor.ts';
import { unaries } from '../../../ops/unary.ts';
import type { Dims } from '../../../ops/shapes.ts';
import { loopRule } from './rule-loop.ts';
import { recurrentRule } from './rule-recurrent.ts';
import { concatRule, padRule, sliceRule } from './rules-cut.ts';
import { convRule, convTransposeRule, poolRule } from './rules-window.ts';
import {
  dimsOf,
  framesOf,
  kindOf,
  LAST,
  merged,
  notByChunk,
  onlyFirst,
  type Frames,
  type TimeCall,
  type TimeRule,
} from './tag.ts';

/** Refuses other inputs with numbers of their own for each frame of a chunk. */
function refuseVarying(call: TimeCall, slots: readonly number[], axis: number, rank: number): void {
  for (const slot of slots) {
    const input = call.a.inputs[slot];
    if (!input || call.tags[slot]?.kind === 'frames') continue;
    const size = input.dims[axis - rank + input.dims.length] ?? 1;
    if (size !== 1) notByChunk('has parameters of its own for each frame of the chunk');
  }
}

/** Inputs that broadcast to the output. */
function broadcast(call: TimeCall, slots: readonly number[]): Frames {
  const out = call.a.outputs.find((output) => output !== undefined)!.dims;
  const placed = slots.flatMap((slot) => {
    const tag = framesOf(call, slot);
    return tag ? [{ ...tag, axis: tag.axis + out.length - dimsOf(call, slot).length }] : [];
  });
  const tag = merged(placed);
  refuseVarying(call, slots, tag.axis, out.length);
  return tag;
}

const pointwise: TimeRule = (call) => broadcast(call, [...call.tags.keys()]);

const matMul: TimeRule = (call) => {
  const [a, b] = [dimsOf(call, 0).length, dimsOf(call, 1).length];
  const rank = call.a.outputs[0]!.dims.length;
  const whole = 'sums over time';
  const placed: Frames[] = [];
  const left = framesOf(call, 0);
  if (left) {
    if (left.axis === a - 1) notByChunk(whole);
    placed.push({ ...left, axis: b === 1 ? left.axis : left.axis + rank - a });
  }
  const right = framesOf(call, 1);
  if (right) {
    if (right.axis === Math.max(b - 2, 0)) notByChunk(whole);
    const isColumn = right.axis === b - 1;
    placed.push({ ...right, axis: isColumn || a > 1 ? right.axis + rank - b : right.axis });
  }
  const tag = merged(placed);
  // Batches broadcast as elements do; rows and columns are not shared.
  if (left && !right && tag.axis < rank - 2) refuseVarying(call, [1], tag.axis, rank);
  if (right && !left && tag.axis < rank - 2) refuseVarying(call, [0], tag.axis, rank);
  return tag;
};

const gemm: TimeRule = (call) => {
  const { transA, transB } = call.a.params as { transA: boolean; transB: boolean };
  const placed: Frames[] = [];
  const [left, right, bias] = [0, 1, 2].map((slot) => framesOf(call, slot));
  if (left) {
    if (left.axis !== Number(transA)) notByChunk('sums over time');
    placed.push({ ...left, axis: 0 });
  }
  if (right) {
    if (right.axis !== Number(!transB)) notByChunk('sums over time');
    placed.push({ ...right, axis: 1 });
  }
  if (bias) placed.push({ ...bias, axis: bias.axis + 2 - dimsOf(call, 2).length });
  const tag = merged(placed);
  if (call.a.inputs[2]) refuseVarying(call, [2], tag.axis, 2);
  return tag;
};

const product = (dims: Dims, to: number): number => sizeOf(dims.slice(0, to));

/** The same numbers under another shape: time stays where it is in memory. */
const reshape: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const [from, into] = [dimsOf(call, 0), call.a.outputs[0]!.dims];
  const blocks = product(from, tag.axis) * tag.outer;
  const frames = from[tag.axis]! / tag.outer;
  const axis = call.isCompared
    ? into.findIndex((dim, k) => dim !== call.b.outputs[0]!.dims[k])
    : fixedAxis(from, into, tag.axis, blocks, frames);
  const before = product(into, Math.max(axis, 0));
  const outer = blocks / before;
  const now = into[axis]! / outer;
  if (axis < 0 || !Number.isInteger(outer) || !Number.isInteger(now)) {
    notByChunk('cuts time into parts whose number does not follow the length of the chunk');
  }
  if (now !== frames && tag.head + tag.tail > 0) {
    notByChunk('groups frames together that windows still need');
  }
  return { ...tag, axis, outer };
};

/** Where time goes in a Reshape of which only one length is known; -1 where that cannot be told. */
function fixedAxis(from: Dims, into: Dims, axis: number, blocks: number, frames: number): number {
  const holds = (k: number): boolean => {
    const before = product(into, k);
    const outer = blocks / before;
    return Number.isInteger(outer) && into[k] === outer * frames;
  };
  const found = [...into.keys()].filter(holds);
  if (found.length <= 1) return found[0] ?? -1;
  // A single frame among other axes of size 1: the one of the same number among them.
  const ones = from.slice(0, axis).filter((dim) => dim === 1).length;
  const places = [...into.keys()].filter((k) => into[k] === 1);
  const same = places[ones];
  return same !== undefined && found.includes(same) ? same : found.at(-1)!;
}

const transpose: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const { perm } = call.a.params as { perm: Dims };
  return { ...tag, axis: perm.indexOf(tag.axis) };
};

/** An operator that mixes some axes of its first input and keeps the rank. */
const mixing =
  (axesOf: (call: TimeCall, rank: number) => readonly number[], why: string): TimeRule =>
  (call) => {
    const tag = onlyFirst(call);
    const axes = axesOf(call, dimsOf(call, 0).length);
    return axes.includes(tag.axis) ? notByChunk(why) : tag;
  };

const along = ({ a }: TimeCall): readonly number[] => [(a.params as { axis: number }).axis];

const from =
  (first: number | 'axis') =>
  ({ a }: TimeCall, rank: number): readonly number[] => {
    const start = first === 'axis' ? (a.params as { axis: number }).axis : first;
    return Array.from({ length: rank - start }, (_, i) => start + i);
  };

/** An operator that leaves axes out or puts 1 in their place. */
const reducing =
  (axesOf: (call: TimeCall) => readonly number[]): TimeRule =>
  (call) => {
    const tag = onlyFirst(call);
    const axes = axesOf(call);
    if (axes.includes(tag.axis)) notByChunk('reduces all of time to one number');
    const isKept = call.a.outputs[0]!.dims.length === dimsOf(call, 0).length;
    return isKept ? tag : { ...tag, axis: tag.axis - axes.filter((k) => k < tag.axis).length };
  };

const cumSum: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const { axis, exclusive, reverse } = call.a.params as {
    axis: number;
    exclusive: boolean;
    reverse: boolean;
  };
  if (axis !== tag.axis) return tag;
  if (reverse) notByChunk('adds up from the end of the sequence');
  if (tag.outer !== 1 || tag.head + tag.tail > 0) notByChunk('adds up frames of other rows');
  if (!call.isOutermost) notByChunk('adds up over time inside a branch or a loop');
  call.carry({ kind: 'sum', ...kindOf(call, 0), axis, exclusive });
  return { ...tag, uniform: false };
};

const gather: TimeRule = (call) => {
  const { axis } = call.a.params as { axis: number };
  const [data, at] = [framesOf(call, 0), framesOf(call, 1)];
  const indices = dimsOf(call, 1);
  if (!data) return { ...at!, axis: axis + at!.axis };
  if (at) return notByChunk('looks up frames by time');
  if (data.axis !== axis) {
    return { ...data, axis: data.axis < axis ? data.axis : data.axis + indices.length - 1 };
  }
  const last = [call.a, call.b].every(({ inputs: [x, index] }) => {
    const [size, found] = [x!.dims[axis]!, index!.host?.data];
    return found?.length === 1 && (found[0] === -1 || found[0] === size - 1);
  });
  const isWhole = !call.isCompared && dimsOf(call, 0)[axis] === 1;
  if (isWhole && indices.length === 1) return data;
  if (!last || data.tail > 0 || data.outer !== 1) {
    return notByChunk('takes frames at fixed places of the sequence');
  }
  return LAST;
};

const elements: TimeRule = (call) => {
  const { axis } = call.a.params as { axis: number };
  const tag = pointwise(call) as Frames;
  return tag.axis === axis ? notByChunk('looks up frames by time') : tag;
};

const split: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const { axis } = call.a.params as { axis: number };
  return axis === tag.axis ? notByChunk('cuts the sequence at fixed places') : tag;
};

/** Repeats its input along axes of size 1. */
const spread: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const [x, out] = [dimsOf(call, 0), call.a.outputs[0]!.dims];
  const axis = tag.axis + out.length - x.length;
  if (out[axis] !== x[tag.axis]) notByChunk('repeats the sequence');
  return { ...tag, axis };
};

const oneHot: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const { axis } = call.a.params as { axis: number };
  return { ...tag, axis: axis <= tag.axis ? tag.axis + 1 : tag.axis };
};

const reverseSequence: TimeRule = (call) => {
  const { timeAxis } = call.a.params as { timeAxis: number };
  const [tag, lengths] = [framesOf(call, 0), framesOf(call, 1)];
  if (!tag || tag.axis === timeAxis) return notByChunk('reads the sequence backwards');
  return lengths ? merged([tag, { ...lengths, axis: tag.axis }]) : tag;
};

const each = (names: string, rule: TimeRule): [string, TimeRule][] =>
  names.split(' ').map((name) => [name, rule]);

const whole = 'needs all of time at once';

/** Rules by operator. */
export const TIME_RULES: ReadonlyMap<string, TimeRule> = new Map<string, TimeRule>([
  ...[...elementwise, ...unaries].map(({ name }): [string, TimeRule] => [name, pointwise]),
  ...each('Reshape Flatten Squeeze Unsqueeze', reshape),
  ...each('Expand Tile', spread),
  ...each('Softmax LogSoftmax', mixing(along, 'normalises over time')),
  ...each('LayerNormalization', mixing(from('axis'), 'normalises over time')),
  ...each('InstanceNormalization GroupNormalization', mixing(from(1), 'normalises over time')),
  ...each(
    'BatchNormalization',
    mixing(() => [1], whole),
  ),
  ...each(
    'QuantizeLinear DequantizeLinear',
    mixing(({ a }) => {
      const { axis } = a.params as { axis: number | undefined };
      return axis === undefined ? [] : [axis];
    }, whole),
  ),
  ...each('TopK', mixing(along, 'ranks all of time')),
  ...each(
    'Trilu',
    mixing((call, rank) => from(rank - 2)(call, rank), whole),
  ),
  ...each('ArgMax ArgMin', reducing(along)),
  ...each(
    'ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ' +
      'ReduceSumSquare',
    reducing(({ a }) => (a.params as { axes: Dims }).axes),
  ),
  ...each('GlobalAveragePool GlobalMaxPool', mixing(from(2), 'reduces all of time to one number')),
  ...each('GatherElements', elements),
  ['MatMul', matMul],
  ['Gemm', gemm],
  ['Transpose', transpose],
  ['CumSum', cumSum],
  ['Gather', gather],
  ['Split', split],
  ['OneHot', oneHot],
  ['ReverseSequence', reverseSequence],
  ['Slice', sliceRule],
  ['Concat', concatRule],
  ['Pad', padRule],
  ['Conv', convRule],
  ['ConvTranspose', convTransposeRule],
  ...each('MaxPool AveragePool', poolRule),
  ['Recurrent', recurrentRule],
  ...each('Loop Scan', loopRule),
]);

/** Operators that contract or normalise the features of a frame. */
export const FEATURE_OPERATORS: ReadonlySet<string> = new Set([
  'MatMul',
  'Gemm',
  'LayerNormalization',
  'Recurrent',
  'Softmax',
]);
