// Every operator on the CPU backend, with a kernel or by its float64 code, against its meaning in float64.
import { describe, expect, it } from 'vitest';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { PLACE } from '../../src/plan/specialize/loops/types.ts';
import { CPU_LOWERINGS } from '../../src/wasm/lower/index.ts';
import { elementwiseCases } from '../shaders/elementwise-cases.ts';
import { foldCases } from '../shaders/fold-cases.ts';
import { moveCases } from '../shaders/move-cases.ts';
import { productCases } from '../shaders/product-cases.ts';
import { expectLikeReference } from '../shaders/run-cases.ts';
import { floats, integers, list, type OperatorCase } from '../support/operator-case.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

const CASES = { ...elementwiseCases, ...moveCases, ...foldCases, ...productCases };

const EACH = casesOf(40, 600); // cases of every operator

// The bounds of test/shaders/operators.test.ts: sums of at most ~2000 terms of order one, functions that are
// good for a few units of 2⁻²⁴.
const CLOSENESS = { atol: 1e-5, rtol: 1e-5 };

const BACKENDS = ['wasm', 'js'] as const;
type Backend = (typeof BACKENDS)[number];

const expectAllRight = (
  backend: Backend,
  cases: readonly OperatorCase[],
  isConstant?: () => boolean,
): Promise<void> => expectLikeReference(cases, CLOSENESS, isConstant, backend);

it('there are cases for every kernel', () => {
  const others = [...CPU_LOWERINGS.keys()].filter((op) => !(op in CASES));
  // Recurrent layers and the parts of long loops have tests of their own: test/wasm/recurrent.test.ts and
  // test/model/loops.test.ts.
  expect(others).toEqual(['Recurrent', PLACE]);
});

describe.each(BACKENDS)(
  `operators on %s agree with the reference, seed ${SEED}`,
  MORE_IN_FULL,
  (backend) => {
    it.each(Object.keys(CASES))('%s', async (op) => {
      const random = randomOf(SEED);
      const cases = Array.from({ length: EACH }, (_, i) => ({ op, ...CASES[op]!(random, i) }));
      await expectAllRight(backend, cases, () => random.chance(0.5));
    });
  },
);

describe.each(BACKENDS)('sizes and numbers at the ends of what there is, on %s', (backend) => {
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
    await expectAllRight(backend, cases);
    await expectAllRight(backend, cases, () => true);
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
    await expectAllRight(backend, cases);
  });

  it('more axes than a kernel steps along', () =>
    expectAllRight(backend, [
      {
        op: 'Transpose',
        inputs: [floats(random, [2, 3, 2, 3, 2, 3, 2])],
        attributes: { perm: [6, 4, 2, 0, 1, 3, 5] },
      },
      {
        op: 'Mul',
        inputs: [floats(random, [2, 1, 2, 1, 2, 1, 2]), floats(random, [1, 3, 1, 3, 1, 3, 1])],
      },
    ]));
});
