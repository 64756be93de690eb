// Properties of random values, checked by fast-check: a failing value is shrunk to the simplest one that still
// fails, and the message has the command that runs it again.
import fc from 'fast-check';
import { expect } from 'vitest';
import { CASE_PATH, SCRIPT, SEED } from './settings.ts';

/** FNV-1a, 32 bits: tests of one seed draw different values. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  return hash;
};

/** Runs after the first failure: a software adapter needs about 0.2 s for each. */
const MAX_SHRINKS = 500;

/** Fails unless `check` accepts `cases` random values. */
export async function expectForAll<T>(
  arbitrary: fc.Arbitrary<T>,
  cases: number,
  check: (value: T) => Promise<void> | void,
): Promise<void> {
  const test = expect.getState().currentTestName ?? '';
  let left = Infinity;
  const property = fc.asyncProperty(arbitrary, async (value) => {
    fc.pre(left-- > 0);
    try {
      await check(value);
    } catch (error) {
      if (!fc.PreconditionFailure.isFailure(error)) left = Math.min(left, MAX_SHRINKS);
      throw error;
    }
  });
  const result = await fc.check(property, {
    numRuns: cases,
    seed: hashOf(test) ^ SEED,
    unbiased: true, // the arbitraries choose from lists that hold the critical sizes
    ...(CASE_PATH !== '' && { path: CASE_PATH }),
  });
  if (!result.failed) return;
  const name = test.replaceAll(' > ', ' ').replace(/[^\w ,:=-]/g, '.'); // a regular expression
  const again = `SEED=${SEED} CASE_PATH=${result.counterexamplePath} npm run ${SCRIPT} -- -t '${name}'`;
  throw new Error(`${fc.defaultReportMessage(result)}\nTo run this case again: ${again}`, {
    cause: result.errorInstance,
  });
}

/** What an arbitrary draws. */
export type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;

/** One value, the same for each seed: for tests that need an example and not a property. */
export const exampleOf = <T>(arbitrary: fc.Arbitrary<T>, seed = SEED): T =>
  fc.sample(arbitrary, { numRuns: 1, seed, unbiased: true })[0]!;

/** A value that counterexamples show as `text`. */
export const printedAs = <T extends object>(value: T, text: string): T =>
  Object.defineProperty(value, fc.toStringMethod, { value: () => text });

/** One of some values; shrinks towards the first. */
export const oneOf = <T>(choices: readonly T[]): fc.Arbitrary<T> =>
  fc.nat(choices.length - 1).map((index) => choices[index]!);

/** True with this probability; shrinks to false. */
export const chance = (probability: number): fc.Arbitrary<boolean> =>
  fc.nat(99).map((percent) => percent >= 100 * (1 - probability));

/** A value with this probability, else undefined; shrinks to undefined. */
export const optional = <T>(
  probability: number,
  arbitrary: fc.Arbitrary<T>,
): fc.Arbitrary<T | undefined> =>
  probability === 1
    ? arbitrary
    : chance(probability).chain((isThere) => (isThere ? arbitrary : fc.constant(undefined)));

/** `count` values; each shrinks independently. */
export const times = <T>(count: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.tuple(...Array.from({ length: count }, () => arbitrary));

/** Seeds of `randomOf`, for numbers of which none are simpler than others. */
export const seeds: fc.Arbitrary<number> = fc.noShrink(fc.nat(2 ** 31 - 1));
