// Matrix products.
import {
  MATMUL_COLUMNS,
  type MatmulOptions,
  matmulKernel,
  matmulRows,
} from '../../../shaders/matmul.ts';
import { gridOf } from '../../../shaders/kernel.ts';
import { kernelRank, offsetValues } from '../../../shaders/strided-offset.ts';
import { unsupported } from '../../ops/define.ts';
import { broadcastDims, broadcastStrides } from '../../ops/indexing.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { PlanValue } from '../values.ts';
import type { BufferId } from '../types.ts';
import { matmulTile } from '../select/operator-tiles.ts';
import { input, scalarOf, type LowerOf } from './operator.ts';
import { collapse } from './collapse-axes.ts';

/** A product A [batch, M, K] · B [batch, K, N], either transposed in its last two axes. */
interface Product {
  readonly a: BufferId;
  readonly b: PlanValue;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  /** A matrix, by strides, that is added to each result, times `beta`. */
  readonly c?: {
    readonly buffer: BufferId;
    readonly strides: readonly number[];
    readonly beta: number;
  };
  /** Shape of the batch and strides from matrix to matrix, in elements; one matrix when left out. */
  readonly batch?: {
    readonly dims: readonly number[];
    readonly a: readonly number[];
    readonly b: readonly number[];
  };
}

/** The numbers of a constant [N, K] as [K, N]. */
function transposed(value: PlanValue, k: number, n: number): Float32Array {
  const data = (value.tensor?.data ?? value.host!.data) as ArrayLike<number>;
  const result = new Float32Array(k * n);
  for (let col = 0; col < n; col++) {
    for (let row = 0; row < k; row++) result[row * n + col] = data[col * k + row]!;
  }
  return result;
}

/** Dispatches a product into `out` [batch, M, N]. */
function multiply(ctx: Lowering, product: Product, out: BufferId): void {
  const { a, b, m, n, k, transA = false, transB = false, alpha = 1, c, batch } = product;
  const type = scalarOf(b.type);
  const float = type === 'f32';
  if (!float && (alpha !== 1 || (c?.beta ?? 1) !== 1)) {
    const what = 'alpha or beta of a product of integers';
    throw unsupported(ctx.path, what, `${alpha} and ${c?.beta ?? 1}`, '1');
  }
  // Adjacent columns should be adjacent in memory: constants are transposed on upload.
  const isTransposedOnUpload = transB && b.constant && float;
  const options: MatmulOptions = {
    ...matmulTile(m, ctx.device),
    type,
    vector: float && b.constant && !transA && k % 4 === 0, // K of a constant is the same in all plans
    transA,
    transB: transB && !isTransposedOnUpload,
    rank: batch ? kernelRank(batch.dims.length) : 0,
    bias: c !== undefined,
  };
  const count = sizeOf(batch?.dims ?? []);
  const blocks = Math.ceil(m / matmulRows(options)) * Math.ceil(n / MATMUL_COLUMNS) * count;
  if (blocks === 0) return;
  let steps: Record<string, number> = {};
  if (batch) {
    const simple = collapse(batch.dims, { aBatch: batch.a, bBatch: batch.b });
    steps = offsetValues(options.rank, simple.dims, simple.strides);
  }
  const buffers = {
    A: a,
    B: isTransposedOnUpload
      ? ctx.weight(`${b.name}#T`, k * n, () => transposed(b, k, n))
      : ctx.bufferOf(b),
    ...(c && { C: c.buffer }),
    out,
  };
  const uniforms = {
    m,
    n,
    k,
    ...(float && { alpha }),
    ...(c && { cRow: c.strides[0]!, cCol: c.strides[1]!, ...(float && { beta: c.beta }) }),
    ...steps,
  };
  ctx.dispatch(matmulKernel(options), gridOf(blocks, 1), buffers, uniforms, 2 * m * n * k * count);
}

const matMul: Lower = (ctx) => {
  const [left, b] = [input(ctx, 0), input(ctx, 1)];
  const a = left.dims.length === 1 ? [1, ...left.dims] : left.dims;
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [rows, k] = a.slice(-2) as [number, number];
  const n = right.at(-1)!;
  const [outerA, outerB] = [a.slice(0, -2), right.slice(0, -2)];
  const [buffer, out] = [ctx.read(0), ctx.write(0)];
  // One right matrix for all: the batch becomes rows. The rank decides, not the size, so that a batch
  // of one takes the same kernel as any other.
  if (outerB.length === 0) {
    multiply(ctx, { a: buffer, b, m: sizeOf(outerA) * rows, n, k }, out);
    return;
  }
  const dims = broadcastDims([outerA, outerB], ctx.path);
  const scale = (outer: readonly number[], size: number): number[] =>
    broadcastStrides(outer, dims).map((stride) => stride * size);
  const batch = { dims, a: scale(outerA, rows * k), b: scale(outerB, k * n) };
  multiply(ctx, { a: buffer, b, m: rows, n, k, batch }, out);
};

const gemm: LowerOf<'Gemm'> = (ctx) => {
  const { transA, transB, alpha, beta } = ctx.params;
  const [a, b] = [input(ctx, 0), input(ctx, 1)];
  const [m, n] = ctx.outputs[0]!.dims as [number, number];
  const k = a.dims[transA ? 0 : 1]!;
  const bias = ctx.inputs[2];
  const c = bias && { buffer: ctx.read(2), strides: broadcastStrides(bias.dims, [m, n]), beta };
  const product = { a: ctx.read(0), b, m, n, k, transA, transB, alpha, ...(c && { c }) };
  multiply(ctx, product, ctx.write(0));
};

/** Matrix products. */
export const products = { MatMul: matMul, Gemm: gemm };
