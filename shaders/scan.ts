// The kernel of scan.wgsl.
import { ITEM_INVOCATIONS, type Kernel } from './kernel.ts';
import { kernelOf } from './part.ts';
import text from './scan.wgsl?raw';

/** out [outer, n, inner]: running sums of data along the middle axis, one invocation a line. */
export const scanKernel = (type: 'f32' | 'i32', exclusive: boolean, reverse: boolean): Kernel =>
  kernelOf('cumulative-sum', text, [
    {
      bindings: { data: `read ${type}`, out: `write ${type}` },
      uniforms: { count: 'u32', n: 'u32', inner: 'u32' },
      constants: { INVOCATIONS: ITEM_INVOCATIONS },
      flags: { EXCLUSIVE: exclusive, REVERSE: reverse },
      names: { Scalar: type },
    },
  ]);
