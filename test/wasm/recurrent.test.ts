// Every kind of recurrent layer on the CPU kernels, against the reference.
import { describe, test } from 'vitest';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';

describe.each(['wasm', 'js'] as const)('recurrent layers on %s', MORE_IN_FULL, (device) => {
  test('random layers', () => expectLikeReference(casesOf(150, 3000), { device }));
});
