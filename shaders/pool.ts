// Pooling over windows of one or two spatial axes.
import { functionsFor } from './functions.ts';
import { type Kernel, defineKernel } from './kernel.ts';
import { perItem } from './walk.ts';
import { wgsl } from './wgsl.ts';

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
export function poolKernel({
  kind,
  type,
  kernel,
  strides,
  dilations,
  countPad,
}: PoolOptions): Kernel {
  const average = kind === 'average';
  // Once there is a NaN, only another one is larger: as in PyTorch, whose index is that of the last NaN.
  const larger = type === 'f32' ? '(v > result && !isNan(result)) || isNan(v)' : 'v > result';
  return defineKernel({
    name: `pool-${kind}`,
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
      endW: 'i32', // end of the padding after the input
    },
    body: perItem(
      wgsl`
let plane = i32(i / params.outW / params.outH) * params.inH;
let top = i32(i / params.outW % params.outH) * ${strides[0]} - params.padH;
let left = i32(i % params.outW) * ${strides[1]} - params.padW;
var result = ${type}(0);
var seen = 0;
var place = -1;
for (var ky = 0; ky < ${kernel[0]}; ky++) {
  let y = top + ky * ${dilations[0]};
  for (var kx = 0; kx < ${kernel[1]}; kx++) {
    let z = left + kx * ${dilations[1]};
    #if ${countPad}
    if (y < params.endH && z < params.endW) { seen++; }
    #endif
    if (y < 0 || y >= params.inH || z < 0 || z >= params.inW) { continue; }
    let at = (plane + y) * params.inW + z;
    let v = x[at];
    #if ${average}
    result += v;
    #if ${!countPad}
    seen++;
    #endif
    #else
    if (place < 0 || ${larger}) { result = v; place = at; }
    #endif
  }
}
out[i] = ${{ average: `result / ${type}(max(seen, 1))`, max: 'result', place: 'place' }[kind]};`,
      !average && type === 'f32' ? functionsFor('isNan(x)') : '',
    ),
  });
}
