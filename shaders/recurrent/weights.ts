// How recurrent kernels load weights of each storage type. f16 and int8 are unpacked at the load; sums are f32.
import type { BindingType } from '../kernel.ts';
import type { Part } from '../part.ts';
import { expand } from '../wgsl.ts';
import text from './weights.wgsl?raw';

/**
 * How weights are stored: as f32; as f16, two a word; or as int8, four a word, with one f32 scale for
 * each row of a weight matrix, that is, for each gate of each unit.
 */
export type WeightStorage = 'f32' | 'f16' | 'int8';

/** The type in which f16 weights and states are multiplied, four products at a time. Sums are f32. */
export type Arithmetic = 'f32' | 'f16';

/** Shape of packed weights: [groups][k4][span] vec4. A group is what one workgroup reads. */
export interface WeightShape {
  readonly groups: number;
  /** vec4 along the sum. */
  readonly k4: number;
  /** Columns of a group: sums that its workgroup makes, in order of its lanes. */
  readonly span: number;
}

const BINDINGS: Readonly<Record<WeightStorage, BindingType>> = {
  f32: 'read vec4f',
  f16: 'read vec2u',
  int8: 'read u32',
};

/** Type of four weights as {@link weightPart} loads them. */
export const weightType = (storage: WeightStorage, arithmetic: Arithmetic): string =>
  storage === 'f16' && arithmetic === 'f16' ? 'vec4<f16>' : 'vec4f';

/**
 * The storage buffer `name` and its functions `load_NAME(at)` and, for int8, `scale_NAME(group, column)`,
 * which finished sums are to be multiplied by.
 *
 * @param arithmetic of weights that are stored as f16; others are multiplied in f32
 */
export function weightPart(
  name: string,
  storage: WeightStorage,
  { groups, k4, span }: WeightShape,
  arithmetic: Arithmetic,
): Part {
  const inF16 = storage === 'f16' && arithmetic === 'f16';
  return {
    bindings: { [name]: inF16 ? 'read vec4h' : BINDINGS[storage] },
    enables: inF16 ? ['f16'] : [],
    wgsl: expand(text, {
      flags: {
        F32: storage === 'f32',
        F16_UNPACKED: storage === 'f16' && !inF16,
        F16_ARITHMETIC: inF16,
        INT8: storage === 'int8',
      },
      names: {
        WEIGHTS: name,
        load_WEIGHTS: `load_${name}`,
        scale_WEIGHTS: `scale_${name}`,
        SCALES: `${groups * k4 * span}u`,
        SPAN: `${span}u`,
      },
    }),
  };
}
