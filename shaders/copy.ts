// Kernels that move elements and never look at them: any 4-byte type goes through as u32.
import copy from './copy.wgsl?raw';
import { ITEM_INVOCATIONS, type Kernel, type UniformType } from './kernel.ts';
import loopCopy from './loop-copy.wgsl?raw';
import axis from './pad-axis.wgsl?raw';
import pad from './pad.wgsl?raw';
import { fragment, kernelOf } from './part.ts';
import { offsetUniforms, stridedOffsets } from './strided-offset.ts';

/** out[outStart + index · t] = data[dataStart + index · s] for every index of a shape of ≤ `rank` axes. */
export const copyKernel = (rank: number): Kernel =>
  kernelOf('copy', copy, [
    {
      bindings: { data: 'read u32', out: 'write u32' },
      uniforms: {
        count: 'u32',
        dataStart: 'u32',
        outStart: 'u32',
        ...offsetUniforms(rank, ['s', 't']),
      },
      constants: { INVOCATIONS: ITEM_INVOCATIONS },
      names: { OFFSETS: stridedOffsets('i', rank, ['s', 't']) },
    },
  ]);

/** out[i + iteration · outStep] = data[i + iteration · dataStep]: what goes into an iteration of a loop, or out of it. */
export const loopCopyKernel: Kernel<'data' | 'out', 'count' | 'dataStep' | 'outStep'> = kernelOf(
  'loop-copy',
  loopCopy,
  [
    {
      bindings: { data: 'read u32', out: 'write u32' },
      uniforms: { count: 'u32', dataStep: 'u32', outStep: 'u32' },
      constants: { INVOCATIONS: ITEM_INVOCATIONS },
    },
  ],
  true,
);

/** What a padded place holds. */
export type PadMode = 'constant' | 'edge' | 'reflect' | 'wrap';

const PLACE: Readonly<Record<PadMode, string>> = {
  constant: 'p',
  edge: 'clamp(p, 0, size - 1)',
  reflect: 'mirror(p, size)',
  wrap: 'modulo(p, size)',
};

/** out[index] = data[index - before], places outside `from` by `mode`; `value` [1] holds the constant. */
export function padKernel(rank: number, mode: PadMode): Kernel {
  const axes = Array.from({ length: rank }, (_, k) => k);
  const uniforms: Record<string, UniformType> = { count: 'u32' };
  for (const k of axes) {
    Object.assign(uniforms, {
      [`out${k}`]: 'u32',
      [`size${k}`]: 'i32',
      [`before${k}`]: 'i32',
      [`s${k}`]: 'u32',
    });
  }
  const ofAxis = (k: number): string =>
    fragment(axis, {
      sizeK: `size${k}`,
      outK: `out${k}`,
      beforeK: `before${k}`,
      sK: `s${k}`,
      PLACE: PLACE[mode],
    });
  return kernelOf(`pad-${mode}`, pad, [
    {
      bindings: {
        data: 'read u32',
        value: mode === 'constant' && 'read u32',
        out: 'write u32',
      },
      uniforms,
      constants: { INVOCATIONS: ITEM_INVOCATIONS },
      flags: {
        CONSTANT: mode === 'constant',
        REFLECT: mode === 'reflect',
        FOLDS: mode === 'reflect' || mode === 'wrap',
      },
      names: { AXES: axes.toReversed().map(ofAxis).join('\n') },
    },
  ]);
}
