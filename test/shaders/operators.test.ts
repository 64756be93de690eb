// Every operator that has a lowering, on the GPU, against its meaning in float64.
import { describe, expect, it } from 'vitest';
import { LOWERINGS } from '../../src/plan/lower/index.ts';
import { isFloat } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { describeCase, evaluateCase } from '../support/operator-case.ts';
import { SEED, randomOf } from '../support/random.ts';
import { elementwiseCases } from './elementwise-cases.ts';
import { foldCases } from './fold-cases.ts';
import { moveCases } from './move-cases.ts';
import { productCases } from './product-cases.ts';
import { runCases } from './run-cases.ts';

const CASES = { ...elementwiseCases, ...moveCases, ...foldCases, ...productCases };

const EACH = 14; // of every operator, 70 and more operators

// Sums here have at most ~2000 terms of order one, whose rounding errors are random in sign:
// √2000 · 2⁻²⁴ ≈ 3e-6. Functions of WGSL are good for a few units of 2⁻²⁴, exp and pow of arguments
// up to 4 for 16 of them. Larger values may be off in proportion.
const CLOSENESS = { atol: 1e-5, rtol: 1e-5 };

describe(`operators on the GPU agree with the reference, seed ${SEED}`, () => {
  it('has cases for every lowering', () => {
    const missing = [...LOWERINGS.keys()].filter((op) => op !== 'Recurrent' && !(op in CASES));
    expect(missing).toEqual([]);
  });

  it.each(Object.keys(CASES))('%s', async (op) => {
    const random = randomOf(SEED);
    const cases = Array.from({ length: EACH }, (_, i) => ({ op, ...CASES[op]!(random, i) }));
    const results = await runCases(cases, () => random.chance(0.5));
    for (const [n, operatorCase] of cases.entries()) {
      const label = describeCase(operatorCase);
      for (const [slot, want] of evaluateCase(operatorCase).entries()) {
        const got = results[n]![slot]!;
        const { type, dims } = want;
        expect({ type: got.type, dims: got.dims }, label).toEqual({ type, dims });
        const closeness = isFloat(type) ? CLOSENESS : { atol: 0.5 };
        expectClose(got.data, want.data, { ...closeness, label: `${label}: y${slot}`, dims });
      }
    }
  });
});
