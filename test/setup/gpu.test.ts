import { expect, test } from 'vitest';
import { doubleOnGpu } from './smoke.ts';

test('Dawn for Node computes', async () => {
  expect(await doubleOnGpu([1, 2, 3.5])).toEqual([2, 4, 7]);
});
