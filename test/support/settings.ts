// How this run of the tests was started; vite.config.ts provides it in every environment.
import { inject, type SuiteOptions } from 'vitest';
import { requires } from './requires.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Seed of all random numbers; SEED=7 npm test tries another. */
    seed: number;
    /** Replays one case of a property: the `path` that fast-check printed, from CASE_PATH. */
    casePath: string;
    /** `fast` in `npm test`, `full` in `npm run test:all`. */
    tier: 'fast' | 'full';
  }
}

/** The seed of this run; print it wherever a random test can fail. */
export const SEED = inject('seed');

/** The path of the one random case to run; '' for all of them. */
export const CASE_PATH = inject('casePath');

/** Whether all cases and the long tests run. */
export const isFull = inject('tier') === 'full';

/** The script of package.json that runs this tier. */
export const SCRIPT = isFull ? 'test:all' : 'test';

/** The number of random cases of a test: in `npm test`, and in `npm run test:all`. */
export const casesOf = (fast: number, full: number): number => (isFull ? full : fast);

/** Options of a test or group that `npm run test:all` runs with more cases than `npm test`. */
export const MORE_IN_FULL: SuiteOptions = { tags: ['long'] };

/** Options of a test or group that only `npm run test:all` runs. */
export const ONLY_IN_FULL: SuiteOptions = {
  ...requires(isFull, 'a part of npm run test:all only'),
  tags: ['long'],
};
