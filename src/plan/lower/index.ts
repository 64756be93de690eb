// How each operator becomes commands, by name. An operator without a line here has no kernel, and the
// planner says so; those whose numbers are always known when planning (Shape, Size) need none.
import type { Lower } from '../lowering.ts';
import { elementwise } from './elementwise.ts';
import { gathers } from './gather.ts';
import { products } from './matmul.ts';
import { movers } from './move.ts';
import { normalizations } from './normalize.ts';
import { lowerRecurrent } from './recurrent.ts';
import { reducers } from './reduce.ts';
import { windows } from './window.ts';

/** Lowerings by operator name. */
export const LOWERINGS: ReadonlyMap<string, Lower> = new Map(
  Object.entries<Lower>({
    ...elementwise,
    ...movers,
    ...products,
    ...windows,
    ...gathers,
    ...reducers,
    ...normalizations,
    Recurrent: lowerRecurrent,
  }),
);
