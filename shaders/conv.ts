// Convolutions of one or two spatial axes, directly: an invocation has four output channels of one or
// four places, so that each input element read serves four sums, and each weight as many as places.
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
  /** Places along the width that an invocation computes, `chunk` apart. */
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
  const { transposed, channels, filters, groups, kernel, strides, dilations, bias } = options;
  const width = convWidth(filters);
  const blocks = Math.ceil(filters / width);
  const vector = width === 1 ? 'f32' : 'vec4f';
  const [kH, kW] = kernel;
  const places = Array.from({ length: options.places }, (_, p) => p);
  // WGSL that declares at{name}, the input place that tap `k` of output place `out` reads, and
  // in{name}, whether there is one. Places before the start wrap to huge numbers.
  const source = (axis: 0 | 1, name: string, out: string, k: string): string => {
    const [size, pad] = axis === 0 ? ['params.inH', 'params.padH'] : ['params.inW', 'params.padW'];
    const reach = `${k} * ${dilations[axis]}u`;
    return transposed
      ? `let far${name} = ${out} + ${pad} - ${reach};
let at${name} = far${name} / ${strides[axis]}u;
let in${name} = far${name} < 0x80000000u && far${name} % ${strides[axis]}u == 0u && at${name} < ${size};`
      : `let at${name} = ${out} * ${strides[axis]}u + ${reach} - ${pad};
let in${name} = at${name} < ${size};`;
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
      chunk: 'u32',
      inH: 'u32',
      inW: 'u32',
      outH: 'u32',
      outW: 'u32',
      padH: 'u32',
      padW: 'u32',
    },
    body: perItem(wgsl`
let Y = i / params.chunk % params.outH;
let X = i % params.chunk;
let block = i / params.chunk / params.outH % ${groups * blocks}u;
let batch = i / params.chunk / params.outH / ${groups * blocks}u;
let group = block / ${blocks}u;
let first = group * ${filters}u + block % ${blocks}u * ${width}u;
let plane = params.inH * params.inW;
let start = (batch * ${groups * channels}u + group * ${channels}u) * plane;
${places.map((p) => `var sum${p} = ${vector}(); let X${p} = X + ${p}u * params.chunk;`).join('\n')}
for (var ky = 0u; ky < ${kH}u; ky++) {
  ${source(0, 'Y', 'Y', 'ky')}
  if (!inY) { continue; }
  for (var kx = 0u; kx < ${kW}u; kx++) {
    ${places
      .map(
        (p) => `${source(1, `X${p}`, `X${p}`, 'kx')}
    let from${p} = start + select(0u, atY * params.inW + atX${p}, inX${p});`,
      )
      .join('\n    ')}
    for (var c = 0u; c < ${channels}u; c++) {
      let f = w[((block * ${kH}u + ky) * ${kW}u + kx) * ${channels}u + c];
      ${places.map((p) => `sum${p} += select(0.0, x[from${p} + c * plane], inX${p}) * f;`).join('\n      ')}
    }
  }
}
let area = params.outH * params.outW;
let to = (batch * ${groups * filters}u + first) * area + Y * params.outW;
${places
  .map((p) =>
    width === 1
      ? `if (X${p} < params.outW) { out[to + X${p}] = sum${p}${bias ? ' + b[first]' : ''}; }`
      : `for (var j = 0u; j < 4u; j++) {
  if (X${p} >= params.outW || block % ${blocks}u * 4u + j >= ${filters}u) { break; }
  out[to + j * area + X${p}] = sum${p}[j]${bias ? ' + b[first + j]' : ''};
}`,
  )
  .join('\n')}`),
  });
}
