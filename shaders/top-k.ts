// The kernel of top-k.wgsl.
import { functionsFor } from './functions.ts';
import type { Kernel } from './kernel.ts';
import { kernelOf } from './part.ts';
import text from './top-k.wgsl?raw';

const INVOCATIONS = 64; // of a workgroup, a power of two

/**
 * The best `k` of each row and their places, best first, equals in their order; one workgroup a row.
 * data [outer, size, inner] → values, places [outer, k, inner].
 */
export const topKKernel = (type: 'f32' | 'i32', largest: boolean): Kernel =>
  kernelOf('top', text, [
    {
      wgsl: type === 'f32' ? functionsFor('isNan(x)') : '',
      bindings: { data: `read ${type}`, values: `write ${type}`, places: 'write i32' },
      uniforms: { rows: 'u32', k: 'u32', size: 'u32', inner: 'u32' },
      constants: { INVOCATIONS, LOG2_INVOCATIONS: Math.log2(INVOCATIONS) },
      flags: { FLOAT: type === 'f32', LARGEST: largest },
      names: { Scalar: type },
    },
  ]);
