// The kernel of conv.wgsl: its buffers and its tile.
import text from './conv.wgsl?raw';
import { ITEM_INVOCATIONS, type Kernel } from './kernel.ts';
import { kernelOf } from './part.ts';

/** What a convolution bakes in; one spatial axis is two with a height of 1. */
export interface ConvOptions {
  readonly transposed: boolean;
  /** Input channels of a group, C / groups. */
  readonly channels: number;
  /** Output channels of a group, M / groups. */
  readonly filters: number;
  readonly groups: number;
  /** Height and width. */
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly bias: boolean;
  /** Places along the width that an invocation computes, with a stride of `chunk`. */
  readonly places: 1 | 4;
}

/** Output channels that one invocation computes. */
export const convWidth = (filters: number): 1 | 4 => (filters === 1 ? 1 : 4);

/**
 * x [N, C, inH, inW], w [groups, ⌈filters/4⌉, kH, kW, channels] of four filters each, b [M],
 * out [N, M, outH, outW]. One item for each block of four filters
 * of each of `chunk` = ⌈outW / places⌉ places of each row.
 */
export function convKernel(options: ConvOptions): Kernel {
  const { transposed, channels, filters, groups, kernel, strides, dilations, bias, places } =
    options;
  const width = convWidth(filters);
  return kernelOf(transposed ? 'conv-transpose' : 'conv', text, [
    {
      bindings: {
        x: 'read f32',
        w: width === 1 ? 'read f32' : 'read vec4f',
        b: bias && 'read f32',
        out: 'write f32',
      },
      uniforms: {
        count: 'u32',
        chunk: 'u32',
        inH: 'u32',
        inW: 'u32',
        outH: 'u32',
        outW: 'u32',
        padH: 'u32',
        padW: 'u32',
      },
      constants: {
        INVOCATIONS: ITEM_INVOCATIONS,
        CHANNELS: channels,
        FILTERS: filters,
        GROUPS: groups,
        BLOCKS: Math.ceil(filters / width),
        WIDTH: width,
        PLACES: places,
        KERNEL_H: kernel[0],
        KERNEL_W: kernel[1],
        STRIDE_H: strides[0],
        STRIDE_W: strides[1],
        DILATION_H: dilations[0],
        DILATION_W: dilations[1],
      },
      flags: { TRANSPOSED: transposed, ONE_FILTER: width === 1 },
      names: {
        Filters: width === 1 ? 'f32' : 'vec4f',
        BIAS_0: bias ? 'b[first]' : '0.0',
        BIAS_J: bias ? 'b[first + j]' : '0.0',
      },
    },
  ]);
}
