// The operators that are there. Recurrence always is; the others come with a chunk of their own.
import { RnnError } from '../errors.ts';
import type { Node } from '../graph.ts';
import type { Operator } from './operator.ts';
import { recurrent } from './recurrent.ts';

const table = new Map<string, Operator>([[recurrent.name, recurrent]]);

/** Every operator but `If`, which is control flow: the interpreter and the planner take it apart. */
export const OPERATORS: ReadonlyMap<string, Operator> = table;

/** Adds operators; adding one again changes nothing. */
export function addOperators(operators: readonly Operator[]): void {
  for (const operator of operators) table.set(operator.name, operator);
}

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
