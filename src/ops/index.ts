// The operators beside recurrence. A new one is one file, or one line of a family, and one line here.
import { convolutions } from './conv.ts';
import { elementwise } from './elementwise.ts';
import { gathers } from './gather.ts';
import { products } from './matmul.ts';
import { movers } from './move.ts';
import { normalizations } from './normalize.ts';
import type { Operator } from './operator.ts';
import { pools } from './pool.ts';
import { reducers } from './reduce.ts';
import { shapers } from './reshape.ts';
import { softmaxes } from './softmax.ts';
import { unaries } from './unary.ts';

/** All of them, for `addOperators`. */
export const FAMILIES: readonly Operator[] = [
  ...products,
  ...elementwise,
  ...unaries,
  ...softmaxes,
  ...shapers,
  ...movers,
  ...gathers,
  ...reducers,
  ...convolutions,
  ...pools,
  ...normalizations,
];

export { operatorOf, OPERATORS } from './registry.ts';
export type { HostValue, Inputs, Operator, ValueType } from './operator.ts';
