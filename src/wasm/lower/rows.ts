// Operators that fold axes away or look along one: reductions, softmax, normalisation.
import { splitDims, stridesOf } from '../../ops/indexing.ts';
import * as id from '../assembly/ids.ts';
import { float, isFloat, sizeOf } from '../lowering.ts';
import type { AnyLower, Lower, Lowering, LowerOf } from '../lowering.ts';
import type { Place } from '../program.ts';

type Any = Lowering<never>;

/** Input 0 with some axes last, and how to put such an array back in order. */
function axesLast(ctx: Any, axes: readonly number[]) {
  const { dims } = ctx.input(0);
  const all = [...dims.keys()];
  const order = [...all.filter((axis) => !axes.includes(axis)), ...axes.toSorted((p, q) => p - q)];
  const strides = stridesOf(dims);
  const turned = order.map((axis) => dims[axis]!);
  const size = sizeOf(axes.map((axis) => dims[axis]!));
  const rows = sizeOf(turned.slice(0, dims.length - axes.length));
  const back = order.map((axis) => strides[axis]!);
  // Axes of size 1 may stand anywhere.
  const moves = order
    .filter((axis) => dims[axis] !== 1)
    .some((axis, k, list) => axis < (list[k - 1] ?? 0));
  const dense = stridesOf(turned);
  let place = ctx.read(0);
  if (moves) {
    const from = { place, strides: back };
    place = ctx.scratch(sizeOf(dims), 'axes last');
    ctx.copy(turned, from, { place, strides: dense });
  }
  /** The room for a result of the shape of `place`, and the copy into its order. */
  const result = (out: Place): { place: Place; put: () => void } => {
    if (!moves) return { place: out, put: () => undefined };
    const made = ctx.scratch(sizeOf(dims), 'result');
    const to = { place: out, strides: back };
    return { place: made, put: () => ctx.copy(turned, { place: made, strides: dense }, to) };
  };
  return { place, rows, size, result };
}

const softmax =
  (isLog: boolean): LowerOf<'Softmax' | 'LogSoftmax'> =>
  (ctx) => {
    const { place, rows, size, result } = axesLast(ctx as Any, [ctx.params.axis]);
    const out = result(ctx.write());
    if (rows * size === 0) return true;
    ctx.emit(id.SOFTMAX, place, out.place, rows, size, Number(isLog));
    out.put();
    return true;
  };

function fold(ctx: Any, kind: number, axes: readonly number[]): boolean {
  if (!isFloat(ctx.input(0).type)) return false;
  const { place, rows, size } = axesLast(ctx, axes);
  ctx.emit(id.REDUCE, kind, place, ctx.write(), rows, size);
  return true;
}

const reduction =
  (kind: number): LowerOf<'ReduceSum'> =>
  (ctx) =>
    fold(ctx as Any, kind, ctx.params.axes);

const spatial =
  (kind: number): Lower =>
  (ctx) =>
    fold(ctx as Any, kind, [...ctx.input(0).dims.keys()].slice(2));

/** Adds what scales and shifts: out = x · scale + bias, broadcast to `dims`. */
function affine(
  ctx: Any,
  dims: readonly number[],
  x: Place,
  scale: readonly number[],
  bias: readonly number[] | undefined,
  out: Place,
  slots: readonly [number, number] = [1, 2],
): void {
  const scaled = bias ? ctx.scratch(sizeOf(dims), 'scaled') : out;
  const operand = (place: Place, shape: readonly number[]) => ({ place, dims: shape });
  ctx.pointwise(id.MUL, dims, [operand(x, dims), operand(ctx.read(slots[0]), scale)], scaled);
  if (bias) {
    ctx.pointwise(id.ADD, dims, [operand(scaled, dims), operand(ctx.read(slots[1]), bias)], out);
  }
}

const layerNormalization: LowerOf<'LayerNormalization'> = (ctx) => {
  const { axis, epsilon } = ctx.params;
  const { dims } = ctx.input(0);
  const [rows, size] = [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))];
  const optional = (slot: number): Place | 0 => (ctx.wanted(slot) ? ctx.write(slot) : 0);
  const [means, inverses] = [optional(1), optional(2)];
  const normal = ctx.wanted(0) ? ctx.scratch(rows * size, 'normal') : 0;
  if (rows * size > 0) {
    ctx.emit(id.NORMALIZE, ctx.read(0), normal, rows, size, float(epsilon), means, inverses);
  }
  if (normal !== 0) {
    const [scale, bias] = [ctx.input(1).dims, ctx.inputs[2]?.dims];
    affine(ctx as Any, dims, normal, scale, bias, ctx.write());
  }
  return true;
};

/** Normalisation of groups of channels, [batch, groups, rest]. */
function groups(ctx: Any, count: number, epsilon: number): boolean {
  const { dims } = ctx.input(0);
  const channels = dims[1]!;
  const [rows, size] = [dims[0]! * count, (channels / count) * sizeOf(dims.slice(2))];
  const normal = ctx.scratch(rows * size, 'normal');
  if (rows * size > 0) {
    ctx.emit(id.NORMALIZE, ctx.read(0), normal, rows, size, float(epsilon), 0, 0);
  }
  const shape = [channels, ...dims.slice(2).map(() => 1)];
  affine(ctx, dims, normal, shape, shape, ctx.write());
  return true;
}

const batchNormalization: LowerOf<'BatchNormalization'> = (ctx) => {
  const { dims } = ctx.input(0);
  const shape = [dims[1]!, ...dims.slice(2).map(() => 1)];
  const [scale, variance] = [ctx.input(1), ctx.input(4)];
  if (scale.host === undefined || variance.host === undefined) return false;
  const [factors, spreads] = [scale.host.data, variance.host.data];
  const slope = ctx.constant(dims[1]!, 'slopes', () =>
    Float32Array.from(factors, (x, c) => x / Math.sqrt(spreads[c]! + ctx.params.epsilon)),
  );
  const [centred, scaled] = [ctx.scratch(sizeOf(dims)), ctx.scratch(sizeOf(dims))];
  const of = (place: Place, sizes: readonly number[]) => ({ place, dims: sizes });
  ctx.pointwise(id.SUB, dims, [of(ctx.read(0), dims), of(ctx.read(3), shape)], centred);
  ctx.pointwise(id.MUL, dims, [of(centred, dims), of(slope, shape)], scaled);
  ctx.pointwise(id.ADD, dims, [of(scaled, dims), of(ctx.read(2), shape)], ctx.write());
  return true;
};

const argument =
  (largest: boolean): LowerOf<'ArgMax'> =>
  (ctx) => {
    if (!isFloat(ctx.input(0).type)) return false;
    const [outer, size, inner] = splitDims(ctx.input(0).dims, ctx.params.axis);
    const { selectLast } = ctx.params;
    const sizes = [outer, size, inner, Number(largest), Number(selectLast)];
    ctx.emit(id.ARGUMENT, ctx.read(0), ctx.write(), ...sizes);
    return true;
  };

const cumSum: LowerOf<'CumSum'> = (ctx) => {
  if (!isFloat(ctx.input(0).type)) return false;
  const { axis, exclusive, reverse } = ctx.params;
  const sizes = splitDims(ctx.input(0).dims, axis);
  ctx.emit(id.CUMSUM, ctx.read(0), ctx.write(), ...sizes, Number(exclusive), Number(reverse));
  return true;
};

/** Operators on rows. */
export const rows: Readonly<Record<string, AnyLower>> = {
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  ReduceSum: reduction(id.SUM),
  ReduceMean: reduction(id.MEAN),
  ReduceMax: reduction(id.MAXIMUM),
  ReduceMin: reduction(id.MINIMUM),
  ReduceProd: reduction(id.PRODUCT),
  ReduceL1: reduction(id.L1),
  ReduceL2: reduction(id.L2),
  ReduceLogSum: reduction(id.LOG_SUM),
  ReduceLogSumExp: reduction(id.LOG_SUM_EXP),
  ReduceSumSquare: reduction(id.SUM_SQUARE),
  GlobalAveragePool: spatial(id.MEAN),
  GlobalMaxPool: spatial(id.MAXIMUM),
  LayerNormalization: layerNormalization,
  InstanceNormalization: ((ctx) =>
    groups(
      ctx as Any,
      ctx.input(0).dims[1]!,
      ctx.params.epsilon,
    )) as LowerOf<'InstanceNormalization'>,
  GroupNormalization: ((ctx) =>
    groups(ctx as Any, ctx.params.groups, ctx.params.epsilon)) as LowerOf<'GroupNormalization'>,
  BatchNormalization: batchNormalization,
  ArgMax: argument(true),
  ArgMin: argument(false),
  CumSum: cumSum,
};
