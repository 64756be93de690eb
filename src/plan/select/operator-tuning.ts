// Tuning parameters of the operator kernels, by kind of adapter, and the rules that read them.
// Those of `gpu` are reasoned, not measured.
import { ROW_LANES } from '../../../shaders/rows.ts';
import type { DeviceProfile } from './device-profile.ts';

/** How a matrix product is split among invocations. */
interface MatmulTile {
  /** Rows of the result per invocation (register blocking). */
  readonly rows: 1 | 4 | 8;
  /** Invocations that each sum a part of K for the same results (split-K). */
  readonly slices: number;
}

interface OperatorTuning {
  /** Tiles by the rows M of the result: the first whose `maxM` is M or more. */
  readonly matmul: readonly (MatmulTile & { readonly maxM: number })[];
  /** Maximum invocations per row of a reduction; a power of two, at most {@link ROW_LANES}. */
  readonly maxRowLanes: number;
  /**
   * Minimum invocations of a convolution (occupancy). An invocation computes four places of an output
   * row, so that a weight is loaded once for four sums, unless that leaves fewer invocations.
   */
  readonly minConvInvocations: number;
}

// A CPU has one core per workgroup: split-K adds barriers and no parallelism.
const CPU_MATMUL = [
  { maxM: 1, rows: 1, slices: 1 },
  { maxM: 4, rows: 4, slices: 1 },
  { maxM: Infinity, rows: 8, slices: 1 },
] as const;

const TUNING: Readonly<Record<DeviceProfile['adapter'], OperatorTuning>> = {
  gpu: {
    // A small M has few workgroups: split-K keeps the device busy, and few rows waste no registers.
    matmul: [
      { maxM: 1, rows: 1, slices: 8 },
      { maxM: 4, rows: 4, slices: 8 },
      { maxM: 64, rows: 8, slices: 4 },
      { maxM: Infinity, rows: 8, slices: 1 },
    ],
    maxRowLanes: ROW_LANES,
    minConvInvocations: 1 << 14,
  },
  // Both reduce in one SIMD vector of the CPU, which is their subgroup: 128 and 256 bits.
  // https://docs.mesa3d.org/envvars.html#envvar-LP_NATIVE_VECTOR_WIDTH
  swiftshader: { matmul: CPU_MATMUL, maxRowLanes: 4, minConvInvocations: 0 },
  llvmpipe: { matmul: CPU_MATMUL, maxRowLanes: 8, minConvInvocations: 0 },
};

/**
 * Maximum operators in one elementwise kernel; a longer chain becomes several. More would need more
 * registers than an invocation has, and compile slowly.
 */
export const MAX_FUSED_OPERATORS = 32;

// The reduction of a row, on all adapters. A row of up to MAX_SERIAL_ROW elements takes one
// invocation; a longer one takes an invocation for every MIN_ROW_ELEMENTS. MIN_SERIAL_ROWS rows
// keep a device busy with one invocation each.
const MAX_SERIAL_ROW = 8;
const MIN_ROW_ELEMENTS = 4;
const MIN_SERIAL_ROWS = 4096;

/** The tile for a product of M rows. No other size of a call selects a matmul kernel. */
export function matmulTile(m: number, { adapter }: DeviceProfile): MatmulTile {
  const { rows, slices } = TUNING[adapter].matmul.find(({ maxM }) => m <= maxM)!;
  return { rows, slices };
}

/** Rows of a reduction. */
interface RowShape {
  readonly rows: number;
  /** Elements of a row. */
  readonly size: number;
  /** Whether the elements of a row are neighbours in memory. */
  readonly isContiguous: boolean;
}

/**
 * Invocations per row of a reduction, a power of two. Many strided rows take one each: neighbouring
 * invocations then read neighbouring elements (coalesced).
 */
export function rowLanes(
  { rows, size, isContiguous }: RowShape,
  { adapter }: DeviceProfile,
): number {
  if (size <= MAX_SERIAL_ROW || (rows >= MIN_SERIAL_ROWS && !isContiguous)) return 1;
  const lanes = 2 ** Math.ceil(Math.log2(size / MIN_ROW_ELEMENTS));
  return Math.min(TUNING[adapter].maxRowLanes, lanes);
}

/**
 * Places along an output row that an invocation of a convolution computes.
 *
 * @param count invocations at one place each
 * @param width places of an output row
 */
export function convPlaces(count: number, width: number, { adapter }: DeviceProfile): 1 | 4 {
  return width >= 4 && count / 4 >= TUNING[adapter].minConvInvocations ? 4 : 1;
}
