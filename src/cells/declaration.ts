// What of a cell is data: a file can hold it. The step in float64 is code, and comes from the app.
import { PLAIN_VARIANT, type Cell } from './cell.ts';

/** A cell without its step, as JSON has it. */
export interface CellDeclaration {
  readonly name: string;
  readonly gates: readonly string[];
  readonly states: readonly string[];
  readonly activations: readonly string[];
  readonly parameters: readonly object[];
  readonly phases: readonly object[];
}

/** WGSL by its lines, however they are indented. */
const linesOf = (wgsl: string): string[] =>
  wgsl
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** What of a cell is data. Of its WGSL the indentation does not count. */
export function declarationOf(cell: Cell): CellDeclaration {
  const { name, gates, states, activations } = cell;
  const parameters = cell.parameters(PLAIN_VARIANT);
  const phases = cell
    .phases(PLAIN_VARIANT)
    .map(({ wgsl, ...phase }) => ({ ...phase, wgsl: linesOf(wgsl) }));
  // As JSON has it: without what is undefined.
  const plain = JSON.stringify({ name, gates, states, activations, parameters, phases });
  return JSON.parse(plain) as CellDeclaration;
}

/**
 * Where two declarations first differ.
 *
 * @param got anything that JSON has
 * @returns the path below `path`; undefined where they are equal
 */
export function differenceOf(got: unknown, want: unknown, path: string): string | undefined {
  if (typeof want !== 'object' || want === null) return Object.is(got, want) ? undefined : path;
  if (typeof got !== 'object' || got === null || Array.isArray(got) !== Array.isArray(want)) {
    return path;
  }
  const of = (key: string): string => (Array.isArray(want) ? `${path}[${key}]` : `${path}.${key}`);
  for (const key of Object.keys(got)) if (!Object.hasOwn(want, key)) return of(key);
  for (const [key, value] of Object.entries(want)) {
    const other = Object.hasOwn(got, key) ? (got as Record<string, unknown>)[key] : undefined;
    const found = differenceOf(other, value, of(key));
    if (found !== undefined) return found;
  }
  return undefined;
}
