// The registered operators. Recurrence is built in, the others are registered by their chunk.
import { RnnError } from '../errors.ts';
import type { Node } from '../graph.ts';
import type { ControlOperator } from './control.ts';
import type { Operator } from './operator.ts';
import { recurrent } from './recurrent.ts';

const table = new Map<string, Operator>([[recurrent.name, recurrent]]);

const controls = new Map<string, ControlOperator>();

/** Every operator that computes. */
export const OPERATORS: ReadonlyMap<string, Operator> = table;

/** Every operator of control flow; the interpreter and the planner unroll its nodes. */
export const CONTROL: ReadonlyMap<string, ControlOperator> = controls;

/** Names of all operators, in order. */
export const operatorNames = (): string[] => [...table.keys(), ...controls.keys()].toSorted();

/** Adds operators; adding one again changes nothing. */
export function addOperators(operators: readonly Operator[]): void {
  for (const operator of operators) table.set(operator.name, operator);
}

/** Adds operators of control flow. */
export function addControl(operators: readonly ControlOperator[]): void {
  for (const operator of operators) controls.set(operator.name, operator);
}

/**
 * The operator of a node.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` with the name of the operator and those that are registered
 */
export function operatorOf(node: Node, path: string): Operator {
  const operator = OPERATORS.get(node.op);
  if (operator === undefined) {
    const known = operatorNames().join(', ');
    const what = `operator of node '${node.name}' is not supported, got ${node.op}`;
    throw new RnnError('UNSUPPORTED_OPERATOR', path, `${what}, expected one of ${known}`);
  }
  return operator;
}
