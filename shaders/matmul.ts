// The kernel of matmul.wgsl: its buffers and its tile.
import { type Kernel, MAX_TRIP_COUNT } from './kernel.ts';
import text from './matmul.wgsl?raw';
import { kernelOf } from './part.ts';
import { offsetUniforms, stridedOffsets } from './strided-offset.ts';

/** What a matrix product bakes in. */
export interface MatmulOptions {
  readonly type: 'f32' | 'i32';
  /** Rows of results of an invocation (register blocking); it has four columns. */
  readonly rows: number;
  /**
   * Split-K: invocations that share the sums of a block, each with a part of K. Where there are few
   * results, they are what keeps a GPU busy.
   */
  readonly slices: number;
  /** K is a multiple of 4 at every shape, so that A can be read in vectors. */
  readonly vector: boolean;
  /** A is [K, M]; B is [N, K]. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** Maximum axes of the batch; 0 for one matrix. */
  readonly rank: number;
  /** A term C is added, with strides `cRow` and `cCol`. */
  readonly bias: boolean;
}

const COLUMNS = 4; // of an invocation, with a stride of LANES
const LANES = 16; // neighbouring columns of a workgroup

/** Columns of results of a workgroup. */
export const MATMUL_COLUMNS = COLUMNS * LANES;

/** Groups of rows of a workgroup: as many as make it 64 invocations. */
const groupsOf = ({ slices, rows }: MatmulOptions): number => (slices > 1 || rows === 1 ? 1 : 4);

/** Rows of results of a workgroup. */
export const matmulRows = (options: MatmulOptions): number => options.rows * groupsOf(options);

/**
 * A [batch, M, K], B [batch, K, N], C [M, N] by strides, out [batch, M, N] = alpha · A · B + beta · C.
 * One workgroup for each block of {@link matmulRows} × {@link MATMUL_COLUMNS} results.
 */
export function matmulKernel(options: MatmulOptions): Kernel {
  const { type, rows, slices, vector, transA, transB, rank, bias } = options;
  const float = type === 'f32';
  const batched = rank > 0;
  return kernelOf('matmul', text, [
    {
      bindings: {
        A: vector ? 'read vec4f' : `read ${type}`,
        B: `read ${type}`,
        C: bias && `read ${type}`,
        out: `write ${type}`,
      },
      uniforms: {
        m: 'u32',
        n: 'u32',
        k: 'u32',
        alpha: float && 'f32',
        ...(bias && { cRow: 'u32', cCol: 'u32' }),
        beta: bias && float && 'f32',
        ...(batched && offsetUniforms(rank, ['aBatch', 'bBatch'])),
      },
      constants: {
        ROWS: rows,
        COLUMNS,
        LANES,
        SLICES: slices,
        ROW_GROUPS: groupsOf(options),
        TILE_ROWS: matmulRows(options),
        TILE_COLUMNS: MATMUL_COLUMNS,
        A_WIDTH: vector ? 4 : 1,
        MAX_TRIP_COUNT,
      },
      flags: { SPLIT_K: slices > 1, FLOAT: float, BIAS: bias, BATCHED: batched, VECTOR: vector },
      names: {
        Scalar: type,
        BETA: float ? 'params.beta' : '1',
        A_ROW_STRIDE: transA ? '1u' : 'params.k',
        A_K_STRIDE: transA ? 'params.m' : '1u',
        B_COLUMN_STRIDE: transB ? 'params.k' : '1u',
        B_K_STRIDE: transB ? '1u' : 'params.n',
        BATCH_OFFSETS: batched ? stridedOffsets('batch', rank, ['aBatch', 'bBatch']) : '',
      },
    },
  ]);
}
