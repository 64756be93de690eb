// Columns of text that stand under one another.

/** Rows of cells, the first the header; columns in `right` are aligned at their right. */
export function table(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): readonly string[] {
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, k) => Math.max(all[k] ?? 0, cell.length)),
    [],
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, k) => (right.includes(k) ? cell.padStart(widths[k]!) : cell.padEnd(widths[k]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  const [head = [], ...rest] = rows;
  return [line(head), rule, ...rest.map(line)];
}

/** `1234567` → `1,234,567`. */
export const grouped = (value: number): string => value.toLocaleString('en-US');

/** Bytes in the unit that reads best. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'];
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[power]}`;
}

/** `[16, 1, B]`. */
export const dimsText = (dims: readonly (number | string)[]): string => `[${dims.join(', ')}]`;

/** A text that is cut in its middle, where names say least. */
export const short = (text: string, maxLength = 40): string =>
  text.length <= maxLength ? text : `${text.slice(0, 12)}…${text.slice(13 - maxLength)}`;
