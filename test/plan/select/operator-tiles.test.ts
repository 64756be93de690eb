// Which tile an operator gets, by its sizes and the adapter: a wrong choice still gives right
// numbers, so no other test would see it.
import { describe, expect, it } from 'vitest';
import { DEFAULT_PROFILE, type DeviceProfile } from '../../../src/plan/select/device-profile.ts';
import { convPlaces, matmulTile, rowLanes } from '../../../src/plan/select/operator-tiles.ts';

type Adapter = DeviceProfile['adapter'];

const deviceOf = (adapter: Adapter): DeviceProfile => ({ ...DEFAULT_PROFILE, adapter });

describe('tiles of operators', () => {
  it.each<[Adapter, m: number, rows: number, slices: number]>([
    ['gpu', 1, 1, 8],
    ['gpu', 2, 4, 8],
    ['gpu', 4, 4, 8],
    ['gpu', 5, 8, 4],
    ['gpu', 64, 8, 4],
    ['gpu', 65, 8, 1],
    ['swiftshader', 1, 1, 1],
    ['swiftshader', 4, 4, 1],
    ['llvmpipe', 5, 8, 1],
    ['llvmpipe', 5000, 8, 1],
  ])(
    'a product on %s with M %i: %i rows an invocation, %i-way split-K',
    (adapter, m, rows, slices) => {
      expect(matmulTile(m, deviceOf(adapter))).toEqual({ rows, slices });
    },
  );

  it.each<[Adapter, rows: number, size: number, isContiguous: boolean, lanes: number]>([
    ['gpu', 1, 8, true, 1],
    ['gpu', 1, 9, true, 4],
    ['gpu', 1, 100, true, 32],
    ['gpu', 1, 1000, true, 64],
    ['gpu', 4095, 1000, false, 64],
    ['gpu', 4096, 1000, false, 1],
    ['gpu', 4096, 1000, true, 64],
    ['swiftshader', 1, 1000, true, 4],
    ['llvmpipe', 1, 1000, true, 8],
    ['llvmpipe', 4096, 1000, false, 1],
  ])(
    'on %s %i rows of %i, contiguous %s: %i invocations a row',
    (adapter, rows, size, isContiguous, lanes) => {
      expect(rowLanes({ rows, size, isContiguous }, deviceOf(adapter))).toBe(lanes);
    },
  );

  it.each<[Adapter, count: number, width: number, places: number]>([
    ['gpu', 2 ** 16, 4, 4],
    ['gpu', 2 ** 16 - 1, 4, 1],
    ['gpu', 2 ** 20, 3, 1],
    ['swiftshader', 4, 4, 4],
    ['llvmpipe', 9, 3, 1],
  ])(
    'a convolution on %s of %i places, %i a row: %i an invocation',
    (adapter, count, width, places) => {
      expect(convPlaces(count, width, deviceOf(adapter))).toBe(places);
    },
  );
});
