// Matrix products: constant matrices are packed once, so that four columns are one read.
import {
  COLUMNS,
  FEW_ROWS,
  type MatmulOptions,
  TILE,
  columnMatmul,
  packColumns,
  tiledMatmul,
} from '../../../shaders/matmul.ts';
import { gridOf } from '../../../shaders/kernel.ts';
import { walkRank, walkValues } from '../../../shaders/walk.ts';
import { broadcastDims, broadcastStrides } from '../../ops/shapes.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering, PlanValue } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { collapse, input, numberOf, scalarOf, unsupported } from './strides.ts';

/** A product A [batch, M, K] · B [batch, K, N], either transposed in its last two axes. */
export interface Product {
  readonly a: BufferId;
  readonly b: PlanValue;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  /** A term that is added to each matrix, times `beta`. */
  readonly c?: {
    readonly buffer: BufferId;
    readonly strides: readonly number[];
    readonly beta: number;
  };
  /** Shape of the batch and the steps from matrix to matrix; one matrix when left out. */
  readonly batch?: {
    readonly dims: readonly number[];
    readonly a: readonly number[];
    readonly b: readonly number[];
  };
}

/** Dispatches a product into `out` [batch, M, N]. */
export function multiply(l: Lowering, product: Product, out: BufferId): void {
  const { a, b, m, n, k, transA = false, transB = false, alpha = 1, c, batch } = product;
  const type = scalarOf(b.type);
  const packed = type === 'f32' && b.constant && !batch;
  const options: MatmulOptions = {
    type,
    packed,
    transA,
    transB: transB && !packed,
    rank: batch ? walkRank(batch.dims.length) : 0,
    bias: c !== undefined,
  };
  if (type === 'i32' && (alpha !== 1 || (c?.beta ?? 1) !== 1)) {
    throw unsupported(l, 'integers with alpha or beta');
  }
  const width = Math.ceil(n / 4) * 4;
  const numbers = (): ArrayLike<number> => (b.tensor?.data ?? b.host!.data) as ArrayLike<number>;
  const buffers = {
    A: a,
    B: packed
      ? l.weight(`${b.name}#columns${transB ? 'T' : ''}`, k * width, () =>
          packColumns(numbers(), k, n, transB),
        )
      : l.bufferOf(b),
    ...(c && { C: c.buffer }),
    out,
  };
  const float = type === 'f32';
  const uniforms = {
    m,
    n,
    k,
    ...(float && { alpha }),
    ...(c && { cRow: c.strides[0]!, cCol: c.strides[1]!, ...(float && { beta: c.beta }) }),
  };
  const flops = 2 * m * n * k;
  if (m === 0 || n === 0) return;
  if (packed && m <= FEW_ROWS && !transA) {
    l.dispatch(columnMatmul(options), gridOf(n, COLUMNS), buffers, uniforms, flops);
    return;
  }
  const count = sizeOf(batch?.dims ?? []);
  const tiles = Math.ceil(m / TILE) * Math.ceil(n / TILE) * count;
  let steps: Record<string, number> = {};
  if (batch) {
    const simple = collapse(batch.dims, { aBatch: batch.a, bBatch: batch.b });
    steps = walkValues(options.rank, simple.dims, simple.strides);
  }
  if (tiles > 0)
    l.dispatch(
      tiledMatmul(options),
      gridOf(tiles, 1),
      buffers,
      { ...uniforms, ...steps },
      flops * count,
    );
}

const matMul: Lower = (l) => {
  const [left, b] = [input(l, 0), input(l, 1)];
  const a = left.dims.length === 1 ? [1, ...left.dims] : left.dims;
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [rows, k] = a.slice(-2) as [number, number];
  const n = right.at(-1)!;
  const [outerA, outerB] = [a.slice(0, -2), right.slice(0, -2)];
  const [buffer, out] = [l.read(0), l.write(0)];
  // One right matrix for all: the batch is more rows. Told by rank, not by size, so that a batch of
  // one takes the same kernel as any other.
  if (outerB.length === 0) {
    multiply(l, { a: buffer, b, m: sizeOf(outerA) * rows, n, k }, out);
    return;
  }
  const dims = broadcastDims([outerA, outerB], l.path);
  const scale = (outer: readonly number[], size: number): number[] =>
    broadcastStrides(outer, dims).map((stride) => stride * size);
  const batch = { dims, a: scale(outerA, rows * k), b: scale(outerB, k * n) };
  multiply(l, { a: buffer, b, m: rows, n, k, batch }, out);
};

const gemm: Lower = (l) => {
  const [a, b] = [input(l, 0), input(l, 1)];
  const [transA, transB] = [numberOf(l, 'transA', 0) !== 0, numberOf(l, 'transB', 0) !== 0];
  const [m, n] = l.outputs[0]!.dims as [number, number];
  const k = a.dims[transA ? 0 : 1]!;
  const [alpha, beta] = [numberOf(l, 'alpha', 1), numberOf(l, 'beta', 1)];
  const bias = l.inputs[2];
  const c = bias && { buffer: l.read(2), strides: broadcastStrides(bias.dims, [m, n]), beta };
  const product = { a: l.read(0), b, m, n, k, transA, transB, alpha, ...(c && { c }) };
  multiply(l, product, l.write(0));
};

/** Matrix products. */
export const products: Readonly<Record<string, Lower>> = { MatMul: matMul, Gemm: gemm };
