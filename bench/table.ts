// Tables on the terminal whose lines are printed one by one, before the later ones are known.

/** A column: its title and its width in characters. Negative widths align at the left. */
export type Column = readonly [title: string, width: number];

/** A table: its titles, and its lines made of cells. */
export interface Table {
  readonly head: string;
  /** Cells in the order of the columns; `undefined` is empty. */
  line(...cells: readonly (string | undefined)[]): string;
}

/** A table of columns, separated by one space. A cell that is too wide moves the rest of its line. */
export function tableOf(columns: readonly Column[]): Table {
  const line = (...cells: readonly (string | undefined)[]): string =>
    columns
      .map(([, width], i) =>
        width < 0 ? (cells[i] ?? '').padEnd(-width) : (cells[i] ?? '').padStart(width),
      )
      .join(' ')
      .trimEnd();
  return { head: line(...columns.map(([title]) => title)), line };
}

/** A number in three digits, `n/a` where there is none. */
export const three = (value: number | undefined): string =>
  value === undefined ? 'n/a' : value >= 1000 ? value.toFixed(0) : value.toPrecision(3);

/** A ratio as `1.02x`. */
export const ratioText = (ratio: number): string => `${ratio.toFixed(2)}x`;
