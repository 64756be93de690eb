// Random shapes and numbers for the cases of operators.
import { sizeOf, tensor, type DataType, type Tensor } from '../../src/tensor.ts';
import { floats, integers, type OperatorCase } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';

/** A case of an operator that the table names. */
export type Case = Omit<OperatorCase, 'op'>;
/** Makes the case number `index` of an operator. */
export type MakeCase = (random: Random, index: number) => Case;

const SIZES = [1, 2, 3, 4, 5, 7, 13];

/** Sizes whose product is small enough for the reference; now and then one beyond a workgroup. */
export function randomShape(random: Random, min = 0, max = 5): number[] {
  const dims = Array.from({ length: random.int(min, max) }, () => random.pick(SIZES));
  while (sizeOf(dims) > 3000) dims[random.int(0, dims.length - 1)] = 1;
  if (dims.length > 0 && sizeOf(dims) < 40 && random.chance(0.4)) {
    dims[random.int(0, dims.length - 1)] = random.pick([67, 131, 300]);
  }
  return dims;
}

/** The numbers through a function. */
export const mapped = (values: Tensor, f: (x: number) => number): Tensor =>
  tensor((values.data as Float32Array).map(f), values.dims);

/** 0 and 1. */
export const bools = (random: Random, dims: readonly number[]): Tensor =>
  integers(random, dims, 0, 1, 'bool');

/** Away from zero, so that quotients and logarithms stay of order one. */
export const positive = (random: Random, dims: readonly number[]): Tensor =>
  mapped(floats(random, dims), (x) => Math.abs(x) + 0.25);

/** Of either sign. */
export const awayFromZero = (random: Random, dims: readonly number[]): Tensor =>
  mapped(floats(random, dims, 2), (x) => x + Math.sign(x) * 0.25);

/** Small integers of a random type. */
export const whole = (random: Random, dims: readonly number[]): Tensor =>
  integers(random, dims, -9, 9, random.pick(['int32', 'int64', 'int8']) as 'int32');

/** Of any type. */
export const anything = (random: Random, dims: readonly number[]): Tensor =>
  random.pick([floats, whole, bools])(random, dims);

/** Of any type but bool. */
export const numbers = (random: Random, dims: readonly number[]): Tensor =>
  random.pick([floats, whole])(random, dims);

/** Integers of a type. */
export const integersOf =
  (type: DataType, min = -9, max = 9): typeof floats =>
  (random, dims) =>
    integers(random, dims, min, max, type);

/** The same numbers as another type. */
export const asType = (values: Tensor, type: DataType): Tensor =>
  tensor(Array.from(values.data as Float32Array, Number), values.dims, type);

/** Different numbers in a random order, so that the largest is no matter of rounding. */
export const distinct = (random: Random, dims: readonly number[]): Tensor =>
  tensor(
    random.permutation(sizeOf(dims)).map((x) => x / 8),
    dims,
  );

export const withTies = (random: Random, dims: readonly number[]): Tensor =>
  mapped(floats(random, dims, 4), Math.round);
