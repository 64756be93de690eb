// Reductions, products, and what picks along an axis, against ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { tensor, type Tensor } from '../../src/tensor.ts';
import {
  evaluateCase,
  expectLikeOnnxRuntime,
  expectManyLikeOnnxRuntime,
  floats,
  inferCase,
  integers,
  list,
  narrower,
  randomDims,
} from '../support/operator-case.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const CASES = 15;
const scalar = (value: number): Tensor => tensor([value], [], 'int64');

const NAMES = ['Mean', 'Sum', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSumExp', 'SumSquare'];

describe(`reductions agree with ONNX Runtime, seed ${SEED}`, () => {
  const random = randomOf(SEED);

  it.each([...NAMES, 'LogSum'])('Reduce%s', (name) =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random, 1);
      const axes = random.permutation(dims.length).slice(0, random.int(1, dims.length));
      const signed = axes.map((axis) => (random.chance(0.5) ? axis : axis - dims.length));
      const whole = i % 5 === 4 && name !== 'LogSumExp' && name !== 'LogSum';
      const { data } = floats(random, dims) as Tensor<'float32'>;
      const x = name === 'LogSum' ? tensor(data.map(Math.abs), dims) : tensor(data, dims);
      return {
        op: `Reduce${name}`,
        inputs: [
          whole ? integers(random, dims, -3, 3, 'int32') : x,
          i % 4 === 0 ? undefined : list(signed),
        ],
        attributes: { keepdims: random.int(0, 1), ...(i % 4 === 0 && { noop_with_empty_axes: 0 }) },
      };
    }),
  );

  it.each(NAMES)('Reduce%s without axes may take each element by itself', async (name) => {
    for (const axes of [undefined, list([])]) {
      const inputs = [floats(random, [2, 3]), axes];
      await expectLikeOnnxRuntime({
        op: `Reduce${name}`,
        inputs,
        attributes: { noop_with_empty_axes: 1 },
      });
      await expectLikeOnnxRuntime({ op: `Reduce${name}`, inputs });
    }
  });

  it('sums and products of nothing', async () => {
    for (const name of ['Sum', 'Prod', 'L1', 'SumSquare']) {
      await expectLikeOnnxRuntime({
        op: `Reduce${name}`,
        inputs: [floats(random, [2, 0, 3]), list([1])],
      });
    }
  });

  it.each(['ArgMax', 'ArgMin'])('%s, first or last of equals', (op) =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const attributes = {
        axis: random.int(-dims.length, dims.length - 1),
        keepdims: random.int(0, 1),
        select_last_index: random.int(0, 1),
      };
      return { op, inputs: [integers(random, dims, 0, 2, 'int32')], attributes };
    }),
  );

  it('TopK', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1, 4, 6);
      const axis = random.int(-dims.length, dims.length - 1);
      const k = list([random.int(1, dims.at(axis)!)]);
      const attributes = { axis, largest: random.int(0, 1) };
      return { op: 'TopK', inputs: [integers(random, dims, 0, 5), k], attributes, outputs: 2 };
    }));

  it('CumSum', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const axis = scalar(random.int(-dims.length, dims.length - 1));
      const attributes = { exclusive: random.int(0, 1), reverse: random.int(0, 1) };
      return { op: 'CumSum', inputs: [floats(random, dims), axis], attributes };
    }));
});

describe(`matrix products agree with ONNX Runtime, seed ${SEED}`, () => {
  const random = randomOf(SEED);

  it('MatMul broadcasts batches and takes vectors', () =>
    expectManyLikeOnnxRuntime(CASES * 2, (i) => {
      const [m, k, n] = [random.int(1, 5), random.int(1, 6), random.int(1, 5)];
      const batch = randomDims(random, 0, 2);
      const a = i % 5 === 0 ? [k] : [...narrower(random, batch), m, k];
      const b = i % 7 === 0 ? [k] : [...narrower(random, batch), k, n];
      return { op: 'MatMul', inputs: [floats(random, a), floats(random, b)] };
    }));

  it('MatMul of integers and of nothing', async () => {
    const inputs = [
      integers(random, [2, 3], -5, 5, 'int32'),
      integers(random, [3, 2], -5, 5, 'int32'),
    ];
    await expectLikeOnnxRuntime({ op: 'MatMul', inputs });
    await expectLikeOnnxRuntime({
      op: 'MatMul',
      inputs: [floats(random, [2, 0]), floats(random, [0, 3])],
    });
  });

  it('Gemm', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const [m, k, n] = [random.int(1, 5), random.int(1, 6), random.int(1, 5)];
      const [transA, transB] = [random.int(0, 1), random.int(0, 1)];
      const inputs = [
        floats(random, transA ? [k, m] : [m, k]),
        floats(random, transB ? [n, k] : [k, n]),
        i % 3 === 0 ? undefined : floats(random, narrower(random, [m, n])),
      ];
      const factors = i % 2 ? { alpha: 0.5, beta: -1.5 } : {};
      return { op: 'Gemm', inputs, attributes: { transA, transB, ...factors } };
    }));

  it('refuses sizes that do not fit', () => {
    const [a, b] = [floats(random, [2, 3]), floats(random, [2, 3])];
    expect(() => inferCase({ op: 'MatMul', inputs: [a, b] })).toThrow(
      /inner sizes of a matrix product, got \[2, 3\] and \[2, 3\]/,
    );
    expect(() => inferCase({ op: 'MatMul', inputs: [a, tensor([1], [])] })).toThrow(/inner sizes/);
    expect(() => inferCase({ op: 'Gemm', inputs: [a, b] })).toThrow(
      /inputs\[1\]: inner size, got 2, expected 3/,
    );
    const bias = floats(random, [2, 2, 3]);
    expect(() =>
      inferCase({ op: 'Gemm', inputs: [a, b, bias], attributes: { transB: 1 } }),
    ).toThrow(/inputs\[2\]/);
    expect(() => inferCase({ op: 'Gemm', inputs: [a, tensor([1, 2])] })).toThrow(
      /inputs\[1\]: shape, got \[2\], expected a matrix/,
    );
  });
});

describe('picking along an axis', () => {
  it('refuses more elements than there are', () => {
    const inputs = [tensor([1, 2]), list([3])];
    expect(() => inferCase({ op: 'TopK', inputs })).toThrow(
      /inputs\[1\]: number of elements, got 3, expected 0 to 2/,
    );
  });

  it('leaves a NaN out', () => {
    const inputs = [tensor([1, NaN, 3]), list([2])];
    expect(evaluateCase({ op: 'TopK', inputs, outputs: 2 })[1]!.data).toEqual(
      Float64Array.of(2, 0),
    );
  });

  it('finds no extreme in nothing', () => {
    expect(() => inferCase({ op: 'ArgMax', inputs: [tensor([], [0])] })).toThrow(
      /size of axis 0, got 0, expected 1 or more/,
    );
  });
});
