// Dispatches of the elementwise kernel: the strides and the vectorisation of its operands.
import { OPERANDS, elementwiseKernel } from '../../../shaders/elementwise.ts';
import { kernelRank, offsetValues } from '../../../shaders/strided-offset.ts';
import { broadcastStrides } from '../../ops/indexing.ts';
import { type DataType, sizeOf } from '../../tensor.ts';
import type { Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import type { Operand } from '../values.ts';
import { input, runItems, scalarOf } from './operator.ts';
import { collapse } from './collapse-axes.ts';

/** The dense buffer of a result. */
export interface Target {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly buffer: BufferId;
}

/** WGSL of an elementwise kernel. */
export interface Code {
  /** The result, from the operands `a`, `b` …, the flat index `i` and the uniforms. */
  readonly expression: string;
  readonly steps?: string;
  readonly functions?: string;
  readonly name?: string;
  readonly uniforms?: Readonly<Record<string, readonly ['u32' | 'i32' | 'f32', number]>>;
  /** Operations per element, roughly. */
  readonly operations?: number;
}

/**
 * The strides of vectors of four elements, where every operand has either four neighbours along the
 * innermost axis or one element for all of it; undefined elsewhere.
 */
function vectorize(
  dims: readonly number[],
  strides: Readonly<Record<string, readonly number[]>>,
  starts: readonly number[],
  iterationSteps: readonly number[],
) {
  const last = dims.length - 1;
  const lists = Object.values(strides);
  const isWhole = (n: number): boolean => n % 4 === 0;
  const fits = lists.every((list, i) => {
    const inner = list[last] ?? 1;
    const begins = [starts[i]!, iterationSteps[i]!];
    const isAligned = [...begins, ...list.slice(0, -1)].every(isWhole);
    return inner === 0 || (inner === 1 && isAligned);
  });
  if (!fits || (last > 0 && !isWhole(dims[last]!))) return undefined;
  const isBroadcast = lists.map((list) => list[last] === 0);
  const inVectors = Object.entries(strides).map(([name, list], i) => [
    name,
    isBroadcast[i] ? list : list.map((stride, axis) => (axis === last ? 1 : stride / 4)),
  ]);
  const inGroups = (list: readonly number[]): number[] =>
    list.map((offset, i) => (isBroadcast[i] ? offset : offset / 4));
  return {
    broadcastMask: isBroadcast.reduce((bits, bit, i) => bits | (Number(bit) << i), 0),
    dims: dims.map((dim, axis) => (axis === last ? Math.ceil(dim / 4) : dim)),
    strides: Object.fromEntries(inVectors) as typeof strides,
    starts: inGroups(starts),
    iterationSteps: inGroups(iterationSteps),
  };
}

/** Dispatches the expression of the operands, broadcast to the shape of `out`, into `out`. */
export function pointwise(
  ctx: Lowering,
  operands: readonly Operand[],
  { name = ctx.node.op.toLowerCase(), uniforms: extra = {}, operations = 1, ...code }: Code,
  out: Target,
): void {
  // Nothing that selects the kernel may depend on sizes: a new size must not compile a kernel.
  const flat = operands.length === 0 || (operands.length === 1 && !operands[0]!.strides);
  const rank = flat ? 0 : kernelRank(out.dims.length);
  const inLoop = operands.some(({ iterationStep }) => iterationStep !== undefined);
  const entries = Object.entries(extra);
  const kernel = elementwiseKernel({
    ...code,
    name,
    inputs: operands.map(({ type }) => scalarOf(type)),
    output: scalarOf(out.type),
    rank,
    inLoop,
    extra: Object.fromEntries(entries.map(([key, [type]]) => [key, type])),
  });
  const uniforms = Object.fromEntries(entries.map(([key, [, value]]) => [key, value]));
  if (!flat) {
    const steps = operands.map(
      ({ dims, strides }, i) =>
        [`${OPERANDS[i]!}At`, broadcastStrides(dims, out.dims, strides)] as const,
    );
    const starts = operands.map(({ start = 0 }) => start);
    const iterationSteps = operands.map(({ iterationStep = 0 }) => iterationStep);
    const simple = collapse(out.dims, Object.fromEntries(steps));
    const vectors = vectorize(simple.dims, simple.strides, starts, iterationSteps);
    const { dims, strides } = vectors ?? simple;
    Object.assign(uniforms, {
      vectorized: Number(vectors !== undefined),
      broadcastMask: vectors?.broadcastMask ?? 0,
      ...offsetValues(rank, dims, strides),
    });
    (vectors?.starts ?? starts).forEach((start, i) => (uniforms[`${OPERANDS[i]!}From`] = start));
    if (inLoop) {
      (vectors?.iterationSteps ?? iterationSteps).forEach(
        (step, i) => (uniforms[`${OPERANDS[i]!}Step`] = step),
      );
    }
  }
  const buffers: Record<string, BufferId> = { out: out.buffer };
  operands.forEach(({ buffer }, i) => (buffers[OPERANDS[i]!.toUpperCase()] = buffer));
  const size = sizeOf(out.dims);
  runItems(ctx, kernel, Math.ceil(size / 4), buffers, uniforms, size * operations);
}

/** An input as a whole buffer. */
export function operand(ctx: Lowering, slot: number): Operand {
  const value = input(ctx, slot);
  return { type: value.type, dims: value.dims, buffer: ctx.read(slot), source: value };
}

/** Output `slot` as a target. */
export const target = (ctx: Lowering, slot = 0): Target => ({
  ...ctx.outputs[slot]!,
  buffer: ctx.write(slot),
});
