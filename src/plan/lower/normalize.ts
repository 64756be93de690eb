// Normalisation over the elements of a row: layer, group and instance.
import { literal } from '../../../shaders/wgsl.ts';
import { broadcastStrides, stridesOf } from '../../ops/indexing.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { copy } from './move.ts';
import { FOLDS, fold } from './reduce.ts';
import { input, type LowerOf } from './operator.ts';

const folds = [
  FOLDS.sum('total', 'x'),
  FOLDS.sum('squares', '(x - total / f32(params.size)) * (x - total / f32(params.size))'),
];
const MEAN = 'total / f32(params.size)';

/** WGSL of 1 / √(variance + ε). */
const inverseDeviation = ({ params }: Lowering<{ readonly epsilon: number }>): string =>
  `1.0 / sqrt(squares / f32(params.size) + ${literal(params.epsilon)})`;

/** Index of the parameters of an element: (row mod `cycle`) · `each` + index in the row / `run`. */
interface Parameters {
  readonly cycle: number;
  readonly each: number;
  readonly run: number;
}

/** Dispatches scale · (x - mean) / √(variance + ε) + bias of each row into output 0. */
function normalize(
  ctx: Lowering<{ readonly epsilon: number }>,
  axes: readonly number[],
  dims: readonly number[],
  [scale, bias]: readonly BufferId[],
  at: Parameters,
): void {
  const parameter = '[index % params.cycle * params.each + r / params.run]';
  const shift = bias === undefined ? '' : ` + bias${parameter}`;
  const work = {
    folds,
    each: true,
    result: `(x - ${MEAN}) * (${inverseDeviation(ctx)}) * scale${parameter}${shift}`,
    buffers: { scale: scale!, ...(bias !== undefined && { bias }) },
    uniforms: { ...at },
  };
  fold(ctx, axes, work, 0, dims);
}

const layerNormalization: LowerOf<'LayerNormalization'> = (ctx) => {
  const { axis } = ctx.params;
  const { dims } = input(ctx, 0);
  const axes = [...dims.keys()].slice(axis);
  const inner = dims.slice(axis);
  const size = sizeOf(inner);
  // Parameters of the shape of a row are read as they are, others are broadcast to the input first.
  const slots = [1, 2].filter((slot) => ctx.inputs[slot]);
  const isRow = slots.every((slot) => input(ctx, slot).dims.join() === inner.join());
  const parameter = (slot: number): BufferId => {
    if (isRow) return ctx.read(slot);
    const full = ctx.scratch(sizeOf(dims), 'broadcast');
    const strides = broadcastStrides(input(ctx, slot).dims, dims);
    copy(
      ctx,
      dims,
      { buffer: ctx.read(slot), strides },
      { buffer: full, strides: stridesOf(dims) },
    );
    return full;
  };
  if (ctx.wanted(0)) {
    const rows = Math.max(sizeOf(dims.slice(0, axis)), 1);
    const at = isRow ? { cycle: 1, each: 0, run: 1 } : { cycle: rows, each: size, run: 1 };
    normalize(ctx, axes, dims, slots.map(parameter), at);
  }
  if (ctx.wanted(1)) fold(ctx, axes, { folds: folds.slice(0, 1), result: MEAN }, 1);
  if (ctx.wanted(2)) fold(ctx, axes, { folds, result: inverseDeviation(ctx) }, 2);
};

const instanceNormalization: LowerOf<'InstanceNormalization'> = (ctx) => {
  const { dims } = input(ctx, 0);
  const axes = [...dims.keys()].slice(2);
  const run = Math.max(sizeOf(dims.slice(2)), 1);
  normalize(ctx, axes, dims, [ctx.read(1), ctx.read(2)], { cycle: dims[1]!, each: 1, run });
};

const groupNormalization: LowerOf<'GroupNormalization'> = (ctx) => {
  const { groups } = ctx.params;
  const { dims } = input(ctx, 0);
  const each = dims[1]! / groups;
  // A row is a whole group of channels: the input is read as [batch, groups, channels / groups · area].
  const area = sizeOf(dims.slice(2));
  const grouped = [dims[0]!, groups, each * area];
  const at = { cycle: groups, each, run: Math.max(area, 1) };
  normalize(ctx, [2], grouped, [ctx.read(1), ctx.read(2)], at);
};

/** Normalisations. */
export const normalizations = {
  LayerNormalization: layerNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
};
