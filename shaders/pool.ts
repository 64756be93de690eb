// The kernel of pool.wgsl.
import { functionsFor } from './functions.ts';
import { ITEM_INVOCATIONS, type Kernel } from './kernel.ts';
import { kernelOf } from './part.ts';
import text from './pool.wgsl?raw';

/** What a pooling bakes in; one spatial axis is two with a height of 1. */
export interface PoolOptions {
  /** `place` is the flat index of the largest element. NaN counts as larger than any number. */
  readonly kind: 'max' | 'average' | 'place';
  readonly type: 'f32' | 'i32';
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Averages count the padding as zeros. */
  readonly countPad: boolean;
}

/** x [N·C, inH, inW] → out [N·C, outH, outW]. */
export function poolKernel(options: PoolOptions): Kernel {
  const { kind, type, kernel, strides, dilations, countPad } = options;
  const isAverage = kind === 'average';
  const isFloat = type === 'f32';
  return kernelOf(`pool-${kind}`, text, [
    {
      wgsl: !isAverage && isFloat ? functionsFor('isNan(x)') : '',
      bindings: { x: `read ${type}`, out: `write ${kind === 'place' ? 'i32' : type}` },
      uniforms: {
        count: 'u32',
        outH: 'u32',
        outW: 'u32',
        inH: 'i32',
        inW: 'i32',
        padH: 'i32',
        padW: 'i32',
        endH: 'i32',
        endW: 'i32',
      },
      constants: { INVOCATIONS: ITEM_INVOCATIONS },
      flags: { AVERAGE: isAverage, COUNTS_PADDING: countPad, FLOAT: isFloat },
      names: {
        Scalar: type,
        RESULT: { average: `result / ${type}(max(seen, 1))`, max: 'result', place: 'place' }[kind],
        // i32, as coordinates are: those in the padding are negative.
        KERNEL_H: `${kernel[0]}`,
        KERNEL_W: `${kernel[1]}`,
        STRIDE_H: `${strides[0]}`,
        STRIDE_W: `${strides[1]}`,
        DILATION_H: `${dilations[0]}`,
        DILATION_W: `${dilations[1]}`,
      },
    },
  ]);
}
