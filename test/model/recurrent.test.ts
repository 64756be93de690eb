// Every recurrent kernel against the float64 reference, over random configurations of all features:
// in the shapes chosen for this adapter, and in those for others.
import { afterAll, describe, expect, test } from 'vitest';
import { getAdapter, getFullDevice, hasSubgroups } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';
import type { RecurrentRestrictions } from '../support/recurrent-config.ts';
import { requires } from '../support/requires.ts';
import { casesOf, isFull, MORE_IN_FULL, SEED } from '../support/settings.ts';

// A software adapter compiles a kernel in about 0.1 s, and each case has its own.
const CASES = casesOf(1, 34); // of each cell
const OPTION_CASES = casesOf(1, 5); // of each combination
const SINGLE_CASES = casesOf(2, 15); // of each size
const SINGLE_SIZES = isFull ? [4, 8, 32, 64] : [8, 64];
const SUBGROUP_CASES = casesOf(3, 30); // of each kind
const BLOCK_CASES = casesOf(1, 8); // of each number of rows
const BLOCK_ROWS = isFull ? [2, 5, 9, 16, 17] : [5, 16];

// Every option is in one of them, so that few cases cover all.
const COMBINATIONS: readonly (readonly [string, RecurrentRestrictions])[] = [
  [
    'LSTM, bidirectional, packed, peepholes, clip, initial states',
    {
      cell: 'lstm',
      direction: 'bidirectional',
      packed: true,
      peepholes: true,
      clip: 0.5,
      initialH: true,
      initialC: true,
      outputs: [true, true, true],
      T: 5,
      B: 3,
    },
  ],
  [
    'LSTM, reverse, coupled, masked, projected',
    { cell: 'lstm', direction: 'reverse', coupled: true, masked: true, projected: 2, T: 5, B: 3 },
  ],
  [
    'GRU, bidirectional, reset after, masked and repeated, batch first',
    {
      cell: 'gru',
      direction: 'bidirectional',
      resetAfter: true,
      masked: true,
      maskedOutput: 'repeat',
      layout: 1,
      bias: true,
      initialH: true,
      T: 5,
      B: 3,
    },
  ],
  [
    'GRU, reset before, packed, clip',
    { cell: 'gru', resetAfter: false, packed: true, clip: 0.5, initialH: true, T: 5, B: 3 },
  ],
  [
    'RNN, bidirectional, other activations, packed',
    {
      cell: 'rnn',
      direction: 'bidirectional',
      activations: ['Relu', 'Affine'],
      packed: true,
      T: 5,
    },
  ],
];

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
] as const)('shapes for %s', MORE_IN_FULL, (_, target) => {
  describe.each(['step', 'persistent'] as const)('%s kernel', (recurrentKernel) => {
    const options = { device: target, recurrentKernel };
    test.each(['rnn', 'lstm', 'gru'] as const)(
      `${CASES} random layers equal the reference (%s, SEED=${SEED})`,
      (cell) => expectLikeReference(CASES, options, { cell, maxHidden: 130 }),
    );
    test.each(COMBINATIONS)('a layer with many options: %s', (_name, combination) =>
      expectLikeReference(OPTION_CASES, options, { ...combination, maxHidden: 33 }),
    );
  });

  test.each(SINGLE_SIZES)('single steps of %i units equal the reference', (hidden) =>
    expectLikeReference(SINGLE_CASES, { device: target }, { T: 1, hidden }),
  );
});

const NEEDS_SUBGROUPS = requires(hasSubgroups, 'the adapter has no subgroups');

describe('sums over subgroups', { ...MORE_IN_FULL, ...NEEDS_SUBGROUPS }, () => {
  const codes: string[] = [];
  const create = subgroups.createShaderModule.bind(subgroups);
  subgroups.createShaderModule = (descriptor) => {
    codes.push(descriptor.code);
    return create(descriptor);
  };
  test.each([
    ['several steps', {}],
    ['single steps', { T: 1, hidden: 32 }],
    ['as many rows as a lane has', { B: 4, T: 3 }],
  ] as const)('%s equal the reference', async (_, restrictions) => {
    codes.length = 0;
    const options = { device: subgroups, recurrentKernel: 'step' } as const;
    await expectLikeReference(SUBGROUP_CASES, options, { maxHidden: 67, ...restrictions });
    expect(codes.some((code) => code.includes('subgroupShuffleXor'))).toBe(true);
  });
});

// Blocks of rows whose loads a subgroup shares, where there is one, and which only llvmpipe has in one
// workgroup for all time steps; of more rows than there are lanes in a subgroup, as many, and fewer.
describe.each([
  ['this adapter', device, { recurrentKernel: 'step' }],
  ['this adapter, without subgroups', device, { recurrentKernel: 'step', subgroups: false }],
  ['llvmpipe', llvmpipe, { recurrentKernel: 'persistent' }],
  ['llvmpipe, without subgroups', llvmpipe, { recurrentKernel: 'persistent', subgroups: false }],
] as const)('blocks of rows, in shapes for %s', MORE_IN_FULL, (_, target, options) => {
  test.each(BLOCK_ROWS)('%i rows equal the reference', (B) =>
    expectLikeReference(BLOCK_CASES, { device: target, ...options }, { T: 9, B, maxHidden: 130 }),
  );
});
