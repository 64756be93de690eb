// Vectors of several rows that every lane needs. Each lane may load all of them; or the lanes of a subgroup
// load one each and hand it to the others, where a load costs more than that.

/** Rows of a block, and how they are loaded. */
export interface RowBlock {
  readonly rows: number;
  /**
   * Lanes of a subgroup, all of which are at work, that load a row each; 1 or left out where each lane loads
   * all rows by itself.
   */
  readonly sharing?: number;
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** WGSL of the loads of a block. */
export interface RowLoads {
  /** Parameters of `main` that it needs. */
  readonly parameters: string;
  /** Numbers of the loads that a lane makes itself. */
  readonly own: readonly number[];
  /** The row within the block that load number `j` is of. */
  rowOf(j: number): string;
  /** The vector of row `r`, where load number `j` is in `NAMEj`. */
  row(r: number, name: string): string;
}

/** How the lanes come by the rows of a block. */
export function rowLoads({ rows, sharing = 1 }: RowBlock): RowLoads {
  if (sharing === 1) {
    return {
      parameters: '',
      own: count(rows),
      rowOf: (j) => `${j}u`,
      row: (r, name) => `${name}${r}`,
    };
  }
  return {
    parameters: '@builtin(subgroup_invocation_id) sharer: u32, ',
    own: count(Math.ceil(rows / sharing)),
    rowOf: (j) => `min(${j * sharing}u + sharer, ${rows - 1}u)`,
    row: (r, name) => `subgroupBroadcast(${name}${Math.floor(r / sharing)}, ${r % sharing}u)`,
  };
}
