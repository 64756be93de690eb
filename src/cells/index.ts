// The cells by name. A new cell is one file and one line here.
import type { Cell } from './cell.ts';
import { gru } from './gru.ts';
import { lstm } from './lstm.ts';
import { rnn } from './rnn.ts';

/** Every cell that the formats know. */
export const CELLS = { rnn, lstm, gru } as const satisfies Record<string, Cell>;

/** Name of one of them. */
export type CellName = keyof typeof CELLS;

/** A cell by name, or one of the caller's own. */
export const cellOf = (cell: CellName | Cell): Cell =>
  typeof cell === 'string' ? CELLS[cell] : cell;

export { PLAIN_VARIANT } from './cell.ts';
export { declarationOf, differenceOf, type CellDeclaration } from './declaration.ts';
export type {
  Cell,
  CellParameter,
  CellPhase,
  CellReduction,
  CellVariant,
  StepInput,
  Vectors,
} from './cell.ts';
export { ACTIVATIONS, findActivation } from './activations.ts';
export type { Activation, ActivationName } from './activations.ts';
