// How the vectors of a block of batch rows are loaded: each invocation loads all of them, or the invocations of a
// subgroup load one row each and broadcast it, where a load costs more than a broadcast.
import type { Part } from '../part.ts';

/** Batch rows of a block, and how they are loaded. */
export interface RowBlock {
  /** Batch rows of an invocation. */
  readonly rows: number;
  /**
   * Invocations of a subgroup, all of them active, that load one row each and broadcast it; 1 or left
   * out where each invocation loads all rows by itself.
   */
  readonly sharers?: number;
}

/** ROWS, LOADS and SHARERS of a block. */
export function rowBlockPart({ rows, sharers = 1 }: RowBlock): Part {
  const shared = sharers > 1;
  return {
    flags: { SHARED_LOADS: shared },
    constants: {
      ROWS: rows,
      LOADS: Math.ceil(rows / sharers),
      ...(shared && { SHARERS: sharers }),
    },
    enables: shared ? ['subgroups'] : [],
  };
}
