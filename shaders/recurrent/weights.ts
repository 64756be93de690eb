// How the kernels of a recurrent layer read its weights, in each way they may be stored. What is
// stored small is unpacked where it is read, four at a time; sums are f32 whatever it is.
import type { BindingType, Extension } from '../kernel.ts';

/**
 * How weights lie in memory: as they are; as half precision, two a word; or as bytes, four a word,
 * with one f32 scale for each row of a weight matrix, that is, each gate of each unit.
 */
export type WeightStorage = 'f32' | 'f16' | 'int8';

/** In what weights and states are multiplied: sums of four products. What they add up to is f32 whatever it is. */
export type Arithmetic = 'f32' | 'f16';

/** Shape of packed weights: [groups][k4][span] vec4. A group is what one workgroup reads. */
export interface WeightShape {
  readonly groups: number;
  /** vec4 along the sum. */
  readonly k4: number;
  /** Sums of a group, side by side. */
  readonly span: number;
}

/** WGSL that reads one buffer of weights. */
export interface WeightAccess {
  readonly binding: BindingType;
  /** Functions at module level that the others call. */
  readonly functions: string;
  /** WGSL extensions of them. */
  readonly enables: readonly Extension[];
  /** Type of what is loaded. */
  readonly type: 'vec4f' | 'vec4<f16>';
  /** vec4 number `at`; with bytes, in units of the scale. */
  load(at: string): string;
  /** Four numbers as {@link dot} takes them. */
  operand(vector: string): string;
  /** The f32 product of four weights and an operand. */
  dot(weights: string, operand: string): string;
  /** What the finished sums of a column are to be multiplied by, where weights are bytes. */
  scale?(group: string, column: string): string;
}

/** A finished sum as it would be of the weights themselves. */
export const scaled = (sum: string, scale: string | undefined): string =>
  scale === undefined ? sum : `${sum} * ${scale}`;

const IN_F32 = {
  enables: [],
  type: 'vec4f',
  operand: (vector: string) => vector,
  dot: (weights: string, operand: string) => `dot(${weights}, ${operand})`,
} as const;

/** Half precision as it is stored, without unpacking. */
const inF16 = (name: string): WeightAccess => ({
  binding: 'read vec2u',
  functions: '',
  enables: ['f16'],
  type: 'vec4<f16>',
  load: (at) => `bitcast<vec4<f16>>(${name}[${at}])`,
  operand: (vector) => `vec4<f16>(${vector})`,
  dot: (weights, operand) => `f32(dot(${weights}, ${operand}))`,
});

/**
 * Access to the weights in the storage buffer `name`. The scales of bytes lie behind them.
 *
 * @param arithmetic of weights that are stored as f16; others are multiplied in f32
 */
export function weightAccess(
  name: string,
  storage: WeightStorage,
  { groups, k4, span }: WeightShape,
  arithmetic: Arithmetic,
): WeightAccess {
  const load = `load_${name}`;
  const scale = `scale_${name}`;
  if (storage === 'f16' && arithmetic === 'f16') return inF16(name);
  switch (storage) {
    case 'f32':
      return {
        ...IN_F32,
        binding: 'read vec4f',
        functions: '',
        load: (at) => `${name}[${at}]`,
      };
    case 'f16':
      return {
        ...IN_F32,
        binding: 'read vec2u',
        functions: `
fn ${load}(at: u32) -> vec4f {
  let halves = ${name}[at];
  return vec4f(unpack2x16float(halves.x), unpack2x16float(halves.y));
}`,
        load: (at) => `${load}(${at})`,
      };
    case 'int8':
      return {
        ...IN_F32,
        binding: 'read u32',
        // A buffer of their own would be one binding more than some layers have left.
        functions: `
fn ${load}(at: u32) -> vec4f { return unpack4x8snorm(${name}[at]); }
fn ${scale}(group: u32, column: u32) -> f32 {
  return bitcast<f32>(${name}[${groups * k4 * span}u + group * ${span}u + column]);
}`,
        load: (at) => `${load}(${at})`,
        scale: (group, column) => `${scale}(${group}, ${column})`,
      };
  }
  return storage satisfies never;
}
