// The bounds that src/wasm/assembly/math.ts states for its functions, over all exponents of float32. The plain
// kernels keep them too, and src/wasm/plain/math.ts states those of its own.
import { beforeAll, describe, expect, it } from 'vitest';
import { ACTIVATIONS } from '../../src/cells/index.ts';
import { erf } from '../../src/ops/unary.ts';
import * as id from '../../src/wasm/assembly/ids.ts';
import { LinearMemory } from '../../src/wasm/memory.ts';
import type { Kernels } from '../../src/wasm/kernels.ts';
import { exp, gate, tanh } from '../../src/wasm/plain/math.ts';
import { KERNELS } from './builds.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

const MANTISSAS = casesOf(96, 4096); // of each exponent and sign

/** Numbers of every exponent and both signs: subnormal, infinite and NaN ones as well. */
function everyExponent(): Float32Array {
  const random = randomOf(SEED);
  const words: number[] = [];
  for (let exponent = 0; exponent < 256; exponent++) {
    for (const sign of [0, 0x80000000]) {
      for (let k = 0; k < MANTISSAS; k++) {
        const mantissa = k === 0 ? 0 : k === 1 ? 0x7fffff : Math.floor(random.next() * 0x800000);
        words.push((sign | (exponent << 23) | mantissa) >>> 0);
      }
    }
  }
  return new Float32Array(Uint32Array.from(words).buffer);
}

const INPUTS = everyExponent();

interface Bound {
  readonly kind: number;
  readonly f: (x: number) => number;
  readonly absolute?: number;
  readonly relative?: number;
}

const { Tanh, Sigmoid, Softplus, Elu, Mish, Swish } = ACTIVATIONS;

const BOUNDS: Readonly<Record<string, Bound>> = {
  // 2⁻¹⁴⁹ is the smallest number: below 2⁻¹²⁶ the error is a part of it.
  Exp: { kind: id.EXP, f: Math.exp, relative: 2.5e-7, absolute: 2 ** -149 },
  Sigmoid: { kind: id.SIGMOID, f: Sigmoid.f, absolute: 1.5e-7 },
  Tanh: { kind: id.TANH, f: Tanh.f, relative: 4e-7, absolute: 4e-43 },
  Log: { kind: id.LOG, f: Math.log, relative: 3e-7, absolute: 1e-7 },
  Erf: { kind: id.ERF, f: erf, absolute: 7e-7 },
  Softplus: { kind: id.SOFTPLUS, f: Softplus.f, relative: 3e-7, absolute: 3e-7 },
  Elu: { kind: id.ELU, f: (x) => Elu.f(x, 1), absolute: 2e-7, relative: 1e-7 },
  Mish: { kind: id.MISH, f: Mish.f, absolute: 1e-6, relative: 1e-6 },
  Swish: { kind: id.SWISH, f: (x) => Swish.f(x, 1), absolute: 1e-6, relative: 1e-6 },
  Sin: { kind: id.SIN, f: Math.sin, absolute: 6e-8 },
  Cos: { kind: id.COS, f: Math.cos, absolute: 6e-8 },
};

/** Runs a function of the kernels on numbers. */
function apply({ run, ...kernels }: Kernels, kind: number, numbers: Float32Array): Float32Array {
  const memory = new LinearMemory({ run, ...kernels });
  const [x, y, table] = [numbers.length, numbers.length, 8].map((n) =>
    memory.take(n * 4, 'test'),
  ) as [number, number, number];
  memory.f32.set(numbers, x / 4);
  memory.i32.set([id.UNARY, 8, kind, x, y, numbers.length, 0, 0], table / 4);
  memory.f32.set([1, 0], table / 4 + 6); // alpha and beta
  expect(run(table, 1)).toBe(-1);
  return memory.f32.slice(y / 4, y / 4 + numbers.length);
}

describe.each(KERNELS)('functions of %s', MORE_IN_FULL, (_name, make) => {
  let kernels: Kernels;
  beforeAll(async () => {
    kernels = await make();
  });

  it.each(Object.entries(BOUNDS))('%s', (_, { kind, f, absolute = 0, relative = 0 }) => {
    const results = apply(kernels, kind, INPUTS);
    let [worst, at] = [0, 0];
    INPUTS.forEach((x, i) => {
      const [got, exact] = [results[i]!, f(x)];
      if (Number.isNaN(exact) || Number.isNaN(x)) {
        // 0 · ∞ of a product that the reference forms in float64 is the only difference.
        if (!Number.isNaN(x) && kind === id.SWISH) return;
        if (!Number.isNaN(got)) [worst, at] = [Infinity, x];
        return;
      }
      const rounded = Math.fround(exact);
      if (got === rounded) return;
      const error = Math.abs(got - exact) / (absolute + relative * Math.abs(exact));
      if (!(error <= worst)) [worst, at] = [Number.isNaN(error) ? Infinity : error, x];
    });
    expect(
      worst,
      `times the bound, at ${at}: got ${apply(kernels, kind, Float32Array.of(at))[0]}`,
    ).toBeLessThanOrEqual(1);
  });
});

describe('functions of plain cells, in float64', MORE_IN_FULL, () => {
  it('the exponential is off by 1e-15 of itself, and ends where that of float32 has ended', () => {
    for (const x of INPUTS) {
      const [got, want] = [exp(x), Math.exp(x)];
      if (Number.isNaN(x)) expect(got).toEqual(NaN);
      else if (Math.abs(x) > 708) expect(got).toBe(x > 0 ? Infinity : 0);
      else if (!(Math.abs(got - want) <= 1e-15 * want))
        expect.fail(`exp(${x}) = ${got}, not ${want}`);
    }
    expect(exp(0)).toBe(1);
  });

  it('a gate is off by 1e-15 at most, tanh by 1e-13 of itself', () => {
    for (const x of INPUTS) {
      if (Number.isNaN(x)) {
        expect([gate(x), tanh(x)]).toEqual([NaN, NaN]);
        continue;
      }
      if (!(Math.abs(gate(x) - Sigmoid.f(x)) <= 1e-15)) expect.fail(`gate(${x}) = ${gate(x)}`);
      const exact = Math.tanh(x);
      // Below 2⁻¹⁰⁰ the squares of the ratio vanish, and so does their error.
      if (!(Math.abs(tanh(x) - exact) <= 1e-13 * Math.abs(exact)))
        expect.fail(`tanh(${x}) = ${tanh(x)}`);
    }
  });
});
