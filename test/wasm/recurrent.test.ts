// Every kind of recurrent layer on the CPU kernels, against the reference.
import { describe, test } from 'vitest';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';

describe('recurrent layers on wasm', MORE_IN_FULL, () => {
  test('random layers', () => expectLikeReference(casesOf(150, 3000), { device: 'wasm' }));
});
