// Operators that move elements without looking at them, and those that only change a shape.
import { copyKernel, padKernel } from '../../../shaders/copy.ts';
import { reverseKernel } from '../../../shaders/gather.ts';
import { kernelRank, offsetValues } from '../../../shaders/strided-offset.ts';
import { broadcastStrides, offsetOf, stridesOf } from '../../ops/indexing.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import { deviceArray } from '../device-array.ts';
import type { BufferId } from '../types.ts';
import type { Operand } from '../values.ts';
import { operand, pointwise, target } from './pointwise.ts';
import { input, runItems, scalarOf, type LowerOf } from './operator.ts';
import { collapse } from './collapse-axes.ts';

/** One side of a copy: offset of the first element, and strides. */
interface Side {
  readonly buffer: BufferId;
  readonly start?: number;
  readonly strides: readonly number[];
}

/** Copies every element of a shape from one strided place to another. */
export function copy(ctx: Lowering, dims: readonly number[], from: Side, to: Side): void {
  const rank = kernelRank(dims.length);
  const simple = collapse(dims, { s: from.strides, t: to.strides });
  runItems(
    ctx,
    copyKernel(rank),
    sizeOf(dims),
    { data: from.buffer, out: to.buffer },
    {
      dataStart: from.start ?? 0,
      outStart: to.start ?? 0,
      ...offsetValues(rank, simple.dims, simple.strides),
    },
  );
}

/** Whether the elements lie one after the other. */
function isDense(dims: readonly number[], strides: readonly number[]): boolean {
  const simple = collapse(dims, { s: strides });
  return simple.dims.length === 0 || (simple.dims.length === 1 && simple.strides.s[0] === 1);
}

/** Elements of input `slot` in the buffer that holds them: a view of a view is a view of that buffer. */
function elementsOf(ctx: Lowering, slot: number): Elements {
  const value = input(ctx, slot);
  const { type, dims, lazy, buffer } = value;
  if (lazy && buffer === undefined && 'view' in lazy) {
    return { start: 0, strides: stridesOf(dims), source: value, ...lazy.view };
  }
  return { type, dims, buffer: ctx.read(slot), start: 0, strides: stridesOf(dims), source: value };
}

type Elements = Operand & { readonly start: number; readonly strides: readonly number[] };

/** Makes a view of a buffer output `slot`; with more than `maxReaders` readers, a dense copy of it. */
function yieldElements(
  ctx: Lowering,
  from: Elements,
  strides: readonly number[],
  start: number,
  slot = 0,
  maxReaders = Number.MAX_VALUE,
): void {
  const { type, dims } = ctx.outputs[slot]!;
  const source = {}; // another view of the buffer has other offsets
  const elements = { type, dims, buffer: from.buffer, strides, start, source };
  const materialize = (): void => {
    // A dense view from the start is the buffer itself.
    if (start === 0 && isDense(dims, strides)) {
      ctx.precompile(copyKernel(kernelRank(dims.length)));
      return ctx.yield(slot, from.buffer);
    }
    copy(ctx, dims, elements, { buffer: ctx.write(slot), strides: stridesOf(dims) });
  };
  if (ctx.readers(slot) > maxReaders) materialize();
  else ctx.defer(slot, { view: elements, materialize });
}

// Operators that never merge or split axes: a view stays one at any size.
const KEEP_STRIDES: ReadonlySet<string> = new Set(['Squeeze', 'Unsqueeze', 'Identity', 'Dropout']);

const view: Lower = (ctx) => {
  const { lazy, buffer } = input(ctx, 0);
  const { type, dims } = ctx.outputs[0]!;
  const isView = lazy !== undefined && 'view' in lazy && buffer === undefined;
  if (isView && KEEP_STRIDES.has(ctx.node.op) && ctx.readers(0) < Number.POSITIVE_INFINITY) {
    const from = elementsOf(ctx, 0);
    const steps = from.strides.filter((_, axis) => from.dims[axis] !== 1);
    const strides = dims.map((dim) => (dim === 1 ? 0 : steps.shift()!));
    ctx.defer(0, {
      view: { ...from, type, dims, strides, source: {} },
      materialize: () => ctx.alias(0, 0),
    });
  } else if (ctx.wanted(0)) ctx.alias(0, 0);
  for (const slot of ctx.node.outputs.keys()) {
    // The mask of a Dropout, which drops nothing in inference.
    if (slot > 0 && ctx.wanted(slot)) pointwise(ctx, [], { expression: '1' }, target(ctx, slot));
  }
};

const transpose: LowerOf<'Transpose'> = (ctx) => {
  const from = elementsOf(ctx, 0);
  const strides = ctx.params.perm.map((axis) => from.strides[axis]!);
  // Strided reads are uncoalesced: fuse into one reader only.
  yieldElements(ctx, from, strides, from.start, 0, 1);
};

const expand: Lower = (ctx) => {
  const from = elementsOf(ctx, 0);
  const strides = broadcastStrides(from.dims, ctx.outputs[0]!.dims, from.strides);
  yieldElements(ctx, from, strides, from.start);
};

const tile: LowerOf<'Tile'> = (ctx) => {
  const { repeats } = ctx.params;
  const from = elementsOf(ctx, 0);
  // Each axis becomes two: the index of the copy, and the index within it.
  const dims = from.dims.flatMap((dim, axis) => [repeats[axis]!, dim]);
  const strides = from.strides.flatMap((stride) => [0, stride]);
  copy(ctx, dims, { ...from, strides }, { buffer: ctx.write(0), strides: stridesOf(dims) });
};

const slice: LowerOf<'Slice'> = (ctx) => {
  const { starts, steps } = ctx.params;
  const from = elementsOf(ctx, 0);
  const strides = from.strides.map((stride, axis) => stride * steps[axis]!);
  yieldElements(ctx, from, strides, from.start + offsetOf(starts, from.strides));
};

const split: LowerOf<'Split'> = (ctx) => {
  const { axis } = ctx.params;
  const from = elementsOf(ctx, 0);
  let { start } = from;
  ctx.outputs.forEach((out, slot) => {
    if (ctx.wanted(slot)) yieldElements(ctx, from, from.strides, start, slot);
    start += out.dims[axis]! * from.strides[axis]!;
  });
};

const concat: LowerOf<'Concat'> = (ctx) => {
  if (ctx.inputs.length === 1) return ctx.alias(0, 0);
  const { axis } = ctx.params;
  const strides = stridesOf(ctx.outputs[0]!.dims);
  const out = ctx.write(0);
  let start = 0;
  for (const slot of ctx.inputs.keys()) {
    const from = elementsOf(ctx, slot);
    copy(ctx, from.dims, from, { buffer: out, start, strides });
    start += from.dims[axis]! * strides[axis]!;
  }
};

const pad: LowerOf<'Pad'> = (ctx) => {
  const { mode, before } = ctx.params;
  const { type, dims } = input(ctx, 0);
  const value = ctx.inputs[2] ?? {
    type,
    dims: [1],
    host: { type, dims: [1], data: new Float64Array(1) },
  };
  const strides = stridesOf(dims);
  const uniforms: Record<string, number> = {};
  const rank = kernelRank(dims.length);
  for (let k = 0; k < rank; k++) {
    const axis = k - rank + dims.length; // the missing axes are in front
    uniforms[`out${k}`] = ctx.outputs[0]!.dims[axis] ?? 1;
    uniforms[`size${k}`] = dims[axis] ?? 1;
    uniforms[`before${k}`] = before[axis] ?? 0;
    uniforms[`s${k}`] = strides[axis] ?? 0;
  }
  const buffers = {
    data: ctx.read(0),
    ...(mode === 'constant' && { value: ctx.bufferOf({ name: '', constant: false, ...value }) }),
    out: ctx.write(0),
  };
  runItems(ctx, padKernel(rank, mode), sizeOf(ctx.outputs[0]!.dims), buffers, uniforms);
};

const trilu: LowerOf<'Trilu'> = (ctx) => {
  const { upper, k } = ctx.params;
  const [rows, columns] = ctx.outputs[0]!.dims.slice(-2) as [number, number];
  const side = upper ? '>=' : '<=';
  const place = 'i32(i % params.columns) - i32(i / params.columns % params.rows)';
  pointwise(
    ctx,
    [operand(ctx, 0)],
    {
      expression: `select(${scalarOf(ctx.outputs[0]!.type)}(0), a, ${place} ${side} params.k)`,
      uniforms: {
        rows: ['u32', rows],
        columns: ['u32', columns],
        k: ['i32', k],
      },
    },
    target(ctx),
  );
};

const oneHot: LowerOf<'OneHot'> = (ctx) => {
  const { axis } = ctx.params;
  const indices = operand(ctx, 0);
  const { dims } = ctx.outputs[0]!;
  const depth = dims[axis]!;
  const inner = sizeOf(indices.dims.slice(axis));
  const strides = stridesOf(indices.dims).toSpliced(axis, 0, 0);
  const values = { ...operand(ctx, 2), dims, strides: strides.map(() => 0) };
  const here = 'i32(i / params.inner % params.depth)';
  const wrapped = 'select(i32(a), i32(a) + i32(params.depth), i32(a) < 0)';
  pointwise(
    ctx,
    [{ ...indices, dims, strides }, values],
    {
      expression: `B[0][select(0, 1, ${here} == ${wrapped})]`,
      uniforms: { inner: ['u32', inner], depth: ['u32', depth] },
    },
    target(ctx),
  );
};

const reverseSequence: LowerOf<'ReverseSequence'> = (ctx) => {
  const { batchAxis, timeAxis } = ctx.params;
  const { dims } = input(ctx, 0);
  const strides = stridesOf(dims);
  runItems(
    ctx,
    reverseKernel,
    sizeOf(dims),
    { data: ctx.read(0), lengths: ctx.read(1), out: ctx.write(0) },
    {
      rows: dims[batchAxis]!,
      rowStep: strides[batchAxis]!,
      steps: dims[timeAxis]!,
      step: strides[timeAxis]!,
    },
  );
};

// Reached only where the output is too large to be computed on the host.
const constantOfShape: LowerOf<'ConstantOfShape'> = (ctx) => {
  const { type } = ctx.outputs[0]!;
  const [value] = deviceArray({ type, data: [ctx.params.value] }, ctx.path);
  const uniforms = { value: [scalarOf(type), value!] } as const;
  pointwise(ctx, [], { expression: 'params.value', uniforms }, target(ctx));
};

const range: LowerOf<'Range'> = (ctx) => {
  const { start, delta } = ctx.params;
  const type = scalarOf(ctx.outputs[0]!.type);
  const uniforms = { start: [type, start], delta: [type, delta] } as const;
  pointwise(
    ctx,
    [],
    { expression: `params.start + ${type}(i) * params.delta`, uniforms },
    target(ctx),
  );
};

/** Operators that move elements or only change a shape. */
export const movers = {
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
