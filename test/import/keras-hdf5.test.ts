// HDF5 files made to keep a reader busy for ever: it gives up after a while that is known.
import { describe, expect, it } from 'vitest';
import { openHdf5 } from '../../src/import/keras/hdf5.ts';
import { Budget, importLimits } from '../../src/import/limits.ts';
import { writeH5 } from './keras-writer.ts';

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

describe('HDF5', () => {
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
