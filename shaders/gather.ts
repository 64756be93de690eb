// Kernels that find elements by index. One out of range is an error in the specification
// (https://onnx.ai/onnx/operators/onnx__Gather.html), which a shader cannot raise: it writes `params.invalid`
// instead, the bits of NaN or of another value that stands out.
import { functionsFor } from './functions.ts';
import gatherElements from './gather-elements.wgsl?raw';
import gather from './gather.wgsl?raw';
import { ITEM_INVOCATIONS, type Kernel, type UniformType } from './kernel.ts';
import { fragment, kernelOf, type Part } from './part.ts';
import position from './position.wgsl?raw';
import reverse from './reverse-sequence.wgsl?raw';
import scatterAxis from './scatter-axis.wgsl?raw';
import scatterElements from './scatter-elements.wgsl?raw';
import scatter from './scatter.wgsl?raw';
import { offsetUniforms, stridedOffsets } from './strided-offset.ts';

const INVOCATIONS: Part = { constants: { INVOCATIONS: ITEM_INVOCATIONS } };
const POSITION: Part = { wgsl: position };

/** out [outer, n, inner] = data [outer, size, inner] at indices [n]. */
export const gatherKernel = kernelOf('gather', gather, [
  INVOCATIONS,
  POSITION,
  {
    bindings: { data: 'read u32', indices: 'read i32', out: 'write u32' },
    uniforms: { count: 'u32', n: 'u32', size: 'u32', inner: 'u32', invalid: 'u32' },
  },
]);

/** out[index] = data[index with `axis` replaced by indices[index]]; `s` is 0 along the axis. */
export const gatherElementsKernel = (rank: number): Kernel =>
  kernelOf('gather-elements', gatherElements, [
    INVOCATIONS,
    POSITION,
    {
      bindings: { data: 'read u32', indices: 'read i32', out: 'write u32' },
      uniforms: {
        count: 'u32',
        size: 'u32',
        step: 'u32',
        invalid: 'u32',
        ...offsetUniforms(rank, ['s']),
      },
      names: { OFFSETS: stridedOffsets('i', rank, ['s']) },
    },
  ]);

/**
 * out = data [.., ..] with the first lengths[row] time steps of each row in reverse. A length beyond the time
 * steps counts as all of them, a negative one as none.
 */
export const reverseKernel = kernelOf('reverse-sequence', reverse, [
  INVOCATIONS,
  {
    bindings: { data: 'read u32', lengths: 'read i32', out: 'write u32' },
    uniforms: { count: 'u32', rows: 'u32', rowStep: 'u32', steps: 'u32', step: 'u32' },
  },
]);

/** The new element by the `reduction` attribute, from the old one `x` and the update `y`. */
const COMBINATIONS: Readonly<Record<string, readonly [floats: string, integers: string]>> = {
  none: ['y', 'y'],
  add: ['x + y', 'x + y'],
  mul: ['x * y', 'x * y'],
  min: ['minNan(x, y)', 'min(x, y)'],
  max: ['maxNan(x, y)', 'max(x, y)'],
};

/** How an update and the element that it meets are combined. */
function combinationPart(type: 'f32' | 'i32', reduction: string): Part {
  const combination = COMBINATIONS[reduction]![type === 'f32' ? 0 : 1];
  return {
    wgsl: functionsFor(combination),
    bindings: { indices: 'read i32', updates: `read ${type}`, out: `write ${type}` },
    names: { Scalar: type, COMBINATION: combination },
  };
}

/**
 * Combines out [data, filled before] at indices along one axis with updates of their shape; an item is a line
 * along that axis, at `s` in out and at `u` in indices and updates. An index out of range makes its whole
 * line `params.invalid`.
 */
export const scatterElementsKernel = (
  rank: number,
  type: 'f32' | 'i32',
  reduction: string,
): Kernel =>
  kernelOf('scatter-elements', scatterElements, [
    INVOCATIONS,
    combinationPart(type, reduction),
    POSITION,
    {
      uniforms: {
        count: 'u32',
        n: 'u32',
        size: 'u32',
        step: 'u32',
        updateStep: 'u32',
        invalid: 'u32',
        ...offsetUniforms(rank, ['s', 'u']),
      },
      names: { OFFSETS: stridedOffsets('i', rank, ['s', 'u']) },
    },
  ]);

/**
 * Combines out [data, filled before] at index tuples [n, depth] with updates [n, inner]; count = inner. A tuple
 * out of range makes all of out, `blocks` times inner, `params.invalid`.
 */
export function scatterKernel(depth: number, type: 'f32' | 'i32', reduction: string): Kernel {
  const axes = Array.from({ length: depth }, (_, k) => k);
  const uniforms: Record<string, UniformType> = {
    count: 'u32',
    n: 'u32',
    blocks: 'u32',
    invalid: 'u32',
  };
  for (const k of axes) uniforms[`size${k}`] = uniforms[`step${k}`] = 'u32';
  const ofAxis = (k: number): string =>
    fragment(scatterAxis, { AXIS: `${k}u`, sizeK: `size${k}`, stepK: `step${k}` });
  return kernelOf('scatter', scatter, [
    INVOCATIONS,
    combinationPart(type, reduction),
    POSITION,
    { uniforms, constants: { DEPTH: depth }, names: { AXES: axes.map(ofAxis).join('\n') } },
  ]);
}
