// Shapes and strides on the host: what the lowerings share before any kernel is chosen.
import type { Kernel } from '../../../shaders/kernel.ts';
import { gridOf } from '../../../shaders/kernel.ts';
import { ITEMS } from '../../../shaders/walk.ts';
import type { Attribute } from '../../graph.ts';
import { RnnError } from '../../errors.ts';
import { type DataType, isFloat } from '../../tensor.ts';
import type { Lowering, PlanValue } from '../lowering.ts';
import type { BufferId } from '../types.ts';

/** WGSL type that carries an element type on the device. */
export const scalarOf = (type: DataType): 'f32' | 'i32' => (isFloat(type) ? 'f32' : 'i32');

/** Fewest axes that visit the same elements in the same order: axes of 1 go, others merge. */
export function collapse<K extends string>(
  dims: readonly number[],
  strides: Readonly<Record<K, readonly number[]>>,
): { dims: number[]; strides: Record<K, number[]> } {
  const names = Object.keys(strides) as K[];
  const result = { dims: [] as number[], strides: {} as Record<K, number[]> };
  for (const name of names) result.strides[name] = [];
  for (const [k, dim] of dims.entries()) {
    if (dim === 1) continue;
    const last = result.dims.length - 1;
    const merges =
      last >= 0 && names.every((n) => result.strides[n][last] === strides[n][k]! * dim);
    if (merges) result.dims[last]! *= dim;
    else result.dims.push(dim);
    for (const n of names) result.strides[n][merges ? last : last + 1] = strides[n][k]!;
  }
  return result;
}

/** An axis attribute, counted from the front. */
export function axisOf(ctx: Lowering, fallback: number, rank: number): number {
  const axis = numberOf(ctx, 'axis', fallback);
  return axis < 0 ? axis + rank : axis;
}

/** A numeric attribute, or its default. */
export function numberOf(ctx: Lowering, name: string, fallback: number): number {
  const value = ctx.node.attributes[name];
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : fallback;
}

/** A text attribute, or its default. */
export function textOf(ctx: Lowering, name: string, fallback: string): string {
  const value = ctx.node.attributes[name];
  return typeof value === 'string' ? value : fallback;
}

/** A list-of-numbers attribute; undefined where it is missing. */
export function listOf(ctx: Lowering, name: string): readonly number[] | undefined {
  const value: Attribute | undefined = ctx.node.attributes[name];
  return Array.isArray(value) ? (value as readonly number[]) : undefined;
}

/** The integers of an input that the planner knows; undefined where the input is left out. */
export function hostOf(ctx: Lowering, slot: number): number[] | undefined {
  const value = ctx.inputs[slot];
  if (value === undefined) return undefined;
  if (value.host === undefined) throw unsupported(ctx, `input ${slot} is not known when planning`);
  return [...value.host.data];
}

/** An input that must be there; `infer` has checked that it is. */
export function input(ctx: Lowering, slot: number): PlanValue {
  const value = ctx.inputs[slot];
  if (value === undefined)
    throw new RnnError('INVALID_MODEL', ctx.path, `input ${slot} is missing`);
  return value;
}

/** The error for a use of an operator that has no kernel. */
export function unsupported(ctx: Lowering, what: string): RnnError {
  return new RnnError('UNSUPPORTED_OPERATOR', ctx.path, `${ctx.node.op} on WebGPU: ${what}`);
}

/** Dispatches a kernel that does one item an invocation; nothing where there are no items. */
export function runItems<B extends string>(
  ctx: Lowering,
  kernel: Kernel<B>,
  count: number,
  buffers: Readonly<Record<B, BufferId>>,
  uniforms: Readonly<Record<string, number>>,
  flops = count,
): void {
  if (count > 0) ctx.dispatch(kernel, gridOf(count, ITEMS), buffers, { count, ...uniforms }, flops);
}

/** True where a CPU stands in for a GPU: its lanes are few, and barriers cost more than work. */
export const isSoftware = (ctx: Lowering): boolean => ctx.device.adapter !== 'gpu';
