// How operator kernels are split among invocations, by sizes and tuning table.
import { ROW_INVOCATIONS } from '../../../shaders/row-reduce.ts';
import type { DeviceProfile } from './device-profile.ts';
import { tuningOf } from './tuning-tables.ts';

/** How a matrix product is split among invocations. */
interface MatmulTile {
  /** Rows of the result per invocation (register blocking). */
  readonly rows: 1 | 4 | 8;
  /** Invocations that each sum a part of K for the same results (split-K). */
  readonly slices: number;
}

// The reduction of a row, on all adapters. A row of up to MAX_SERIAL_ROW elements takes one
// invocation; a longer one takes an invocation for every MIN_ROW_ELEMENTS. MIN_SERIAL_ROWS rows
// keep a device busy with one invocation each.
const MAX_SERIAL_ROW = 8;
const MIN_ROW_ELEMENTS = 4;
const MIN_SERIAL_ROWS = 4096;

/** The tile for a product of M rows. No other size of a call selects a matmul kernel. */
export function matmulTile(m: number, device: DeviceProfile): MatmulTile {
  const tile = tuningOf(device).matmul.find(({ maxM }) => m <= maxM)!;
  return { rows: tile.rowsPerInvocation, slices: tile.splitK };
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
export function rowLanes({ rows, size, isContiguous }: RowShape, device: DeviceProfile): number {
  if (size <= MAX_SERIAL_ROW || (rows >= MIN_SERIAL_ROWS && !isContiguous)) return 1;
  const lanes = 2 ** Math.ceil(Math.log2(size / MIN_ROW_ELEMENTS));
  return Math.min(ROW_INVOCATIONS, tuningOf(device).maxRowInvocations, lanes);
}

/**
 * Places along an output row that an invocation of a convolution computes.
 *
 * @param count invocations at one place each
 * @param width places of an output row
 */
export function convPlaces(count: number, width: number, device: DeviceProfile): 1 | 4 {
  return width >= 4 && count / 4 >= tuningOf(device).minConvInvocations ? 4 : 1;
}
