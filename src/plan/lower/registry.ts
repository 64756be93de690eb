// The registered lowerings. That of recurrence is built in, the others are registered by their chunk.
import type { AnyLower } from '../lowering.ts';
import { lowerRecurrent } from './recurrent/layer.ts';

const table = new Map<string, AnyLower>([['Recurrent', lowerRecurrent]]);

/** Lowerings by operator name. */
export const LOWERINGS: ReadonlyMap<string, AnyLower> = table;

/** Adds lowerings; adding one again changes nothing. */
export function addLowerings(lowerings: Readonly<Record<string, AnyLower>>): void {
  for (const [name, lower] of Object.entries(lowerings)) table.set(name, lower);
}
