// Elementwise operators against ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { ACTIVATIONS } from '../../src/cells/index.ts';
import { erf } from '../../src/ops/unary.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import {
  evaluateCase,
  expectManyLikeOnnxRuntime,
  floats,
  inferCase,
  integers,
  narrower,
  randomDims,
} from '../support/operator-case.ts';
import { randomOf, type Random } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const CASES = 12;
const bools = (random: Random, dims: readonly number[]): Tensor =>
  integers(random, dims, 0, 1, 'bool');
/** Numbers away from zero, so that quotients and logarithms stay of order one. */
const positive = (random: Random, dims: readonly number[]): Tensor => {
  const { data } = floats(random, dims) as Tensor<'float32'>;
  return tensor(
    data.map((x) => Math.abs(x) + 0.25),
    dims,
  );
};

describe(`elementwise operators agree with ONNX Runtime, seed ${SEED}`, () => {
  it.each(['Add', 'Sub', 'Mul', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Equal'])(
    '%s of floats and of integers',
    async (op) => {
      const random = randomOf(SEED);
      await expectManyLikeOnnxRuntime(CASES, (i) => {
        const dims = randomDims(random);
        const shapes = random.chance(0.5)
          ? [dims, narrower(random, dims)]
          : [narrower(random, dims), dims];
        const type = (['int64', 'int32'] as const)[i % 2]!;
        return {
          op,
          inputs: shapes.map((shape) =>
            i % 3 === 0 ? integers(random, shape, -3, 3, type) : floats(random, shape),
          ),
        };
      });
    },
  );

  it('Div drops the fraction of integers', async () => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random);
      const inputs =
        i % 2 === 0
          ? [integers(random, dims, -20, 20), integers(random, narrower(random, dims), 1, 5)]
          : [floats(random, dims), positive(random, narrower(random, dims))];
      return { op: 'Div', inputs };
    });
  });

  it('integers wrap around', async () => {
    for (const type of ['int32', 'uint8', 'int8'] as const) {
      const a = tensor([100, 127, 2], [3], type);
      await expectManyLikeOnnxRuntime(1, () => ({
        op: 'Cast',
        inputs: [tensor([300, -1, 65], [3], 'int32')],
        attributes: { to: { int32: 6, uint8: 2, int8: 3 }[type] },
      }));
      expect(evaluateCase({ op: 'Mul', inputs: [a, a] })[0]!.data).toEqual(
        Float64Array.from({ int32: [10000, 16129, 4], uint8: [16, 1, 4], int8: [16, 1, 4] }[type]),
      );
    }
  });

  it('Pow takes its type from the base', async () => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random);
      const shape = narrower(random, dims);
      const exponent = i % 2 === 0 ? integers(random, shape, 0, 3) : floats(random, shape, 2);
      return {
        op: 'Pow',
        inputs: [
          i % 4 < 2 ? positive(random, dims) : integers(random, dims, 1, 4),
          i % 4 < 2 ? exponent : integers(random, shape, 0, 3),
        ],
      };
    });
  });

  it('Mod has the sign of the divisor, fmod that of the dividend', async () => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random);
      const divisor = narrower(random, dims);
      if (i % 2 === 0) {
        const inputs = [
          integers(random, dims, -9, 9),
          tensor(
            Array.from(
              integers(random, divisor, 1, 4).data,
              (x) => Number(x) * (random.chance(0.5) ? -1 : 1),
            ),
            divisor,
            'int64',
          ),
        ];
        return { op: 'Mod', inputs, attributes: { fmod: random.int(0, 1) } };
      }
      return {
        op: 'Mod',
        inputs: [floats(random, dims, 5), positive(random, divisor)],
        attributes: { fmod: 1 },
      };
    });
  });

  it.each(['And', 'Or', 'Xor', 'Equal'])('%s of bools', async (op) => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random);
      return { op, inputs: [bools(random, dims), bools(random, narrower(random, dims))] };
    });
  });

  it.each(['Min', 'Max', 'Sum', 'Mean'])('%s of any number of inputs', async (op) => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random);
      const rest = Array.from({ length: random.int(0, 3) }, () =>
        floats(random, narrower(random, dims)),
      );
      return { op, inputs: [floats(random, dims), ...rest] };
    });
  });

  it('Where, PRelu', async () => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random);
      const [a, b] = [narrower(random, dims), narrower(random, dims)];
      return { op: 'Where', inputs: [bools(random, dims), floats(random, a), floats(random, b)] };
    });
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      return {
        op: 'PRelu',
        inputs: [floats(random, dims), floats(random, narrower(random, dims))],
      };
    });
  });

  it('Clip with either bound left out', async () => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, (i) => {
      const bounds = [tensor([-0.4], []), tensor([i % 5 === 0 ? -0.6 : 0.3], [])];
      const inputs = [
        floats(random, randomDims(random)),
        i % 4 < 2 ? bounds[0] : undefined,
        i % 2 ? bounds[1] : undefined,
      ];
      return { op: 'Clip', inputs };
    });
  });

  const anyNumber =
    'Abs Neg Erf Floor Ceil Round Sign Sin Cos Identity IsNaN Gelu Relu Tanh Sigmoid LeakyRelu ' +
    'ThresholdedRelu HardSigmoid Elu Softsign Softplus Selu Exp HardSwish Mish Celu';
  it.each(anyNumber.split(' '))('%s', async (op) => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES / 2, () => ({
      op,
      inputs: [floats(random, randomDims(random), 6)],
    }));
  });

  it.each(['Sqrt', 'Log', 'Reciprocal'])('%s of positive numbers', async (op) => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES / 2, () => ({
      op,
      inputs: [positive(random, randomDims(random))],
    }));
  });

  it.each([
    ['LeakyRelu', { alpha: 0.3 }],
    ['ThresholdedRelu', { alpha: 0.5 }],
    ['HardSigmoid', { alpha: 0.3, beta: 0.4 }],
    ['Elu', { alpha: 0.7 }],
    ['Selu', { alpha: 1.5, gamma: 1.1 }],
    ['Celu', { alpha: 0.6 }],
    ['Gelu', { approximate: 'tanh' }],
  ])('%s with %o', async (op, attributes) => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES / 2, () => ({
      op,
      inputs: [floats(random, randomDims(random), 3)],
      attributes,
    }));
  });

  it('Round goes to the even neighbour', async () => {
    await expectManyLikeOnnxRuntime(1, () => ({
      op: 'Round',
      inputs: [tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6])],
    }));
  });

  it('Not, and Neg, Abs, Sign of integers', async () => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(2, () => ({ op: 'Not', inputs: [bools(random, [5])] }));
    for (const op of ['Neg', 'Abs', 'Sign']) {
      await expectManyLikeOnnxRuntime(2, () => ({
        op,
        inputs: [integers(random, [5], -9, 9, 'int32')],
      }));
    }
  });

  it('Cast between floats, integers and bool', async () => {
    const random = randomOf(SEED);
    const codes = {
      float32: 1,
      uint8: 2,
      int8: 3,
      int32: 6,
      int64: 7,
      bool: 9,
      float64: 11,
    } as const;
    for (const from of Object.keys(codes) as (keyof typeof codes)[]) {
      for (const to of Object.values(codes)) {
        const signed = from === 'uint8' || from === 'bool' || to === 2 ? 0 : -9;
        const input = from.startsWith('float')
          ? tensor(
              Array.from(random.floats(6, 9), (x) => (signed === 0 ? Math.abs(x) : x)),
              [6],
              from,
            )
          : integers(random, [6], signed, from === 'bool' ? 1 : 9, from);
        await expectManyLikeOnnxRuntime(1, () => ({
          op: 'Cast',
          inputs: [input],
          attributes: { to },
        }));
      }
    }
  });

  it('Dropout lets everything through', async () => {
    const random = randomOf(SEED);
    const inputs = [floats(random, [2, 3]), tensor([0.5], [])];
    await expectManyLikeOnnxRuntime(1, () => ({ op: 'Dropout', inputs, outputs: 2 }));
  });

  it.each(['Softmax', 'LogSoftmax'])('%s along any axis', async (op) => {
    const random = randomOf(SEED);
    await expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random, 1);
      const axis = random.int(-dims.length, dims.length - 1);
      return {
        op,
        inputs: [floats(random, dims, i % 2 ? 3 : 60)],
        attributes: i === 0 ? {} : { axis },
      };
    });
  });
});

describe('elementwise operators', () => {
  it('erf is exact to float64', () => {
    // Values of https://oeis.org and Abramowitz & Stegun table 7.1.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 15);
    expect(erf(-1)).toBeCloseTo(-0.8427007929497149, 15);
    expect(erf(3)).toBeCloseTo(0.9999779095030014, 15);
    expect([erf(0), erf(7), erf(-7)]).toEqual([0, 1, -1]);
    expect(erf(NaN)).toBeNaN();
  });

  it('a Cast names its type by number or by name', () => {
    const inputs = [tensor([1.5])];
    expect(inferCase({ op: 'Cast', inputs, attributes: { to: 'int64' } })[0]!.type).toBe('int64');
    expect(() => inferCase({ op: 'Cast', inputs, attributes: { to: 8 } })).toThrow(
      /to: element type, got 8/,
    );
  });

  it('every activation is an operator', () => {
    for (const op of Object.keys(ACTIVATIONS)) {
      expect(inferCase({ op, inputs: [tensor([1, 2])] })).toEqual([{ type: 'float32', dims: [2] }]);
    }
  });

  it('refuses shapes, types and counts that do not fit', () => {
    const [a, b] = [tensor([1, 2, 3]), tensor([1, 2])];
    expect(() => inferCase({ op: 'Add', inputs: [a, b] })).toThrow(
      /graph\.nodes\[0\]\.inputs: got \[3\] and \[2\]/,
    );
    expect(() => inferCase({ op: 'Add', inputs: [a] })).toThrow(
      /number of inputs of Add, got 1, expected 2/,
    );
    expect(() => inferCase({ op: 'Add', inputs: [a, tensor([1], [1], 'int64')] })).toThrow(
      /inputs\[1\]: element type, got int64, expected float32/,
    );
    expect(() => inferCase({ op: 'Add', inputs: [a, undefined] })).toThrow(
      /inputs\[1\]: input of Add, got nothing/,
    );
    expect(() => inferCase({ op: 'And', inputs: [a, a] })).toThrow(/got float32, expected bool/);
    expect(() => inferCase({ op: 'PRelu', inputs: [b, tensor([1, 1, 1, 1], [2, 2])] })).toThrow(
      /inputs\[1\]: shape/,
    );
    expect(() => inferCase({ op: 'Elu', inputs: [a], attributes: { alpha: 'x' } })).toThrow(
      /alpha: attribute of Elu, got x, expected a number/,
    );
    expect(() => inferCase({ op: 'Relu', inputs: [a], outputs: 2 })).toThrow(
      /outputs\[1\]: number of outputs of Relu, got 2, expected at most 1/,
    );
    expect(() => inferCase({ op: 'Softmax', inputs: [a], attributes: { axis: 1 } })).toThrow(
      /axis: axis out of range, got 1, expected -1 to 0/,
    );
  });
});
