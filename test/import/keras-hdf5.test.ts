// HDF5 files that h5wasm, the C library, writes, and files made to keep a reader busy for ever.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openHdf5, type H5Group } from '../../src/import/keras/hdf5.ts';
import { Budget, importLimits } from '../../src/import/limits.ts';
import { SEED } from '../support/settings.ts';
import { writeH5, type Numbers, type Tree } from './keras-writer.ts';

const open = (bytes: Uint8Array): unknown => openHdf5(bytes, new Budget(importLimits({})), 'f');

const tree = {
  attrs: { name: 'Ångström' },
  groups: {
    a: {
      datasets: { w: { dims: [2], data: [1, 2] }, d: { dims: [1], data: [0.1], dtype: '<f8' } },
    },
  },
} as const;

/** Appends bytes, and points everything that points to the first `signature` at them instead. */
function redirect(file: Uint8Array, signature: string, extra: Buffer): Uint8Array {
  const old = Buffer.from(file);
  const all = Buffer.concat([old, extra]);
  const from = Buffer.alloc(8);
  from.writeBigUInt64LE(BigInt(old.indexOf(signature)));
  let found = 0;
  for (let at = all.indexOf(from); at >= 0 && at < old.length; at = all.indexOf(from, at + 8)) {
    all.writeBigUInt64LE(BigInt(old.length), at);
    found++;
  }
  expect(found).toBeGreaterThan(0);
  return Uint8Array.from(all);
}

/** A group as the tree that it was written from. */
function treeOf({ groups, datasets }: H5Group): unknown {
  return {
    groups: Object.fromEntries([...groups].map(([name, group]) => [name, treeOf(group)])),
    datasets: Object.fromEntries(
      [...datasets].map(([name, dataset]) => [
        name,
        dataset.isFloat()
          ? { dims: dataset.floats().dims, data: [...dataset.floats().data] }
          : 'no float',
      ]),
    ),
  };
}

/** What {@link treeOf} is to give. */
function expected({ groups = {}, datasets = {} }: Tree): unknown {
  return {
    groups: Object.fromEntries(
      Object.entries(groups).map(([name, inner]) => [name, expected(inner)]),
    ),
    datasets: Object.fromEntries(
      Object.entries(datasets).map(([name, { dims, data, dtype }]) => [
        name,
        dtype === '<i4' ? 'no float' : { dims, data: [...Float32Array.from(data)] },
      ]),
    ),
  };
}

const numbers = fc
  .record({
    dims: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
    dtype: fc.constantFrom<NonNullable<Numbers['dtype']>>('<f4', '<f8', '<i4'),
    first: fc.integer({ min: -100, max: 100 }),
  })
  .map(({ dims, dtype, first }): Numbers => {
    const size = dims.reduce((a, b) => a * b, 1);
    return { dims, dtype, data: Array.from({ length: size }, (_, i) => first + i) };
  });
const names = fc.stringMatching(/^[a-zÅ]{1,40}$/);

/** Groups within groups, some with more links than one node of the old layout holds. */
const trees = (maxLinks: number): fc.Arbitrary<Tree> =>
  fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.record({
      datasets: fc.dictionary(names, numbers, { maxKeys: maxLinks, noNullPrototype: true }),
      groups: fc.oneof(
        { maxDepth: 3 },
        fc.constant({}),
        fc.dictionary(fc.stringMatching(/^G[a-z]{1,9}$/), tie('tree'), {
          maxKeys: 3,
          noNullPrototype: true,
        }),
      ),
    }),
  })).tree;

describe('HDF5', () => {
  it.each([
    ['earliest', 30],
    ['latest', 4], // more links go to a heap, which is refused
  ] as const)('reads what the C library writes, %s layout', async (libver, maxLinks) => {
    await fc.assert(
      fc.asyncProperty(trees(maxLinks), async (random) => {
        const root = openHdf5(await writeH5(random, libver), new Budget(importLimits({})), 'f');
        expect(treeOf(root)).toEqual(expected(random));
      }),
      { numRuns: 40, seed: SEED },
    );
  });

  it('reads a group of so many links that its tree has levels', async () => {
    const one: Numbers = { dims: [1], data: [1] };
    const datasets = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`w${i}`, one]));
    const bytes = await writeH5({ datasets });
    expect(Buffer.from(bytes).includes('TREE\0\x01')).toBe(true); // a node of level 1
    expect(openHdf5(bytes, new Budget(importLimits({})), 'f').datasets.size).toBe(700);
    const newest = await writeH5({ datasets }, 'latest');
    expect(() => open(newest)).toThrow(/many links in the newest layout.*h5repack --high=0/);
  });

  it('says where attributes are that are not in the header', async () => {
    const attrs = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, 'x']));
    const root = openHdf5(await writeH5({ attrs }, 'latest'), new Budget(importLimits({})), 'f');
    expect(() => root.strings('a0')).toThrow(/attributes in the newest layout.*h5repack/);
    const old = openHdf5(await writeH5({ attrs }), new Budget(importLimits({})), 'f');
    expect(old.strings('a19')).toEqual(['x']);
  });

  it.each([
    [8, 9, /a superblock of version 9/],
    [0, 0, /not a valid HDF5 file/],
    [13, 4, /not of 8 bytes/],
    [24, 8, /do not count from the first byte/],
  ])('byte %i of the superblock as %i', async (at, value, says) => {
    const bytes = await writeH5(tree);
    bytes[at] = value;
    expect(() => open(bytes)).toThrow(says);
  });

  it.each(['earliest', 'latest'] as const)('reads what is there, %s layout', async (libver) => {
    const root = openHdf5(await writeH5(tree, libver), new Budget(importLimits({})), 'f');
    expect(root.strings('name')).toEqual(['Ångström']);
    expect(root.strings('other')).toBeUndefined();
    const { datasets } = root.groups.get('a')!;
    expect(datasets.get('w')!.floats()).toEqual({
      type: 'float32',
      dims: [2],
      data: Float32Array.of(1, 2),
    });
    expect(datasets.get('d')!.floats().data).toEqual(Float32Array.of(0.1));
  });

  it('a tree whose every branch leads to the same twig', async () => {
    const file = await writeH5(tree);
    const [branches, levels] = [50, 20];
    const size = 24 + 16 * branches + 8;
    const nodes = Array.from({ length: levels + 1 }, (_, i) => {
      const node = Buffer.alloc(size);
      node.write('TREE');
      node[5] = levels - i;
      node.writeUInt16LE(branches, 6);
      const next = BigInt(file.length + (i + 1) * size);
      for (let k = 0; k < branches; k++) node.writeBigUInt64LE(next, 32 + 16 * k);
      return node;
    });
    const bytes = redirect(file, 'TREE', Buffer.concat(nodes));
    expect(() => open(bytes)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'f' }),
    );
  });

  it('names in a heap that fills the file', async () => {
    const file = await writeH5(tree);
    const heap = Buffer.alloc(2 ** 20, 'x');
    heap.write('HEAP\0\0\0\0');
    heap.writeBigUInt64LE(BigInt(2 ** 20 - 32), 8);
    heap.writeBigUInt64LE(BigInt(file.length + 32), 24);
    const bytes = redirect(file, 'HEAP', heap);
    expect(() => open(bytes)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'f' }),
    );
  });

  it('an object of millions of messages', async () => {
    const file = await writeH5(tree, 'latest');
    const header = Buffer.alloc(10_000_000);
    header.write('OHDR\x02\x03');
    header.writeBigUInt64LE(BigInt(header.length - 14), 6);
    const bytes = redirect(file, 'OHDR', header);
    expect(() => open(bytes)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'f' }),
    );
  });

  it('an object that continues in itself, shifted by a byte each time', async () => {
    const file = await writeH5(tree, 'latest');
    const header = Buffer.alloc(200_000);
    header.write('OHDR\x02\x03');
    header.writeBigUInt64LE(BigInt(header.length - 14), 6);
    for (let at = 14, i = 0; at + 20 < header.length; at += 20, i++) {
      header.writeUInt8(0x10, at); // a continuation
      header.writeUInt16LE(16, at + 1);
      header.writeBigUInt64LE(BigInt(file.length + 14 + 20 * i - 4), at + 4);
      header.writeBigUInt64LE(BigInt(header.length - 14 - 20 * i), at + 12);
    }
    const bytes = redirect(file, 'OHDR', header);
    expect(() => open(bytes)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'f' }),
    );
  });
});
