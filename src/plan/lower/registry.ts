// The lowerings that are there. Recurrence always is; the others come with a chunk of their own.
import type { Lower } from '../lowering.ts';
import { lowerRecurrent } from './recurrent/layer.ts';

const table = new Map<string, Lower>([['Recurrent', lowerRecurrent]]);

/** Lowerings by operator name. */
export const LOWERINGS: ReadonlyMap<string, Lower> = table;

/** Adds lowerings; adding one again changes nothing. */
export function addLowerings(lowerings: Readonly<Record<string, Lower>>): void {
  for (const [name, lower] of Object.entries(lowerings)) table.set(name, lower);
}
