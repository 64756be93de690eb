// Every recurrent kernel against the float64 reference, over random configurations of all features.
import { afterAll, describe, test } from 'vitest';
import { getAdapter } from '../setup/gpu.ts';
import { SEED } from '../support/random.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';

const CASES = 160;

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

describe.each(['step', 'persistent'] as const)('%s kernel', (recurrentKernel) => {
  // A software adapter compiles a kernel in about 0.1 s, and each case has its own.
  test(
    `${CASES} random layers equal the reference (SEED=${SEED})`,
    () => expectLikeReference(SEED, CASES, { device, recurrentKernel }),
    300_000,
  );
});
