// Operators that move elements without looking at them, and those that only change a shape.
import { type PadMode, copyKernel, padKernel } from '../../../shaders/copy.ts';
import { reverseKernel } from '../../../shaders/gather.ts';
import { walkRank, walkValues } from '../../../shaders/walk.ts';
import { broadcastStrides, stridesOf } from '../../ops/shapes.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { operand, pointwise, target } from './pointwise.ts';
import {
  axisOf,
  collapse,
  hostOf,
  input,
  listOf,
  numberOf,
  runItems,
  scalarOf,
  textOf,
} from './strides.ts';

/** Where one side of a copy begins, and its steps along each axis. */
export interface Side {
  readonly buffer: BufferId;
  readonly start?: number;
  readonly strides: readonly number[];
}

/** Copies every element of a shape from one strided place to another. */
export function copy(l: Lowering, dims: readonly number[], from: Side, to: Side): void {
  const rank = walkRank(dims.length);
  const simple = collapse(dims, { s: from.strides, t: to.strides });
  runItems(
    l,
    copyKernel(rank),
    sizeOf(dims),
    { data: from.buffer, out: to.buffer },
    {
      dataStart: from.start ?? 0,
      outStart: to.start ?? 0,
      ...walkValues(rank, simple.dims, simple.strides),
    },
  );
}

/** Fills output `slot`, read as `dims`, from input 0 with these strides. */
function fill(
  l: Lowering,
  strides: readonly number[],
  start = 0,
  slot = 0,
  dims = l.outputs[slot]!.dims,
): void {
  copy(
    l,
    dims,
    { buffer: l.read(0), start, strides },
    { buffer: l.write(slot), strides: stridesOf(dims) },
  );
}

const view: Lower = (l) => {
  if (l.wanted(0)) l.alias(0, 0);
  for (const slot of l.node.outputs.keys()) {
    // The mask of a Dropout that drops nothing.
    if (slot > 0 && l.wanted(slot)) pointwise(l, [], { expression: '1' }, target(l, slot));
  }
};

const transpose: Lower = (l) => {
  const strides = stridesOf(input(l, 0).dims);
  const order = listOf(l, 'perm') ?? [...strides.keys()].toReversed();
  fill(
    l,
    order.map((axis) => strides[axis]!),
  );
};

const expand: Lower = (l) => fill(l, broadcastStrides(input(l, 0).dims, l.outputs[0]!.dims));

const tile: Lower = (l) => {
  const { dims } = input(l, 0);
  const own = stridesOf(dims);
  const repeats = hostOf(l, 1)!;
  // Each axis becomes two: which copy, then the place in it.
  fill(
    l,
    own.flatMap((stride) => [0, stride]),
    0,
    0,
    dims.flatMap((dim, axis) => [repeats[axis]!, dim]),
  );
};

const slice: Lower = (l) => {
  const { dims } = input(l, 0);
  const own = stridesOf(dims);
  const starts = hostOf(l, 1)!;
  const axes = hostOf(l, 3) ?? [...starts.keys()];
  const steps = hostOf(l, 4) ?? starts.map(() => 1);
  const strides = [...own];
  let start = 0;
  axes.forEach((given, i) => {
    const axis = given < 0 ? given + dims.length : given;
    const size = dims[axis]!;
    const first = starts[i]! < 0 ? starts[i]! + size : starts[i]!;
    start += Math.min(Math.max(first, 0), steps[i]! > 0 ? size : size - 1) * own[axis]!;
    strides[axis] = own[axis]! * steps[i]!;
  });
  fill(l, strides, start);
};

const split: Lower = (l) => {
  const { dims } = input(l, 0);
  const strides = stridesOf(dims);
  const axis = axisOf(l, 0, dims.length);
  let start = 0;
  l.outputs.forEach((out, slot) => {
    if (l.wanted(slot)) fill(l, strides, start, slot);
    start += out.dims[axis]! * strides[axis]!;
  });
};

const concat: Lower = (l) => {
  const { dims } = l.outputs[0]!;
  const strides = stridesOf(dims);
  const axis = axisOf(l, 0, dims.length);
  const out = l.write(0);
  let start = 0;
  for (const slot of l.inputs.keys()) {
    const own = input(l, slot).dims;
    copy(
      l,
      own,
      { buffer: l.read(slot), strides: stridesOf(own) },
      { buffer: out, start, strides },
    );
    start += own[axis]! * strides[axis]!;
  }
};

const pad: Lower = (l) => {
  const { type, dims } = input(l, 0);
  const pads = hostOf(l, 1)!;
  const given = hostOf(l, 3) ?? [...dims.keys()];
  const before = dims.map(() => 0);
  given.forEach((axis, i) => (before[axis < 0 ? axis + dims.length : axis] = pads[i]!));
  const mode = textOf(l, 'mode', 'constant') as PadMode;
  const value = l.inputs[2] ?? {
    type,
    dims: [1],
    host: { type, dims: [1], data: new Float64Array(1) },
  };
  const own = stridesOf(dims);
  const uniforms: Record<string, number> = {};
  const rank = walkRank(dims.length);
  for (let k = 0; k < rank; k++) {
    const axis = k - rank + dims.length; // the missing axes are in front
    uniforms[`out${k}`] = l.outputs[0]!.dims[axis] ?? 1;
    uniforms[`size${k}`] = dims[axis] ?? 1;
    uniforms[`before${k}`] = before[axis] ?? 0;
    uniforms[`s${k}`] = own[axis] ?? 0;
  }
  const buffers = {
    data: l.read(0),
    ...(mode === 'constant' && { value: l.bufferOf({ name: '', constant: false, ...value }) }),
    out: l.write(0),
  };
  runItems(l, padKernel(rank, mode), sizeOf(l.outputs[0]!.dims), buffers, uniforms);
};

const trilu: Lower = (l) => {
  const [rows, columns] = l.outputs[0]!.dims.slice(-2) as [number, number];
  const side = numberOf(l, 'upper', 1) === 0 ? '<=' : '>=';
  const place = 'i32(i % params.columns) - i32(i / params.columns % params.rows)';
  pointwise(
    l,
    [operand(l, 0)],
    {
      expression: `select(${scalarOf(l.outputs[0]!.type)}(0), a, ${place} ${side} params.k)`,
      uniforms: {
        rows: ['u32', rows],
        columns: ['u32', columns],
        k: ['i32', hostOf(l, 1)?.[0] ?? 0],
      },
    },
    target(l),
  );
};

const oneHot: Lower = (l) => {
  const indices = operand(l, 0);
  const axis = axisOf(l, -1, indices.dims.length + 1);
  const { dims } = l.outputs[0]!;
  const depth = dims[axis]!;
  const inner = sizeOf(indices.dims.slice(axis));
  const strides = stridesOf(indices.dims).toSpliced(axis, 0, 0);
  const values = { ...operand(l, 2), dims, strides: strides.map(() => 0) };
  const here = 'i32(i / params.inner % params.depth)';
  const wrapped = 'select(i32(a), i32(a) + i32(params.depth), i32(a) < 0)';
  pointwise(
    l,
    [{ ...indices, dims, strides }, values],
    {
      expression: `B[0][select(0, 1, ${here} == ${wrapped})]`,
      uniforms: { inner: ['u32', inner], depth: ['u32', depth] },
    },
    target(l),
  );
};

const reverseSequence: Lower = (l) => {
  const { dims } = input(l, 0);
  const strides = stridesOf(dims);
  const [batch, time] = [numberOf(l, 'batch_axis', 1), numberOf(l, 'time_axis', 0)];
  runItems(
    l,
    reverseKernel,
    sizeOf(dims),
    { data: l.read(0), lengths: l.read(1), out: l.write(0) },
    {
      rows: dims[batch]!,
      rowStep: strides[batch]!,
      steps: dims[time]!,
      step: strides[time]!,
    },
  );
};

// Only what is too large to be made on the host gets here.
const constantOfShape: Lower = (l) => {
  const value = l.node.attributes['value'];
  const number = typeof value === 'object' && 'data' in value ? Number(value.data[0]) : 0;
  const uniforms = { value: ['f32', number] } as const;
  pointwise(l, [], { expression: 'params.value', uniforms }, target(l));
};

const range: Lower = (l) => {
  const type = scalarOf(l.outputs[0]!.type);
  const uniforms = {
    first: [type, hostOf(l, 0)![0]!],
    each: [type, hostOf(l, 2)![0]!],
  } as const;
  pointwise(l, [], { expression: `params.first + ${type}(i) * params.each`, uniforms }, target(l));
};

/** Operators that move elements or only change a shape. */
export const movers: Readonly<Record<string, Lower>> = {
  Reshape: view,
  Flatten: view,
  Squeeze: view,
  Unsqueeze: view,
  Identity: view,
  Dropout: view,
  Transpose: transpose,
  Expand: expand,
  Tile: tile,
  Slice: slice,
  Split: split,
  Concat: concat,
  Pad: pad,
  Trilu: trilu,
  OneHot: oneHot,
  ReverseSequence: reverseSequence,
  ConstantOfShape: constantOfShape,
  Range: range,
};
