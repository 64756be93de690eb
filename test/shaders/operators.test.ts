// Every operator that has a lowering, on the GPU, against its meaning in float64.
import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../src/ops/index.ts';
import { LOWERING_FAMILIES } from '../../src/plan/lower/index.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { floats, integers, list, type OperatorCase } from '../support/operator-case.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, ONLY_IN_FULL, SEED } from '../support/settings.ts';
import { elementwiseCases } from './elementwise-cases.ts';
import { foldCases } from './fold-cases.ts';
import { moveCases } from './move-cases.ts';
import { productCases } from './product-cases.ts';
import { expectLikeReference } from './run-cases.ts';

const CASES = { ...elementwiseCases, ...moveCases, ...foldCases, ...productCases };

const EACH = casesOf(5, 8); // cases of every operator
const EACH_ON_GPU = casesOf(2, 8); // of those that have other shapes for a GPU, which compile slowly

// Sums here have at most ~2000 terms of order one, whose rounding errors are random in sign:
// √2000 · 2⁻²⁴ ≈ 3e-6. Functions of WGSL are good for a few units of 2⁻²⁴, exp and pow of arguments
// up to 4 for 16 of them. Larger values may be off in proportion.
const CLOSENESS = { atol: 1e-5, rtol: 1e-5 };

describe(`operators on the GPU agree with the reference, seed ${SEED}`, MORE_IN_FULL, () => {
  it('has a lowering for every operator, and cases for every lowering', () => {
    const lowered = new Set(Object.keys(LOWERING_FAMILIES));
    const missing = FAMILIES.filter(({ name, shapeOnly }) => !shapeOnly && !lowered.has(name));
    expect(missing.map(({ name }) => name)).toEqual([]);
    expect(Object.keys(LOWERING_FAMILIES).filter((op) => !(op in CASES))).toEqual([]);
  });

  it.each(Object.keys(CASES))('%s', async (op) => {
    const random = randomOf(SEED);
    const cases = Array.from({ length: EACH }, (_, i) => ({ op, ...CASES[op]!(random, i) }));
    await expectLikeReference(cases, CLOSENESS, () => random.chance(0.5));
  });

  it.each(Object.keys({ ...foldCases, ...productCases }))('%s, as on a GPU', async (op) => {
    const random = randomOf(SEED + 1);
    const cases = Array.from({ length: EACH_ON_GPU }, (_, i) => ({ op, ...CASES[op]!(random, i) }));
    await expectLikeReference(cases, CLOSENESS, () => random.chance(0.5), 'gpu');
  });
});

describe('sizes at the ends of what there is', () => {
  const random = randomOf(SEED);

  it('nothing at all: a size of 0 anywhere', async () => {
    const none = floats(random, [0, 3]);
    const cases: OperatorCase[] = [
      { op: 'Add', inputs: [none, floats(random, [3])] },
      { op: 'Relu', inputs: [none] },
      { op: 'Concat', inputs: [none, floats(random, [2, 3]), none], attributes: { axis: 0 } },
      { op: 'Concat', inputs: [none, none], attributes: { axis: 1 } },
      { op: 'Transpose', inputs: [none] },
      { op: 'Reshape', inputs: [none, list([3, 0])], attributes: { allowzero: 1 } },
      { op: 'Slice', inputs: [floats(random, [4, 3]), list([2]), list([1])] },
      { op: 'Pad', inputs: [none, list([1, 0, 1, 0])] },
      { op: 'ReduceSum', inputs: [none, list([0])] },
      { op: 'ReduceSum', inputs: [none, list([1])] },
      { op: 'Softmax', inputs: [none] },
      { op: 'CumSum', inputs: [none, tensor([0], [], 'int64')] },
      { op: 'MatMul', inputs: [none, floats(random, [3, 5])] },
      { op: 'MatMul', inputs: [floats(random, [2, 0]), floats(random, [0, 5])] },
      { op: 'MatMul', inputs: [floats(random, [2, 0]), floats(random, [1, 0, 5])] },
      { op: 'Gemm', inputs: [none, floats(random, [3, 5]), floats(random, [5])] },
      { op: 'Gather', inputs: [floats(random, [4, 3]), integers(random, [0], 0, 3)] },
      { op: 'Conv', inputs: [floats(random, [0, 2, 5]), floats(random, [3, 2, 3])] },
      { op: 'MaxPool', inputs: [floats(random, [0, 2, 5])], attributes: { kernel_shape: [2] } },
      { op: 'LayerNormalization', inputs: [none, floats(random, [3])] },
    ];
    await expectLikeReference(cases, CLOSENESS);
    await expectLikeReference(cases, CLOSENESS, () => true);
  });

  it('extremes of nothing and of infinities alone', async () => {
    const row = (...values: number[]) => tensor(values, [1, values.length]);
    const last = { attributes: { axis: -1 } };
    const nothing = floats(random, [2, 0]);
    const cases = [row(-Infinity, -Infinity), row(Infinity, Infinity), row(-Infinity, 1, Infinity)]
      .flatMap((x): OperatorCase[] => [
        ...['Max', 'Min', 'LogSumExp'].map((name) => ({
          op: `Reduce${name}`,
          inputs: [x, list([1])],
        })),
        { op: 'ArgMax', inputs: [x], ...last },
        { op: 'ArgMin', inputs: [x], ...last },
        { op: 'GlobalMaxPool', inputs: [{ ...x, dims: [1, 1, x.data.length] } as Tensor] },
      ])
      .concat(
        ['Max', 'Min', 'LogSumExp'].map((name) => ({
          op: `Reduce${name}`,
          inputs: [nothing, list([1])],
        })),
      );
    for (const target of ['software', 'gpu'] as const) {
      await expectLikeReference(cases, CLOSENESS, undefined, target);
    }
  });

  // One dimension of a grid ends at 65535 workgroups.
  const neg = { op: 'Neg', inputs: [floats(random, [65536 * 64 + 65])] };
  it('more workgroups than one dimension holds: Neg', () => expectLikeReference([neg], CLOSENESS));
  it.each<OperatorCase>([
    { op: 'Transpose', inputs: [floats(random, [2, 65536 * 32 + 3])] },
    { op: 'Softmax', inputs: [floats(random, [65536 + 3, 140])] },
    { op: 'TopK', inputs: [floats(random, [65536 + 3, 3]), list([1])], outputs: 2 },
    { op: 'MatMul', inputs: [floats(random, [65536 * 32 + 1, 1]), floats(random, [1, 2])] },
  ])('more workgroups than one dimension holds: $op', ONLY_IN_FULL, (operatorCase) =>
    expectLikeReference([operatorCase], CLOSENESS),
  );
});
