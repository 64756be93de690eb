// What the candidates for a recurrent layer need, which of them an override leaves, and what is said when no
// one fits.
import { describe, expect, it } from 'vitest';
import { RnnError } from '../../../src/errors.ts';
import { DEFAULT_PROFILE, type DeviceProfile } from '../../../src/plan/select/device-profile.ts';
import { projectCandidates } from '../../../src/plan/select/project-candidates.ts';
import {
  recurrentCandidates,
  recurrentKey,
} from '../../../src/plan/select/recurrent-candidates.ts';
import type { RecurrentShape } from '../../../src/plan/select/recurrent-candidates.ts';
import {
  cheapest,
  excess,
  select,
  type Overrides,
} from '../../../src/plan/select/select-kernel.ts';
import { stackCandidates } from '../../../src/plan/select/stack-candidates.ts';
import { RECURRENT_VARIANTS } from '../../../src/plan/select/variants.ts';
import { recurrentSpec } from '../../support/recurrent-spec.ts';

const layer = (hidden: number, steps = 64, rows = 1): RecurrentShape => ({
  spec: recurrentSpec('lstm', hidden),
  rows,
  steps,
});
const deviceOf = (given: Partial<DeviceProfile> = {}): DeviceProfile => ({
  ...DEFAULT_PROFILE,
  ...given,
});
const reasonsOf = (
  shape: RecurrentShape,
  device: DeviceProfile,
  overrides?: Overrides,
): Record<string, string | undefined> =>
  Object.fromEntries(
    recurrentCandidates(shape, device, overrides).map((each) => [each.name, each.refusal()]),
  );

describe('what does not fit', () => {
  it('names the kernel, what it needs and what the device has', () => {
    expect(reasonsOf(layer(256), deviceOf({ maxStorageBuffersPerShaderStage: 4 }))).toEqual({
      'persistent-registers': undefined,
      'persistent-streamed': undefined,
      'step-split-k': 'recurrent-step-0 binds 5 storage buffers, the device allows 4',
      'step-plain': 'recurrent-step-0 binds 5 storage buffers, the device allows 4',
    });
    const projected: RecurrentShape = {
      ...layer(1024),
      spec: recurrentSpec('lstm', 1024, { projected: true, output: 512 }),
    };
    expect(reasonsOf(projected, deviceOf({ maxComputeWorkgroupStorageSize: 4096 }))).toMatchObject({
      'persistent-streamed': '6 KB of workgroup memory, the device has 4 KB',
    });
    expect(reasonsOf(layer(1500), deviceOf())).toMatchObject({
      'persistent-streamed': '6 units an invocation, at most 4 are possible',
    });
    expect(reasonsOf(layer(8), deviceOf({ maxComputeInvocationsPerWorkgroup: 8 }))).toMatchObject({
      'step-plain': '64 invocations a workgroup, the device allows 8',
    });
  });

  it('is LIMIT_EXCEEDED with every candidate where nothing is left', () => {
    const candidates = recurrentCandidates(
      layer(1500),
      deviceOf({ maxStorageBuffersPerShaderStage: 4 }),
    );
    let error: unknown;
    try {
      select(`graph.nodes[0] Recurrent 'a'`, candidates);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RnnError);
    const { code, path, message } = error as RnnError;
    expect([code, path]).toEqual(['LIMIT_EXCEEDED', `graph.nodes[0] Recurrent 'a'`]);
    for (const { name } of candidates) expect(message).toContain(`${name} needs `);
    expect(message).toContain('binds 5 storage buffers, the device allows 4');
    expect(message).toContain('6 units an invocation, at most 4');
  });

  it.each([128, 64, 32])('no selected tile has more than %i invocations', (max) => {
    const device = deviceOf({ maxComputeInvocationsPerWorkgroup: max });
    for (const hidden of [1, 64, 129, 300, 1024]) {
      for (const rows of [1, 5, 64]) {
        for (const recurrentKernel of [undefined, 'step', 'persistent'] as const) {
          const overrides = recurrentKernel ? { recurrentKernel } : {};
          const found = cheapest(recurrentCandidates(layer(hidden, 64, rows), device, overrides));
          if (!found) continue; // a persistent kernel of many units was refused, and step-plain has 64
          const { lanes } = found.tile;
          const slices = found.kernel === 'step' ? found.tile.slices : 1;
          expect(lanes * slices).toBeLessThanOrEqual(max);
        }
        const [tile] = projectCandidates(1000, 4 * hidden, device);
        expect(tile!.tile.lanes).toBeLessThanOrEqual(max);
      }
    }
  });

  it('split-K is halved until its sums fit workgroup memory', () => {
    const slicesWith = (bytes: number): number | undefined => {
      const device = deviceOf({ maxComputeWorkgroupStorageSize: bytes });
      const found = recurrentCandidates(layer(512, 64, 4), device).find(
        ({ name }) => name === 'step-split-k',
      );
      return found?.kernel === 'step' ? found.tile.slices : undefined;
    };
    // 4 gates × 4 rows × 16 lanes × slices × 4 bytes
    expect([16384, 16383, 4096, 2047].map(slicesWith)).toEqual([16, 8, 4, undefined]);
  });
});

it('weights in registers leave fewer rows where they take more registers', () => {
  const rowsOf = (hidden: number): number | undefined => {
    const found = recurrentCandidates(layer(hidden, 64, 8), deviceOf({ adapter: 'swiftshader' }));
    return found.find(({ name }) => name === 'persistent-registers')?.tile.rows;
  };
  expect([8, 64, 65, 128].map(rowsOf)).toEqual([2, 2, 1, 1]); // 128 dots of 4 gates over hidden/4 vec4s
});

describe('overrides', () => {
  const names = (overrides: Overrides, shape = layer(128), device = deviceOf()): string[] =>
    recurrentCandidates(shape, device, overrides).map(({ name }) => name);

  it('leave a kernel with all its variants, or one variant', () => {
    const device = deviceOf({ subgroupSize: 32 });
    const step = ['step-subgroup', 'step-split-k', 'step-plain'];
    expect(names({ recurrentKernel: 'step' }, layer(128), device)).toEqual(step);
    expect(names({ recurrentKernel: 'persistent' })).toEqual([
      'persistent-registers',
      'persistent-streamed',
    ]);
    for (const recurrentKernel of RECURRENT_VARIANTS) {
      const found = names({ recurrentKernel }, layer(128), device);
      const isOffered = names({}, layer(128), device).includes(recurrentKernel);
      if (isOffered) expect(found).toEqual([recurrentKernel]);
    }
  });

  it('leave everything where the device can run nothing of what they ask for', () => {
    expect(names({ recurrentKernel: 'persistent' }, layer(1500))).toEqual(names({}, layer(1500)));
  });

  it('wavefront: true leaves the wavefronts, false the sequence', () => {
    const spec = recurrentSpec('lstm', 2000, { layers: 3 });
    const shape = { spec, rows: 64, steps: 64, maxChunk: 256 };
    const orders = (overrides: Overrides): string[] =>
      stackCandidates(
        shape,
        deviceOf({ maxBufferSize: 2 ** 30, maxStorageBufferBindingSize: 2 ** 30 }),
        overrides,
      ).map(({ name }) => name);
    expect(orders({ wavefront: false })).toEqual(['sequential']);
    expect(orders({ wavefront: true })).toEqual(
      expect.arrayContaining(['wavefront step-split-k', 'wavefront step-plain']),
    );
    expect(orders({ wavefront: true })).not.toContain('sequential');
    expect(orders({})[0]).toBe('sequential');
  });

  it('a tuned name is taken before cheaper ones, unless the device cannot run it', () => {
    const candidates = recurrentCandidates(layer(1500), deviceOf());
    expect(select('layer', candidates, 'step-plain').name).toBe('step-plain');
    const best = select('layer', candidates).name;
    expect(select('layer', candidates, 'persistent-streamed').name).toBe(best);
    expect(select('layer', candidates, 'removed-in-this-version').name).toBe(best);
  });
});

describe('costs', () => {
  it('are the time steps of the step kernel; others break even where the table says', () => {
    const costs = (steps: number): Record<string, number> =>
      Object.fromEntries(
        recurrentCandidates(layer(128, steps), deviceOf({ adapter: 'swiftshader' })).map(
          ({ name, cost }) => [name, cost],
        ),
      );
    expect(costs(8)['step-plain']).toBe(8);
    expect(costs(8)['persistent-registers']).toBe(8);
    expect(costs(9)['persistent-registers']).toBeLessThan(costs(9)['step-plain']!);
    expect(costs(7)['persistent-registers']).toBeGreaterThan(costs(7)['step-plain']!);
  });

  it('grow where workgroups of rows and directions are more than the cores', () => {
    const costOf = (direction: 'forward' | 'bidirectional', rows: number): number => {
      const shape = { ...layer(64, 64, rows), spec: { ...layer(64).spec, direction } };
      const found = recurrentCandidates(shape, deviceOf({ adapter: 'swiftshader' }));
      return found.find(({ name }) => name === 'persistent-registers')!.cost;
    };
    expect(costOf('forward', 4)).toBe(costOf('forward', 1)); // 2 workgroups of 2 rows, and 2 cores
    expect(costOf('forward', 5)).toBeGreaterThan(costOf('forward', 4));
    expect(costOf('bidirectional', 4)).toBeGreaterThan(costOf('forward', 4));
  });

  it('have no term for a capacity that is kept, and a growing one above it', () => {
    expect(excess(128, 128)).toBe(0);
    expect(excess(129, 128)).toBeGreaterThan(2);
    expect(excess(256, 128)).toBeGreaterThan(excess(129, 128));
    expect(excess(1, 0)).toBeLessThan(Number.POSITIVE_INFINITY);
  });
});

it('equal layers have one key, others another', () => {
  const key = recurrentKey(layer(64));
  expect(recurrentKey(layer(64))).toBe(key);
  const others = [layer(65), layer(64, 63), layer(64, 64, 2)];
  expect(new Set([key, ...others.map(recurrentKey)]).size).toBe(4);
});
