// How each operator becomes commands, by name. The compiler refuses an operator without a line here and
// a lowering under the name of an operator that makes other parameters.
import type { OperatorParams } from '../../ops/index.ts';
import { elementwise } from './elementwise.ts';
import { loops } from './loop.ts';
import { gathers } from './gather.ts';
import { products } from './matmul.ts';
import { movers } from './move.ts';
import { normalizations } from './normalize.ts';
import type { LowerOf } from './operator.ts';
import { reducers } from './reduce.ts';
import { windows } from './window.ts';

/** All but that of recurrence, for `addLowerings`. The planner always knows a Shape and a Size. */
export const LOWERING_FAMILIES = {
  ...elementwise,
  ...movers,
  ...products,
  ...windows,
  ...gathers,
  ...reducers,
  ...normalizations,
} satisfies { [Name in Exclude<keyof OperatorParams, 'Shape' | 'Size'>]: LowerOf<Name> };

/** Loops that are kept as one node, for `addLowerings`. */
export const LOOP_LOWERINGS = loops;
