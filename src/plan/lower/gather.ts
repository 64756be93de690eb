// Operators that read or write at positions that other values tell.
import {
  gatherElementsKernel,
  gatherKernel,
  scatterElementsKernel,
  scatterKernel,
} from '../../../shaders/gather.ts';
import { walkRank, walkValues } from '../../../shaders/walk.ts';
import { around, stridesOf } from '../../ops/shapes.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { axisOf, collapse, input, runItems, scalarOf, textOf } from './strides.ts';

const gather: Lower = (l) => {
  const { dims } = input(l, 0);
  const [, size, inner] = around(dims, axisOf(l, 0, dims.length));
  const n = sizeOf(input(l, 1).dims);
  const buffers = { data: l.read(0), indices: l.read(1), out: l.write(0) };
  runItems(l, gatherKernel, sizeOf(l.outputs[0]!.dims), buffers, { n, size, inner });
};

const gatherElements: Lower = (l) => {
  const { dims } = input(l, 0);
  const strides = stridesOf(dims);
  const axis = axisOf(l, 0, dims.length);
  const rank = walkRank(dims.length);
  const simple = collapse(l.outputs[0]!.dims, { s: strides.with(axis, 0) });
  const buffers = { data: l.read(0), indices: l.read(1), out: l.write(0) };
  runItems(l, gatherElementsKernel(rank), sizeOf(l.outputs[0]!.dims), buffers, {
    size: dims[axis]!,
    step: strides[axis]!,
    ...walkValues(rank, simple.dims, simple.strides),
  });
};

/** Output 0 with the elements of input 0 in it. */
function copied(l: Lowering): BufferId {
  const size = sizeOf(input(l, 0).dims) * 4;
  const out = l.write(0);
  if (size > 0) l.emit({ kind: 'copy', from: l.read(0), to: out, size });
  return out;
}

const scatterElements: Lower = (l) => {
  const { type, dims } = input(l, 0);
  const indices = input(l, 1).dims;
  const axis = axisOf(l, 0, dims.length);
  const [into, from] = [stridesOf(dims), stridesOf(indices)];
  const rank = walkRank(dims.length);
  const lines = indices.with(axis, Math.min(indices[axis]!, 1));
  const simple = collapse(lines, { s: into, u: from });
  const kernel = scatterElementsKernel(rank, scalarOf(type), textOf(l, 'reduction', 'none'));
  const buffers = { indices: l.read(1), updates: l.read(2), out: copied(l) };
  runItems(
    l,
    kernel,
    sizeOf(lines),
    buffers,
    {
      n: indices[axis]!,
      size: dims[axis]!,
      step: into[axis]!,
      updateStep: from[axis]!,
      ...walkValues(rank, simple.dims, simple.strides),
    },
    sizeOf(indices),
  );
};

const scatterND: Lower = (l) => {
  const { type, dims } = input(l, 0);
  const indices = input(l, 1).dims;
  const depth = indices.at(-1)!;
  const strides = stridesOf(dims);
  const out = copied(l);
  const uniforms: Record<string, number> = { n: sizeOf(indices.slice(0, -1)) };
  for (let k = 0; k < depth; k++) {
    uniforms[`size${k}`] = dims[k]!;
    uniforms[`step${k}`] = strides[k]!;
  }
  const kernel = scatterKernel(depth, scalarOf(type), textOf(l, 'reduction', 'none'));
  const inner = sizeOf(dims.slice(depth));
  const flops = inner * uniforms['n']!;
  runItems(l, kernel, inner, { indices: l.read(1), updates: l.read(2), out }, uniforms, flops);
};

/** Operators that look up by index. */
export const gathers: Readonly<Record<string, Lower>> = {
  Gather: gather,
  GatherElements: gatherElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
};
