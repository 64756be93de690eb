// Which kernel and tile each layer gets, by adapter, subgroups, tier and limits: a wrong choice still
// gives right numbers, so no other test would see it. `vitest run -u` writes the table anew.
import { expect, it } from 'vitest';
import { DEFAULT_PROFILE, type DeviceProfile } from '../../../src/plan/select/device-profile.ts';
import { recurrentCandidates } from '../../../src/plan/select/recurrent-candidates.ts';
import type { RecurrentShape } from '../../../src/plan/select/recurrent-candidates.ts';
import { cheapest } from '../../../src/plan/select/select-kernel.ts';
import { stackCandidates } from '../../../src/plan/select/stack-candidates.ts';
import type { Tier } from '../../../src/plan/select/variants.ts';
import { recurrentSpec } from '../../support/recurrent-spec.ts';

const LLVMPIPE = {
  adapter: 'llvmpipe',
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupStorageSize: 32768,
} as const;

const DEVICES: Readonly<Record<string, Partial<DeviceProfile> & { tier?: Tier }>> = {
  gpu: {},
  'gpu, subgroups of 4': { subgroupSize: 4 },
  'gpu, subgroups of 8': { subgroupSize: 8 },
  'gpu, subgroups of 32': { subgroupSize: 32 },
  'gpu, 128 invocations': { maxComputeInvocationsPerWorkgroup: 128 },
  'gpu, 4 KB of workgroup memory': { maxComputeWorkgroupStorageSize: 4096 },
  'gpu, 4 storage buffers': { maxStorageBuffersPerShaderStage: 4 },
  'swiftshader, baseline': { adapter: 'swiftshader', subgroupSize: 4, tier: 'baseline' },
  'swiftshader, subgroups of 4': { adapter: 'swiftshader', subgroupSize: 4 },
  'swiftshader, no subgroups': { adapter: 'swiftshader' },
  'llvmpipe, baseline': { ...LLVMPIPE, subgroupSize: 8, tier: 'baseline' },
  'llvmpipe, subgroups of 8': { ...LLVMPIPE, subgroupSize: 8 },
  'llvmpipe, no subgroups': LLVMPIPE,
};

const single = { width: 8, hasBias: true };
const LAYERS: Readonly<Record<string, RecurrentShape>> = {
  'lstm H32 B1 T64': { spec: recurrentSpec('lstm', 32), rows: 1, steps: 64 },
  'lstm H128 B1 T1': { spec: recurrentSpec('lstm', 128), rows: 1, steps: 1, single },
  'lstm H128 B8 T1': { spec: recurrentSpec('lstm', 128), rows: 8, steps: 1, single },
  'lstm H128 B1 T7': { spec: recurrentSpec('lstm', 128), rows: 1, steps: 7 },
  'lstm H128 B1 T8': { spec: recurrentSpec('lstm', 128), rows: 1, steps: 8 },
  'lstm H128 B16 T64': { spec: recurrentSpec('lstm', 128), rows: 16, steps: 64 },
  'lstm H129 B1 T64': { spec: recurrentSpec('lstm', 129), rows: 1, steps: 64 },
  'lstm H512 B1 T64': { spec: recurrentSpec('lstm', 512), rows: 1, steps: 64 },
  'lstm H256 B64 T16': { spec: recurrentSpec('lstm', 256), rows: 64, steps: 16 },
  'lstm H1500 B1 T64': { spec: recurrentSpec('lstm', 1500), rows: 1, steps: 64 },
  'gru H64 B1 T256': {
    spec: recurrentSpec('gru', 64, { variant: { resetAfter: true } }),
    rows: 1,
    steps: 256,
  },
  'gru reset before H200 B3 T7': { spec: recurrentSpec('gru', 200), rows: 3, steps: 7 },
  'rnn H128 B1 T100, both ways': {
    spec: recurrentSpec('rnn', 128, { direction: 'bidirectional' }),
    rows: 1,
    steps: 100,
  },
};

/** `lanes=16 slices=8`. */
const tileText = (tile: object): string =>
  Object.entries(tile)
    .filter(([, value]) => value !== undefined && value !== false && value !== true)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

const profileOf = (given: Partial<DeviceProfile>): DeviceProfile => ({
  ...DEFAULT_PROFILE,
  ...given,
});

it('kernels and tiles of layers are those of the table', async () => {
  const lines = Object.entries(DEVICES).flatMap(([name, device]) => [
    name,
    ...Object.entries(LAYERS).map(([layer, shape]) => {
      const found = cheapest(recurrentCandidates(shape, profileOf(device), device));
      const text = found ? `${found.name.padEnd(21)} ${tileText(found.tile)}` : 'none';
      return `  ${layer.padEnd(28)} ${text}`;
    }),
  ]);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('golden/layers.txt');
});

it('orders of stacks are those of the table', async () => {
  const lines = Object.entries(DEVICES).flatMap(([name, device]) => [
    name,
    ...[
      { hidden: 64, layers: 3, rows: 1, steps: 128 },
      { hidden: 256, layers: 2, rows: 1, steps: 256 },
      { hidden: 512, layers: 3, rows: 16, steps: 64 },
      { hidden: 64, layers: 3, rows: 1, steps: 8 },
    ].map(({ hidden, layers, rows, steps }) => {
      const spec = recurrentSpec('lstm', hidden, { layers });
      const shape = { spec, rows, steps, maxChunk: 256 };
      const found = cheapest(stackCandidates(shape, profileOf(device), device))!;
      const chunk = found.wavefront ? ` chunk=${found.wavefront.chunk}` : '';
      return `  lstm H${hidden} B${rows} T${steps} × ${layers}`.padEnd(30) + found.name + chunk;
    }),
  ]);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('golden/stacks.txt');
});
