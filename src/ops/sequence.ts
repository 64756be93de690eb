// Sequences of tensors. Exporters collect the outputs of the iterations of a loop in them.
// https://onnx.ai/onnx/operators/ (SequenceInsert, ConcatFromSequence, SplitToSequence …)
import {
  integers,
  joined,
  numberOf,
  numbersOf,
  part,
  Sequence,
  sequenceOf,
  tensorOf,
  type ControlCall,
  type ControlOperator,
} from './control.ts';
import { Attributes, invalid, mismatch } from './define.ts';
import type { ValueType } from './operator.ts';
import { axisOf } from './shapes.ts';

type Run = ControlOperator['run'];

const ADVICE = 'export it with positions and sizes that follow from shapes or integer inputs';

const operator = (name: string, run: Run, hostInputs: readonly number[] = []): ControlOperator => ({
  name,
  hostInputs,
  advice: ADVICE,
  run,
});

/** The position in a slot, counted from the front. */
function positionOf<V extends ValueType>(
  call: ControlCall<V>,
  slot: number,
  size: number,
  last: number,
): number {
  const path = `${call.path}.inputs[${slot}]`;
  const at = numberOf(call, tensorOf(call, slot), { advice: ADVICE }, 'position', 'int64', path);
  if (at < -size || at > last) throw mismatch(path, 'position', at, `${-size} to ${last}`);
  return at < 0 ? at + size : at;
}

const construct = operator('SequenceConstruct', (call) => {
  const items = call.inputs.map((_, slot) => tensorOf(call, slot));
  return [new Sequence(items)];
});

const empty = operator('SequenceEmpty', () => [new Sequence([])]);

const insert = operator(
  'SequenceInsert',
  (call) => {
    const { items } = sequenceOf(call, 0);
    const value = tensorOf(call, 1);
    const { length } = items;
    const at = call.inputs[2] === undefined ? length : positionOf(call, 2, length, length);
    call.flow.unrolling.keep(value, call.node, call.path);
    return [new Sequence(items.toSpliced(at, 0, value))];
  },
  [2],
);

const erase = operator(
  'SequenceErase',
  (call) => {
    const { items } = sequenceOf(call, 0);
    const last = items.length - 1;
    const at = call.inputs[1] === undefined ? last : positionOf(call, 1, items.length, last);
    if (at < 0) throw mismatch(`${call.path}.inputs[0]`, 'length of a sequence', 0, '1 or more');
    return [new Sequence(items.toSpliced(at, 1))];
  },
  [1],
);

const elementAt = operator(
  'SequenceAt',
  (call) => {
    const { items } = sequenceOf(call, 0);
    return [items[positionOf(call, 1, items.length, items.length - 1)]];
  },
  [1],
);

const length: ControlOperator = {
  name: 'SequenceLength',
  shapeOnly: true,
  advice: ADVICE,
  run: (call) => [integers(call.flow, [sequenceOf(call, 0).items.length], [])],
};

const concat = operator('ConcatFromSequence', (call) => {
  const { node, path, flow } = call;
  const { items } = sequenceOf(call, 0);
  const attributes = new Attributes(node, path);
  const isNew = attributes.flag('new_axis', false);
  const rank = (items[0]?.dims.length ?? 0) + Number(isNew);
  const axis = items.length === 0 ? 0 : axisOf(attributes.int('axis'), rank, `${path}.axis`);
  // Each tensor is copied, and a loop may do so in every iteration.
  flow.unrolling.addIteration(node, items.length, path);
  for (const item of items) flow.unrolling.keep(item, node, path);
  return [joined(call, items, axis, isNew, `${path}.inputs[0]`)];
});

/** The sizes of the pieces of a SplitToSequence. */
function piecesOf<V extends ValueType>(call: ControlCall<V>, total: number): readonly number[] {
  const path = `${call.path}.inputs[1]`;
  if (call.inputs[1] === undefined) return Array.from({ length: total }, () => 1);
  const split = tensorOf(call, 1);
  const numbers = numbersOf(call, split, { advice: ADVICE }, 'split', path);
  if (split.dims.length === 1) {
    const sum = numbers.reduce((a, b) => a + b, 0);
    if (sum === total && numbers.every((size) => size >= 0)) return numbers;
    throw mismatch(path, 'sizes', numbers, `some that add up to ${total}`);
  }
  const [size = 0] = numbers;
  if (split.dims.length > 1 || !(size >= 1)) throw invalid(path, 'split', size, '1 or more');
  return Array.from({ length: Math.ceil(total / size) }, (_, i) =>
    Math.min(size, total - i * size),
  );
}

const split = operator(
  'SplitToSequence',
  (call) => {
    const { node, path, flow } = call;
    const x = tensorOf(call, 0);
    const attributes = new Attributes(node, path);
    const axis = axisOf(attributes.int('axis', 0), x.dims.length, `${path}.axis`);
    const hasAxis = call.inputs[1] !== undefined || attributes.flag('keepdims', true);
    const sizes = piecesOf(call, x.dims[axis]!);
    flow.unrolling.addIteration(node, sizes.length, path);
    flow.unrolling.keep(x, node, path);
    let to = 0;
    const items = sizes.map((size) => {
      to += size;
      return part(flow, x, axis, [to - size, to], !hasAxis);
    });
    return [new Sequence(items)];
  },
  [1],
);

/** Operators of sequences. */
export const sequences: readonly ControlOperator[] = [
  construct,
  empty,
  insert,
  erase,
  elementAt,
  length,
  concat,
  split,
];
