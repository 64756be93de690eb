// Every recurrent kernel against the float64 reference, over random configurations of all features:
// in the shapes chosen for this adapter, and in those for others.
import { afterAll, describe, expect, test } from 'vitest';
import { getAdapter, getFullDevice, hasSubgroups } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { SEED } from '../support/random.ts';
import { requires } from '../support/requires.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';

const CASES = 100;
const SINGLE_CASES = 15; // of each size
const BLOCK_CASES = 8; // of each number of rows

const device = await getFullDevice();
const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
const subgroups = asAdapter(await getFullDevice(), 'gpu', hasSubgroups);
const llvmpipe = asAdapter(await getFullDevice(), 'llvmpipe', true);
afterAll(() => {
  device.destroy();
  gpu.destroy();
  subgroups.destroy();
  llvmpipe.destroy();
});

describe.each([
  ['this adapter', device],
  ['a GPU', gpu],
] as const)('shapes for %s', (name, target) => {
  describe.each(['step', 'persistent'] as const)('%s kernel', (recurrentKernel) => {
    // A software adapter compiles a kernel in about 0.1 s, and each case has its own.
    const seed = SEED + (name === 'a GPU' ? 1000 : 0);
    test(
      `${CASES} random layers equal the reference (SEED=${SEED})`,
      () => expectLikeReference(seed, CASES, { device: target, recurrentKernel }),
      300_000,
    );
  });

  test.each([4, 8, 32, 64])(
    'single steps of %i units equal the reference',
    async (hidden) => {
      const restrictions = { T: 1, hidden };
      await expectLikeReference(SEED + hidden, SINGLE_CASES, { device: target }, restrictions);
    },
    120_000,
  );
});

describe('sums over subgroups', requires(hasSubgroups, 'the adapter has no subgroups'), () => {
  test.each([
    ['several steps', {}],
    ['single steps', { T: 1, hidden: 32 }],
    ['as many rows as a lane has', { B: 4, T: 3 }],
  ] as const)(
    '%s equal the reference',
    async (_, restrictions) => {
      const modules: string[] = [];
      const create = subgroups.createShaderModule.bind(subgroups);
      subgroups.createShaderModule = (descriptor) => {
        modules.push(descriptor.code);
        return create(descriptor);
      };
      const options = { device: subgroups, recurrentKernel: 'step' } as const;
      await expectLikeReference(SEED, 30, options, { maxHidden: 67, ...restrictions });
      expect(modules.filter((code) => code.includes('subgroupShuffleXor')).length).toBeGreaterThan(
        20,
      );
      subgroups.createShaderModule = create;
    },
    120_000,
  );
});

// Blocks of rows whose loads a subgroup shares, where there is one, and which only llvmpipe has in one
// workgroup for all time steps; of more rows than there are lanes in a subgroup, as many, and fewer.
describe.each([
  ['this adapter', device, { recurrentKernel: 'step' }],
  ['this adapter, without subgroups', device, { recurrentKernel: 'step', subgroups: false }],
  ['llvmpipe', llvmpipe, { recurrentKernel: 'persistent' }],
  ['llvmpipe, without subgroups', llvmpipe, { recurrentKernel: 'persistent', subgroups: false }],
] as const)('blocks of rows, in shapes for %s', (_, target, options) => {
  test.each([2, 5, 9, 16, 17])(
    '%i rows equal the reference',
    async (B) => {
      const restrictions = { T: 9, B, maxHidden: 130 };
      await expectLikeReference(
        SEED + B,
        BLOCK_CASES,
        { device: target, ...options },
        restrictions,
      );
    },
    120_000,
  );
});
