// How the kernels read the input of a layer, four features at a time.
import type { Part } from '../part.ts';
import { expand } from '../wgsl.ts';
import text from './input.wgsl?raw';

/** The buffer `x` and `loadInput`, for a layer with so many features. */
export function inputPart(features: number): Part {
  const aligned = features % 4 === 0;
  return {
    bindings: { x: aligned ? 'read vec4f' : 'read f32' },
    constants: { FEATURES: features, INPUT_SHIFT: aligned ? 2 : 0 },
    wgsl: expand(text, { flags: { ALIGNED: aligned } }),
  };
}
