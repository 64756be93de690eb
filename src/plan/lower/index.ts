// How each operator becomes commands, by name. An operator without a line here has no kernel, and the
// planner says so; those whose numbers are always known when planning (Shape, Size) need none.
import type { Lower } from '../lowering.ts';
import { elementwise } from './elementwise.ts';
import { gathers } from './gather.ts';
import { products } from './matmul.ts';
import { movers } from './move.ts';
import { normalizations } from './normalize.ts';
import { reducers } from './reduce.ts';
import { windows } from './window.ts';

/** All but that of recurrence, for `addLowerings`. */
export const LOWERING_FAMILIES: Readonly<Record<string, Lower>> = {
  ...elementwise,
  ...movers,
  ...products,
  ...windows,
  ...gathers,
  ...reducers,
  ...normalizations,
};
