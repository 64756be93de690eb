// Operators that change a shape, return one, or make a value from one.
import type { Node } from '../graph.ts';
import { formatDims, sizeOf, tensor, type DataType, type Tensor } from '../tensor.ts';
import { define, invalid, mismatch, type Call, type Output } from './define.ts';
import { sameType } from './elementwise.ts';
import { axesOf, axisOf, sameDims, type Dims } from './shapes.ts';
import { storing, toHost } from './value.ts';

/** The numbers of the first input under another shape. */
function reshaped(call: Call, dims: Dims): readonly Output[] {
  return [{ dims, fill: (out) => out.set(call.data(0)) }];
}

const reshape = define(
  'Reshape',
  [2, 2],
  (call) => {
    const from = call.input(0).dims;
    call.input(1, 'integer');
    const allowZero = call.flag('allowzero', false);
    const dims = call.numbers(1)!.map((dim, axis) => {
      const copied = dim === 0 && !allowZero ? from[axis] : dim;
      if (copied === undefined || copied < -1) {
        throw mismatch(`${call.at(1)}[${axis}]`, 'size', dim, `one that fits ${formatDims(from)}`);
      }
      return copied;
    });
    const free = dims.indexOf(-1);
    const known = sizeOf(dims.filter((dim) => dim !== -1));
    if (free >= 0) dims[free] = known === 0 ? 0 : sizeOf(from) / known;
    if (dims.includes(-1) || !Number.isInteger(dims[free] ?? 0) || sizeOf(dims) !== sizeOf(from)) {
      throw mismatch(call.at(1), 'shape', call.numbers(1)!, `one that fits ${formatDims(from)}`);
    }
    return reshaped(call, dims);
  },
  { hostInputs: [1] },
);

const flatten = define('Flatten', [1, 1], (call) => {
  const { dims } = call.input(0);
  const given = call.int('axis', 1);
  // Unlike elsewhere the axis may be the rank itself.
  const axis = given === dims.length ? given : axisOf(given, dims.length, `${call.path}.axis`);
  return reshaped(call, [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))]);
});

const squeeze = define(
  'Squeeze',
  [1, 2],
  (call) => {
    const { dims } = call.input(0);
    const given = call.numbers(1);
    const axes = given && axesOf(given, dims.length, call.at(1));
    for (const axis of axes ?? []) {
      if (dims[axis] !== 1) throw mismatch(call.at(1), `size of axis ${axis}`, dims[axis], 1);
    }
    return reshaped(
      call,
      dims.filter((dim, axis) => !(axes?.includes(axis) ?? dim === 1)),
    );
  },
  { hostInputs: [1] },
);

const unsqueeze = define(
  'Unsqueeze',
  [2, 2],
  (call) => {
    const sizes = [...call.input(0).dims];
    call.input(1, 'integer');
    const given = call.numbers(1)!;
    const rank = sizes.length + given.length;
    const axes = axesOf(given, rank, call.at(1));
    const dims = Array.from({ length: rank }, (_, axis) =>
      axes.includes(axis) ? 1 : sizes.shift()!,
    );
    return reshaped(call, dims);
  },
  { hostInputs: [1] },
);

/** An int64 value that follows from shapes. */
function integers(dims: Dims, values: readonly number[]): readonly Output[] {
  return [{ dims, fill: (out) => out.set(values) }];
}

const shape = define(
  'Shape',
  [1, 1],
  (call) => {
    const { dims } = call.input(0);
    const found = dims.slice(call.int('start', 0), call.int('end', dims.length));
    return integers([found.length], found);
  },
  { shapeOnly: true, resultType: () => 'int64' },
);

const size = define('Size', [1, 1], (call) => integers([], [sizeOf(call.input(0).dims)]), {
  shapeOnly: true,
  resultType: () => 'int64',
});

/** The attribute that a ConstantOfShape fills with; a zero when left out. */
const filling = ({ attributes }: Node): Tensor => (attributes['value'] ?? tensor([0])) as Tensor;

const constantOfShape = define(
  'ConstantOfShape',
  [1, 1],
  (call) => {
    const value = filling(call.node);
    if (value.data?.length !== 1) {
      throw invalid(`${call.path}.value`, 'attribute', value.dims ?? [], 'one element');
    }
    const number = toHost(value, `${call.path}.value`).data[0]!;
    const fill = (out: Float64Array): void => void out.fill(number);
    return { params: { value: number }, outputs: [{ dims: call.shape(0), fill }] };
  },
  { hostInputs: [0], resultType: (node) => filling(node).type },
);

const range = define(
  'Range',
  [3, 3],
  (call) => {
    sameType(call, [0, 1, 2], 'number');
    const [start, limit, delta] = [call.scalar(0), call.scalar(1), call.scalar(2)];
    const count = Math.max(Math.ceil((limit - start) / delta), 0);
    if (!Number.isSafeInteger(count)) throw invalid(call.at(2), 'step', delta, 'one that ends');
    const fill = (out: Float64Array): void => out.forEach((_, i) => (out[i] = start + i * delta));
    return { params: { start, delta }, outputs: [{ dims: [count], fill }] };
  },
  { hostInputs: [0, 1, 2] },
);

const oneHot = define(
  'OneHot',
  [3, 3],
  (call) => {
    const { dims: indices } = call.input(0, 'number');
    const { dims: values } = call.input(2);
    if (!sameDims(values, [2])) throw mismatch(call.at(2), 'shape', values, '[2] (off, on)');
    const depth = storing('int64' satisfies DataType)(call.scalar(1));
    if (depth < 1) throw mismatch(call.at(1), 'depth', depth, '1 or more');
    const axis = axisOf(call.int('axis', -1), indices.length + 1, `${call.path}.axis`);
    const inner = sizeOf(indices.slice(axis));
    const fill = (out: Float64Array): void => {
      const [off, on] = call.data(2) as unknown as [number, number];
      out.fill(off);
      call.data(0).forEach((index, i) => {
        if (index < -depth || index >= depth) return; // the specification: all off
        const k = index < 0 ? index + depth : index;
        out[(Math.floor(i / inner) * depth + k) * inner + (i % inner)] = on;
      });
    };
    return { params: { axis }, outputs: [{ dims: indices.toSpliced(axis, 0, depth), fill }] };
  },
  { hostInputs: [1], resultType: () => 2 },
);

/** Operators about shapes. */
export const shapers = [
  reshape,
  flatten,
  squeeze,
  unsqueeze,
  shape,
  size,
  constantOfShape,
  range,
  oneHot,
];
