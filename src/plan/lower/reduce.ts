// Operators that fold axes away or look along one: reductions, softmax, ArgMax, CumSum, TopK.
import { gridOf } from '../../../shaders/kernel.ts';
import {
  ROW_INVOCATIONS,
  type RowReduction,
  rowReduceKernel,
} from '../../../shaders/row-reduce.ts';
import { scanKernel } from '../../../shaders/scan.ts';
import { kernelRank, offsetValues } from '../../../shaders/strided-offset.ts';
import { topKKernel } from '../../../shaders/top-k.ts';
import { splitDims, stridesOf } from '../../ops/indexing.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { rowLanes } from '../select/operator-tiles.ts';
import { input, mapValues, runItems, scalarOf, type LowerOf } from './operator.ts';
import { collapse } from './collapse-axes.ts';

// ±∞, the identities of max and min. WGSL rejects constant expressions that are infinite, so OR in
// size >> 31, which is always 0 and not a constant: https://www.w3.org/TR/WGSL/#floating-point-evaluation
const bitsAtRun = (bits: string): string => `bitcast<f32>(${bits} | (params.size >> 31u))`;
const LOWEST = { f32: bitsAtRun('0xff800000u'), i32: '-2147483647 - 1' };
const HIGHEST = { f32: bitsAtRun('0x7f800000u'), i32: '2147483647' };

/** Folds by the name that the result, or a later fold, reads them by. */
export const FOLDS = {
  sum: (name: string, map: string, type: 'f32' | 'i32' = 'f32'): RowReduction => ({
    name,
    type,
    map,
    initial: '0',
    combine: 'p + q',
  }),
  max: (name: string, map = 'x', type: 'f32' | 'i32' = 'f32'): RowReduction => ({
    name,
    type,
    map,
    initial: LOWEST[type],
    combine: type === 'f32' ? 'maxNan(p, q)' : 'max(p, q)',
  }),
  min: (name: string, map = 'x', type: 'f32' | 'i32' = 'f32'): RowReduction => ({
    name,
    type,
    map,
    initial: HIGHEST[type],
    combine: type === 'f32' ? 'minNan(p, q)' : 'min(p, q)',
  }),
};

/** The work on each row: folds in order, then one result per row, or with `each` per element. */
interface RowWork {
  readonly folds: readonly RowReduction[];
  readonly result: string;
  readonly each?: boolean;
  /** Buffers and uniforms that the result reads, f32 and u32. */
  readonly buffers?: Readonly<Record<string, BufferId>>;
  readonly uniforms?: Readonly<Record<string, number>>;
}

/** Dispatches a fold of input 0, read as `dims`, over `axes` into output `slot`. */
export function fold(
  ctx: Lowering,
  axes: readonly number[],
  work: RowWork,
  slot = 0,
  dims = input(ctx, 0).dims,
): void {
  const { type } = input(ctx, 0);
  const strides = stridesOf(dims);
  const rank = kernelRank(dims.length);
  const pick = (keep: boolean) => {
    const kept = [...dims.keys()].filter((axis) => axes.includes(axis) === keep);
    return [kept.map((axis) => dims[axis]!), kept.map((axis) => strides[axis]!)] as const;
  };
  const [[outer, row], [inner, col]] = [pick(false), pick(true)];
  const rows = collapse(outer, { row });
  const cols = collapse(inner, { col });
  const [count, size] = [sizeOf(outer), sizeOf(inner)];
  // Adjacent axes merge into one at every shape.
  const sorted = axes.toSorted((p, q) => p - q);
  const colRank = sorted.every((axis, n) => axis === sorted[0]! + n) ? 1 : rank;
  const columns =
    colRank === 1
      ? { col0: cols.strides.col[0] ?? 0 }
      : offsetValues(rank, cols.dims, { col: cols.strides.col }, 'c');
  const kernel = rowReduceKernel({
    name: ctx.node.op.toLowerCase(),
    input: scalarOf(type),
    output: scalarOf(ctx.outputs[slot]!.type),
    rank,
    colRank,
    reductions: work.folds,
    perElement: work.each ?? false,
    result: work.result,
    extraBindings: Object.fromEntries(
      Object.keys(work.buffers ?? {}).map((key) => [key, 'read f32']),
    ),
    extraUniforms: Object.fromEntries(Object.keys(work.uniforms ?? {}).map((key) => [key, 'u32'])),
  });
  const out = ctx.write(slot);
  const isContiguous = cols.strides.col.at(-1) === 1;
  const lanes = rowLanes({ rows: count, size, isContiguous }, ctx.device);
  if (count === 0) return;
  ctx.dispatch(
    kernel,
    gridOf(count, ROW_INVOCATIONS / lanes),
    { data: ctx.read(0), ...work.buffers, out },
    {
      rows: count,
      size,
      lanes,
      ...offsetValues(rank, rows.dims, { row: rows.strides.row }, 'r'),
      ...columns,
      ...work.uniforms,
    },
    count * size * (work.folds.length + 1),
  );
}

type Scalar = 'f32' | 'i32';
type Reduction = (type: Scalar) => {
  readonly folds: readonly RowReduction[];
  readonly result: string;
};

/**
 * The maximum of a row, which is subtracted before exp so that it cannot overflow. NaN need not survive
 * here: the sum of exponentials has it.
 */
const ROW_MAX: RowReduction = { ...FOLDS.max('rowMax'), combine: 'max(p, q)' };

/** The same with a finite identity, because ∞ - ∞ is NaN. */
const FINITE_ROW_MAX: RowReduction = { ...ROW_MAX, initial: '-3.4028234e38' };

/**
 * WGSL of exp(x - rowMax). Clamped, because x may be -∞, for which WGSL allows any result; exp(-87)
 * is just above the smallest normal f32.
 */
const expBelowMax = (x: string): string => `orNan(exp(max(${x} - rowMax, -87.0)), ${x} - rowMax)`;

const one = (folded: RowReduction, result = 'm') => ({ folds: [folded], result });
const { sum, max, min } = FOLDS;

const REDUCTIONS = {
  ReduceSum: (type) => one(sum('m', 'x', type)),
  ReduceMean: (type) => one(sum('m', 'x', type), `m / ${type}(params.size)`),
  ReduceMax: (type) => one(max('m', 'x', type)),
  ReduceMin: (type) => one(min('m', 'x', type)),
  ReduceProd: (type) => one({ name: 'm', type, map: 'x', initial: '1', combine: 'p * q' }),
  ReduceL1: (type) => one(sum('m', 'abs(x)', type)),
  ReduceSumSquare: (type) => one(sum('m', 'x * x', type)),
  ReduceL2: (type) => one(sum('m', 'f32(x) * f32(x)'), `${type}(sqrt(m))`),
  ReduceLogSum: (type) => one(sum('m', 'f32(x)'), `${type}(orNan(log(m), m))`),
  ReduceLogSumExp: (type) => ({
    folds: [
      { ...FINITE_ROW_MAX, map: 'f32(x)' },
      max('bound', 'f32(x)'),
      sum('m', expBelowMax('f32(x)')),
    ],
    // An empty row, and one of infinities only, gives its maximum.
    result: `${type}(select(rowMax + orNan(log(m), m), bound, (bitcast<u32>(bound) & 0x7fffffffu) == 0x7f800000u))`,
  }),
} satisfies Record<string, Reduction>;

const reduction =
  (choose: Reduction): LowerOf<keyof typeof REDUCTIONS> =>
  (ctx) =>
    fold(ctx, ctx.params.axes, choose(scalarOf(input(ctx, 0).type)));

const spatial =
  (choose: Reduction): Lower =>
  (ctx) => {
    const { type, dims } = input(ctx, 0);
    fold(ctx, [...dims.keys()].slice(2), choose(scalarOf(type)));
  };

const softmax =
  (result: string): LowerOf<'Softmax' | 'LogSoftmax'> =>
  (ctx) => {
    const folds = [ROW_MAX, sum('total', expBelowMax('x'))];
    fold(ctx, [ctx.params.axis], { folds, each: true, result });
  };

const argument =
  (largest: boolean): LowerOf<'ArgMax' | 'ArgMin'> =>
  (ctx) => {
    const { axis, selectLast } = ctx.params;
    const { type } = input(ctx, 0);
    const scalar = scalarOf(type);
    const best = (largest ? max : min)('best', 'x', scalar);
    // NaN equals nothing, and is the best where there is one.
    const isBest = scalar === 'f32' ? 'x == best || isNan(x)' : 'x == best';
    const place = selectLast
      ? max('place', `select(0, i32(r), ${isBest})`, 'i32')
      : min('place', `select(${HIGHEST.i32}, i32(r), ${isBest})`, 'i32');
    fold(ctx, [axis], { folds: [best, place], result: 'place' });
  };

const cumSum: LowerOf<'CumSum'> = (ctx) => {
  const { axis, exclusive, reverse } = ctx.params;
  const { type, dims } = input(ctx, 0);
  const [outer, n, inner] = splitDims(dims, axis);
  const buffers = { data: ctx.read(0), out: ctx.write(0) };
  runItems(ctx, scanKernel(scalarOf(type), exclusive, reverse), outer * inner, buffers, {
    n,
    inner,
  });
};

const topK: LowerOf<'TopK'> = (ctx) => {
  const { axis, k, largest } = ctx.params;
  const { type, dims } = input(ctx, 0);
  const [outer, size, inner] = splitDims(dims, axis);
  const count = outer * inner;
  const places = ctx.outputs.length > 1 ? ctx.write(1) : ctx.scratch(count * k, 'places');
  const buffers = { data: ctx.read(0), values: ctx.write(0), places };
  if (count === 0 || k === 0) return;
  const kernel = topKKernel(scalarOf(type), largest);
  ctx.dispatch(
    kernel,
    gridOf(count, 1),
    buffers,
    { rows: count, k, size, inner },
    count * size * k,
  );
};

/** Operators that fold or look along axes. */
export const reducers = {
  ...mapValues(REDUCTIONS, reduction),
  GlobalAveragePool: spatial(REDUCTIONS.ReduceMean),
  GlobalMaxPool: spatial(REDUCTIONS.ReduceMax),
  Softmax: softmax(`${expBelowMax('x')} / total`),
  LogSoftmax: softmax('x - rowMax - orNan(log(total), total)'),
  ArgMax: argument(true),
  ArgMin: argument(false),
  CumSum: cumSum,
  TopK: topK,
};
