// The cells by name. A new cell is one file and one line here.
import type { Cell } from './cell.ts';
import { gru } from './gru.ts';
import { lstm } from './lstm.ts';
import { rnn } from './rnn.ts';

/** Every cell the engine knows. */
export const CELLS = { rnn, lstm, gru } as const satisfies Record<string, Cell>;

/** Name of a cell. */
export type CellName = keyof typeof CELLS;

export type { Cell, CellPhase, CellVariant, StepInput, StepOutput } from './cell.ts';
export { ACTIVATIONS, findActivation } from './activations.ts';
export type { Activation, ActivationName } from './activations.ts';
