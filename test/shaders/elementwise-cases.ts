// Random cases of elementwise operators.
import { ACTIVATIONS } from '../../src/cells/index.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { floats, integers, narrower } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import {
  randomShape,
  mapped,
  bools,
  positive,
  awayFromZero,
  anything,
  numbers,
  integersOf,
  asType,
  withTies,
  type Case,
  type MakeCase,
} from './random-values.ts';

const unary =
  (
    make: (random: Random, dims: readonly number[]) => Tensor,
    attributes: (random: Random) => Case['attributes'] = () => ({}),
  ): MakeCase =>
  (random) => ({ inputs: [make(random, randomShape(random))], attributes: attributes(random)! });

/** Two inputs that broadcast to each other; the second made by `second`. */
const binary =
  (first: typeof floats, second = first): MakeCase =>
  (random, i) => {
    const dims = randomShape(random);
    const other = i % 3 === 0 ? dims : narrower(random, dims);
    const state = random.chance(0.5);
    const inputs = state
      ? [first(random, dims), second(random, other)]
      : [first(random, other), second(random, dims)];
    return { inputs };
  };

const arithmetic: MakeCase = (random, i) =>
  binary(i % 3 === 0 ? integersOf('int32') : floats)(random, i);

const divisor = (random: Random, dims: readonly number[]): Tensor =>
  mapped(floats(random, dims, 3), (x) => Math.sign(x) * (Math.floor(Math.abs(x)) + 1));

const activation: MakeCase = (random) => ({
  inputs: [floats(random, randomShape(random), 6)],
  attributes: random.chance(0.5)
    ? { alpha: random.int(1, 8) / 8, beta: random.int(1, 8) / 8, gamma: random.int(1, 8) / 8 }
    : {},
});

const variadic: MakeCase = (random, i) => {
  const dims = randomShape(random, 0, 3);
  const count = i === 0 ? 17 : random.int(1, 5);
  return { inputs: Array.from({ length: count }, () => floats(random, narrower(random, dims))) };
};

/** The shape of the scales of a quantiser: one number, or one for each element of an axis. */
function scales(random: Random, dims: readonly number[], perAxis: boolean) {
  const axis = random.int(-dims.length, dims.length - 1);
  return { axis, each: perAxis ? [dims.at(axis)!] : [] };
}

const scaleOf = (random: Random, dims: readonly number[]): Tensor =>
  mapped(positive(random, dims), (x) => x * 0.7);

/** Cases by operator. */
export const elementwiseCases: Readonly<Record<string, MakeCase>> = {
  ...Object.fromEntries(Object.keys(ACTIVATIONS).map((name) => [name, activation])),
  Exp: unary((random, dims) => floats(random, dims, 3)),
  Abs: unary(numbers),
  Neg: unary(numbers),
  Sign: unary(numbers),
  Sqrt: unary(positive),
  Log: unary(positive),
  Reciprocal: unary(awayFromZero),
  Erf: unary((random, dims) => floats(random, dims, 4)),
  Floor: unary((random, dims) => floats(random, dims, 5)),
  Ceil: unary((random, dims) => floats(random, dims, 5)),
  Round: unary((random, dims) => mapped(floats(random, dims, 5), (x) => Math.round(x * 2) / 2)),
  Sin: unary((random, dims) => floats(random, dims, 30)),
  Cos: unary((random, dims) => floats(random, dims, 30)),
  Not: unary(bools),
  IsNaN: unary((random, dims) => mapped(floats(random, dims), (x) => (x > 0 ? Number.NaN : x))),
  Gelu: unary(
    (random, dims) => floats(random, dims, 4),
    (random) => ({ approximate: random.pick(['none', 'tanh']) }),
  ),
  Celu: unary(
    (random, dims) => floats(random, dims, 4),
    (random) => ({ alpha: random.int(1, 4) / 2 }),
  ),
  Cast: unary(
    (random, dims) =>
      random.pick([anything, (r: Random, d: readonly number[]) => floats(r, d, 100)])(random, dims),
    (random) => ({ to: random.pick([1, 3, 6, 7, 9, 10, 11]) }),
  ),
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: (random, i) =>
    i % 3 === 0
      ? binary(integersOf('int32', -40, 40), (r, dims) => asType(divisor(r, dims), 'int32'))(
          random,
          0,
        )
      : binary(floats, awayFromZero)(random, i),
  Mod: (random, i) => {
    const dims = randomShape(random);
    const by = divisor(random, narrower(random, dims));
    if (i % 2 === 0) {
      const inputs = [integers(random, dims, -20, 20, 'int32'), asType(by, 'int32')];
      return { inputs, attributes: { fmod: random.int(0, 1) } };
    }
    return { inputs: [floats(random, dims, 5), by], attributes: { fmod: random.int(0, 1) } };
  },
  Pow: (random, i) => {
    if (i % 3 === 0) return binary(positive, (r, dims) => floats(r, dims, 3))(random, i);
    const exponents = integersOf(i % 3 === 1 ? 'int64' : 'float32', 0, 4);
    return binary(
      i % 2 === 0 ? (r, dims) => floats(r, dims, 2) : integersOf('int32', -5, 5),
      exponents,
    )(random, i);
  },
  ...Object.fromEntries(
    ['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'].map((op) => [
      op,
      ((random, i) =>
        binary(i % 2 === 0 ? integersOf('int64', -2, 2) : withTies)(random, i)) as MakeCase,
    ]),
  ),
  And: binary(bools),
  Or: binary(bools),
  Xor: binary(bools),
  Where: (random, i) => {
    const dims = randomShape(random);
    const make = i % 2 === 0 ? floats : integersOf('int64');
    return {
      inputs: [
        bools(random, narrower(random, dims)),
        make(random, dims),
        make(random, narrower(random, dims)),
      ],
    };
  },
  PRelu: (random) => {
    const dims = randomShape(random);
    return { inputs: [floats(random, dims), floats(random, narrower(random, dims))] };
  },
  Clip: (random, i) => {
    const make = i % 2 === 0 ? floats : integersOf('int32');
    const limit = (min: number, max: number): Tensor | undefined =>
      random.chance(0.7)
        ? i % 2 === 0
          ? tensor([random.int(min, max) / 16], [])
          : tensor([random.int(min, max)], [], 'int32')
        : undefined;
    return { inputs: [make(random, randomShape(random)), limit(-9, 0), limit(1, 9)] };
  },
  Sum: variadic,
  Mean: variadic,
  Max: variadic,
  Min: variadic,
  QuantizeLinear: (random, i) => {
    const dims = randomShape(random, 1, 4);
    const { axis, each } = scales(random, dims, i % 2 === 0);
    const type = random.pick(['uint8', 'int8', 'uint16', 'int16'] as const);
    const zero = random.chance(0.7) ? integers(random, each, 0, 99, type) : undefined;
    return {
      inputs: [floats(random, dims, 90), scaleOf(random, each), zero],
      attributes: { axis },
    };
  },
  DequantizeLinear: (random, i) => {
    const dims = randomShape(random, 1, 4);
    const { axis, each } = scales(random, dims, i % 2 === 0);
    const type = random.pick(['uint8', 'int8', 'uint16', 'int16'] as const);
    const zero = random.chance(0.7) ? integers(random, each, 0, 99, type) : undefined;
    return {
      inputs: [integers(random, dims, 0, 99, type), scaleOf(random, each), zero],
      attributes: { axis },
    };
  },
  BatchNormalization: (random) => {
    const dims = [random.int(1, 3), ...randomShape(random, 1, 3)];
    const each = (make = floats): Tensor => make(random, [dims[1]!]);
    return {
      inputs: [floats(random, dims), each(), each(), each(), each(positive)],
      attributes: { epsilon: 1e-3 },
    };
  },
};
