// Sequences longer than one chunk of time steps: the state passes from chunk to chunk.
import { afterAll, describe, test } from 'vitest';
import { getFullDevice } from '../setup/gpu.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';

const CASES = casesOf(1, 4); // of each kernel and kind of layer
const T = 259; // MAX_LOOP_STEPS is 256: a chunk and three steps, an odd number

const device = await getFullDevice();
afterAll(() => device.destroy());

describe.each(['step', 'persistent'] as const)('%s kernel', MORE_IN_FULL, (recurrentKernel) => {
  test.each([
    [
      'from zero, in both directions',
      { initialH: false, initialC: false, direction: 'bidirectional' },
    ],
    ['from given states', { initialH: true, initialC: true }],
  ] as const)('a sequence of several chunks, %s', (_, given) =>
    expectLikeReference(
      CASES,
      { device, recurrentKernel },
      { cell: 'lstm', T, B: 2, hidden: 5, projected: 0, outputs: [true, true, true], ...given },
    ),
  );
});
