// Operators that read or write at positions that another input holds.
import {
  gatherElementsKernel,
  gatherKernel,
  scatterElementsKernel,
  scatterKernel,
} from '../../../shaders/gather.ts';
import { kernelRank, offsetValues } from '../../../shaders/strided-offset.ts';
import { splitDims, stridesOf } from '../../ops/indexing.ts';
import { type DataType, isFloat, sizeOf } from '../../tensor.ts';
import type { Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { input, runItems, scalarOf, type LowerOf } from './operator.ts';
import { collapse } from './collapse-axes.ts';

/**
 * Bits that a kernel writes for an index out of range: NaN, or the smallest 32-bit integer, or 0 for types that
 * have no such number. Indices that the host knows are checked before: see src/plan/specialize/index-checks.ts.
 */
function invalidBits(type: DataType): number {
  if (isFloat(type)) return 0x7fc00000;
  return type === 'int32' || type === 'int64' ? 0x80000000 : 0;
}

const gather: LowerOf<'Gather'> = (ctx) => {
  const [, size, inner] = splitDims(input(ctx, 0).dims, ctx.params.axis);
  const n = sizeOf(input(ctx, 1).dims);
  const buffers = { data: ctx.read(0), indices: ctx.read(1), out: ctx.write(0) };
  const invalid = invalidBits(input(ctx, 0).type);
  const uniforms = { n, size, inner, invalid };
  runItems(ctx, gatherKernel, sizeOf(ctx.outputs[0]!.dims), buffers, uniforms);
};

const gatherElements: LowerOf<'GatherElements'> = (ctx) => {
  const { axis } = ctx.params;
  const { type, dims } = input(ctx, 0);
  const strides = stridesOf(dims);
  const rank = kernelRank(dims.length);
  const simple = collapse(ctx.outputs[0]!.dims, { s: strides.with(axis, 0) });
  const buffers = { data: ctx.read(0), indices: ctx.read(1), out: ctx.write(0) };
  runItems(ctx, gatherElementsKernel(rank), sizeOf(ctx.outputs[0]!.dims), buffers, {
    size: dims[axis]!,
    step: strides[axis]!,
    invalid: invalidBits(type),
    ...offsetValues(rank, simple.dims, simple.strides),
  });
};

/** Copies input 0 to output 0. */
function copied(ctx: Lowering): BufferId {
  const size = sizeOf(input(ctx, 0).dims) * 4;
  const out = ctx.write(0);
  if (size > 0) ctx.emit({ kind: 'copy', from: ctx.read(0), to: out, size });
  return out;
}

const scatterElements: LowerOf<'ScatterElements'> = (ctx) => {
  const { axis, reduction } = ctx.params;
  const { type, dims } = input(ctx, 0);
  const indices = input(ctx, 1).dims;
  const [into, from] = [stridesOf(dims), stridesOf(indices)];
  const rank = kernelRank(dims.length);
  const lines = indices.with(axis, Math.min(indices[axis]!, 1));
  const simple = collapse(lines, { s: into, u: from });
  const kernel = scatterElementsKernel(rank, scalarOf(type), reduction);
  const buffers = { indices: ctx.read(1), updates: ctx.read(2), out: copied(ctx) };
  runItems(
    ctx,
    kernel,
    sizeOf(lines),
    buffers,
    {
      n: indices[axis]!,
      size: dims[axis]!,
      step: into[axis]!,
      updateStep: from[axis]!,
      invalid: invalidBits(type),
      ...offsetValues(rank, simple.dims, simple.strides),
    },
    sizeOf(indices),
  );
};

const scatterND: LowerOf<'ScatterND'> = (ctx) => {
  const { type, dims } = input(ctx, 0);
  const indices = input(ctx, 1).dims;
  const depth = indices.at(-1)!;
  const strides = stridesOf(dims);
  const out = copied(ctx);
  const uniforms: Record<string, number> = {
    n: sizeOf(indices.slice(0, -1)),
    blocks: sizeOf(dims.slice(0, depth)),
    invalid: invalidBits(type),
  };
  for (let k = 0; k < depth; k++) {
    uniforms[`size${k}`] = dims[k]!;
    uniforms[`step${k}`] = strides[k]!;
  }
  const kernel = scatterKernel(depth, scalarOf(type), ctx.params.reduction);
  const inner = sizeOf(dims.slice(depth));
  const flops = inner * uniforms['n']!;
  runItems(
    ctx,
    kernel,
    inner,
    { indices: ctx.read(1), updates: ctx.read(2), out },
    uniforms,
    flops,
  );
};

/** Gathers and scatters. */
export const gathers = {
  Gather: gather,
  GatherElements: gatherElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
};
