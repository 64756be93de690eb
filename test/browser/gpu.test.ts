import { expect, test } from 'vitest';
import { doubleOnGpu } from '../setup/smoke.ts';

test('the browser computes on WebGPU', async () => {
  expect(await doubleOnGpu([1, 2, 3.5])).toEqual([2, 4, 7]);
});
