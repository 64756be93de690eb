// The operators by name. A new operator is one file, or one line of a family, and one line here.
import { RnnError } from '../errors.ts';
import type { Node } from '../graph.ts';
import { convolutions } from './conv.ts';
import { elementwise } from './elementwise.ts';
import { gathers } from './gather.ts';
import { products } from './matmul.ts';
import { movers } from './move.ts';
import { normalizations } from './normalize.ts';
import type { Operator } from './operator.ts';
import { pools } from './pool.ts';
import { recurrent } from './recurrent.ts';
import { reducers } from './reduce.ts';
import { shapers } from './reshape.ts';
import { softmaxes } from './softmax.ts';
import { unaries } from './unary.ts';

/** Every operator but `If`, which is control flow: the interpreter and the planner take it apart. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map(
  [
    recurrent,
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
  ].map((operator) => [operator.name, operator]),
);

/**
 * The operator of a node.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` with the name of the operator and those that are there
 */
export function operatorOf(node: Node, path: string): Operator {
  const operator = OPERATORS.get(node.op);
  if (operator === undefined) {
    const known = ['If', ...OPERATORS.keys()].toSorted().join(', ');
    const what = `operator of node '${node.name}' is not supported, got ${node.op}`;
    throw new RnnError('UNSUPPORTED_OPERATOR', path, `${what}, expected one of ${known}`);
  }
  return operator;
}

export type { HostValue, Inputs, Operator, ValueType } from './operator.ts';
