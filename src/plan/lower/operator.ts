// What the lowerings of operators share: their types, their inputs, and kernels of one item an
// invocation.
import type { Kernel } from '../../../shaders/kernel.ts';
import { gridOf, ITEM_INVOCATIONS } from '../../../shaders/kernel.ts';
import type { OperatorParams } from '../../ops/index.ts';
import { type DataType, isFloat } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { PlanValue } from '../values.ts';
import type { BufferId } from '../types.ts';

/** The lowering of an operator by its name: it reads the parameters that the operator makes. */
export type LowerOf<Name extends keyof OperatorParams> = Lower<OperatorParams[Name]>;

/** A value for each row of a table, under the same names. */
export const mapValues = <Name extends string, Row, T>(
  table: Readonly<Record<Name, Row>>,
  make: (row: Row, name: Name) => T,
): Record<Name, T> => {
  const entries = Object.entries<Row>(table).map(([name, row]) => [name, make(row, name as Name)]);
  return Object.fromEntries(entries) as Record<Name, T>;
};

/** WGSL type that carries an element type on the device. */
export const scalarOf = (type: DataType): 'f32' | 'i32' => (isFloat(type) ? 'f32' : 'i32');

/** An input that is not optional: `infer` has checked that it is there. */
export const input = (ctx: Lowering, slot: number): PlanValue => ctx.inputs[slot]!;

/** Dispatches a kernel that does one item an invocation; nothing where there are no items. */
export function runItems<B extends string>(
  ctx: Lowering,
  kernel: Kernel<B>,
  count: number,
  buffers: Readonly<Record<B, BufferId>>,
  uniforms: Readonly<Record<string, number>>,
  flops = count,
): void {
  if (count > 0)
    ctx.dispatch(kernel, gridOf(count, ITEM_INVOCATIONS), buffers, { count, ...uniforms }, flops);
}
