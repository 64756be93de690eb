// Convolutions of one or two spatial axes, directly: four output channels of one place an invocation,
// so that each input element read serves four sums.
import { type BindingType, type Kernel, defineKernel } from './kernel.ts';
import { perItem } from './walk.ts';
import { wgsl } from './wgsl.ts';

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
}

/** Output channels that one invocation computes. */
export const convWidth = (filters: number): 1 | 4 => (filters === 1 ? 1 : 4);

/**
 * x [N, C, inH, inW], w [groups, ⌈filters/4⌉, kH, kW, channels] of four filters each, b [M],
 * out [N, M, outH, outW]. One item for each block of four filters of each place.
 */
export function convKernel(options: ConvOptions): Kernel {
  const { transposed, channels, filters, groups, kernel, strides, dilations, bias } = options;
  const width = convWidth(filters);
  const blocks = Math.ceil(filters / width);
  const vector = width === 1 ? 'f32' : 'vec4f';
  const [kH, kW] = kernel;
  // Places before the start wrap to huge numbers, so one comparison finds both ends.
  const source = (axis: 0 | 1, out: string, k: string): string => {
    const [size, pad] = axis === 0 ? ['params.inH', 'params.padH'] : ['params.inW', 'params.padW'];
    const reach = `${k} * ${dilations[axis]}u`;
    return transposed
      ? `let far${out} = ${out} + ${pad} - ${reach};
let at${out} = far${out} / ${strides[axis]}u;
if (far${out} > 0x7fffffffu || far${out} % ${strides[axis]}u != 0u || at${out} >= ${size}) { continue; }`
      : `let at${out} = ${out} * ${strides[axis]}u + ${reach} - ${pad};
if (at${out} >= ${size}) { continue; }`;
  };
  const bindings: Record<string, BindingType> = {
    x: 'read f32',
    w: width === 1 ? 'read f32' : 'read vec4f',
    ...(bias && { b: 'read f32' as const }),
    out: 'write f32',
  };
  return defineKernel<string, string>({
    name: transposed ? 'conv-transpose' : 'conv',
    bindings,
    uniforms: {
      count: 'u32',
      inH: 'u32',
      inW: 'u32',
      outH: 'u32',
      outW: 'u32',
      padH: 'u32',
      padW: 'u32',
    },
    body: perItem(wgsl`
let X = i % params.outW;
let Y = i / params.outW % params.outH;
let place = params.outH * params.outW;
let block = i / place % ${groups * blocks}u;
let group = block / ${blocks}u;
let first = group * ${filters}u + block % ${blocks}u * ${width}u;
let batch = i / place / ${groups * blocks}u;
let plane = params.inH * params.inW;
let start = (batch * ${groups * channels}u + group * ${channels}u) * plane;
var sum = ${vector}();
for (var ky = 0u; ky < ${kH}u; ky++) {
  ${source(0, 'Y', 'ky')}
  for (var kx = 0u; kx < ${kW}u; kx++) {
    ${source(1, 'X', 'kx')}
    for (var c = 0u; c < ${channels}u; c++) {
      sum += x[start + c * plane + atY * params.inW + atX]
        * w[((block * ${kH}u + ky) * ${kW}u + kx) * ${channels}u + c];
    }
  }
}
let to = (batch * ${groups * filters}u + first) * place + Y * params.outW + X;
${
  width === 1
    ? `out[to] = sum${bias ? ' + b[first]' : ''};`
    : `for (var j = 0u; j < 4u; j++) {
  if (block % ${blocks}u * 4u + j >= ${filters}u) { break; }
  out[to + j * place] = sum[j]${bias ? ' + b[first + j]' : ''};
}`
}`),
  });
}
