// All operators but recurrence. A new one is one file and one line here, or one line of a family.
import { branch } from './branch.ts';
import type { ControlOperator } from './control.ts';
import { convolutions } from './conv.ts';
import { einsum } from './einsum.ts';
import { elementwise } from './elementwise.ts';
import { gatherND } from './gather-nd.ts';
import { gathers } from './gather.ts';
import { hardmax } from './hardmax.ts';
import { loop } from './loop.ts';
import { products } from './matmul.ts';
import { movers } from './move.ts';
import { normalizations } from './normalize.ts';
import type { Operator } from './operator.ts';
import { pools } from './pool.ts';
import { quantizers } from './quantize.ts';
import { reducers } from './reduce.ts';
import { shapers } from './reshape.ts';
import { resize } from './resize.ts';
import { scan } from './scan.ts';
import { sequences } from './sequence.ts';
import { softmaxes } from './softmax.ts';
import { unaries } from './unary.ts';

/** All of them, for `addOperators`. */
export const FAMILIES = [
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
  ...quantizers,
];

type Family = (typeof FAMILIES)[number];

/**
 * What each operator makes of the attributes of its nodes, by name. A lowering that names its operator
 * gets exactly these; `unknown` where an operator has none.
 */
export type OperatorParams = {
  [O in Family as O['name']]: O extends Operator<string, infer P> ? P : never;
};

/** Those of control flow, and those that are rows of other operators once shapes are known, for `addControl`. */
export const CONTROL_FLOW: readonly ControlOperator[] = [
  branch,
  loop,
  scan,
  ...sequences,
  einsum,
  gatherND,
  hardmax,
  resize,
];

export { operatorOf, OPERATORS } from './registry.ts';
export type { HostValue, Inputs, Operator, ValueType } from './operator.ts';
