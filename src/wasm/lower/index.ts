// The lowerings by operator name. One that is missing leaves its operator to the float64 code.
import type { AnyLower } from '../lowering.ts';
import { PLACE } from '../../plan/specialize/loops/types.ts';
import { placeResults } from '../loop.ts';
import { elementwise } from './elementwise.ts';
import { movers } from './move.ts';
import { products } from './products.ts';
import { lowerRecurrent } from './recurrent.ts';
import { rows } from './rows.ts';
import { windows } from './windows.ts';

/** See the top of the file. */
export const CPU_LOWERINGS: ReadonlyMap<string, AnyLower> = new Map(
  Object.entries<AnyLower>({
    Recurrent: lowerRecurrent,
    ...elementwise,
    ...movers,
    ...products,
    ...rows,
    ...windows,
    [PLACE]: placeResults,
  }),
);
