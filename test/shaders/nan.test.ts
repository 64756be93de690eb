// NaN in the inputs of operators: the GPU puts NaN where the float64 reference does, and nowhere else.
import { describe, it } from 'vitest';
import { isFloat, tensor, type Tensor } from '../../src/tensor.ts';
import { floats, list, type OperatorCase } from '../support/operator-case.ts';
import { randomOf, type Random } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { elementwiseCases } from './elementwise-cases.ts';
import { foldCases } from './fold-cases.ts';
import { moveCases } from './move-cases.ts';
import { productCases } from './product-cases.ts';
import { expectLikeReference } from './run-cases.ts';

const CASES = { ...elementwiseCases, ...moveCases, ...foldCases, ...productCases };
const EACH = casesOf(1, 6); // of each operator

/** What an operator makes of NaN as an integer or as an index is left open, so it gets none. */
const LEFT_OPEN: ReadonlySet<string> = new Set([
  'Cast',
  'OneHot',
  'QuantizeLinear',
  'DynamicQuantizeLinear',
]);

/** Weights get none: padding contributes 0 · w to a sum on the GPU, and nothing in the reference. */
const isWeight = (op: string, slot: number): boolean => op.startsWith('Conv') && slot === 1;

const CLOSENESS = { atol: 1e-5, rtol: 1e-5, nanEqual: true };

/** Some numbers replaced by NaN of either sign. */
function withNan(random: Random, value: Tensor, always: boolean): Tensor {
  const data = Float32Array.from(value.data as Float32Array);
  const bits = new Uint32Array(data.buffer);
  const place = always && data.length > 0 ? random.int(0, data.length - 1) : -1;
  for (const i of data.keys()) {
    if (i === place || random.chance(0.03)) bits[i] = random.pick([0x7fc00000, 0xffc00001]);
  }
  return tensor(data, value.dims);
}

describe(`NaN through every operator, seed ${SEED}`, MORE_IN_FULL, () => {
  it.each(Object.keys(CASES).filter((op) => !LEFT_OPEN.has(op)))('%s', async (op) => {
    const random = randomOf(SEED);
    const cases = Array.from({ length: EACH }, (_, i): OperatorCase => {
      // The first cases of some operators are large, and tested without NaN.
      const made = CASES[op]!(random, i + 2);
      const inputs = made.inputs.map((input, slot) =>
        input && isFloat(input.type) && !isWeight(op, slot)
          ? withNan(random, input, slot === 0)
          : input,
      );
      return { op, ...made, inputs };
    });
    await expectLikeReference(cases, CLOSENESS);
  });

  it.each(['software', 'gpu'] as const)('in rows, for the kernels of a %s', async (target) => {
    const random = randomOf(SEED);
    const rows = withNan(random, floats(random, [4, 300], 3), true);
    const planes = { ...rows, dims: [2, 2, 300] };
    const last = { attributes: { axis: -1 } };
    const reductions = 'Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare'.split(' ');
    const cases: OperatorCase[] = [
      ...reductions.map((name) => ({ op: `Reduce${name}`, inputs: [rows, list([1])] })),
      ...['Softmax', 'LogSoftmax', 'ArgMax', 'ArgMin'].map((op) => ({
        op,
        inputs: [rows],
        ...last,
      })),
      ...['ArgMax', 'ArgMin'].map((op) => ({
        op,
        inputs: [rows],
        attributes: { axis: -1, select_last_index: 1 },
      })),
      { op: 'TopK', inputs: [rows, list([290])], outputs: 2, ...last },
      { op: 'MaxPool', inputs: [planes], outputs: 2, attributes: { kernel_shape: [5] } },
      { op: 'AveragePool', inputs: [planes], attributes: { kernel_shape: [5] } },
      { op: 'GlobalMaxPool', inputs: [planes] },
      { op: 'GlobalAveragePool', inputs: [planes] },
      { op: 'MatMul', inputs: [rows, floats(random, [300, 3])] },
    ];
    // Rounding errors of a product of 300 numbers, and of their sums.
    await expectLikeReference(cases, { ...CLOSENESS, atol: 1e-3, rtol: 1e-4 }, undefined, target);
  });

  it('softmax of infinities', async () => {
    const row = (...values: number[]) => tensor(values, [1, values.length]);
    const cases = [
      row(-Infinity, -Infinity),
      row(Infinity, 1, 2),
      row(-Infinity, 1, NaN),
      row(-Infinity, 1, 2),
    ].map((x): OperatorCase => ({ op: 'Softmax', inputs: [x] }));
    await expectLikeReference(cases, CLOSENESS);
  });

  it('one bad row of a product leaves the others as they are', async () => {
    const random = randomOf(SEED);
    const [m, k, n] = [7, 37, 21];
    const data = random.floats(m * k);
    data.fill(NaN, 3 * k, 4 * k);
    const cases: OperatorCase[] = [
      { op: 'MatMul', inputs: [tensor(data, [m, k]), floats(random, [k, n])] },
      { op: 'Softmax', inputs: [tensor(data, [m, k])] },
      {
        op: 'Conv',
        inputs: [tensor(data, [m, 1, k]), floats(random, [5, 1, 3])],
        attributes: { pads: [1, 1] },
      },
      { op: 'LayerNormalization', inputs: [tensor(data, [m, k]), floats(random, [k])] },
    ];
    await expectLikeReference(cases, { ...CLOSENESS, rtol: 1e-4 });
  });
});
