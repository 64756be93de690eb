// Scratch buffers share memory only where their lives do not overlap.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignSlots } from '../../src/plan/arena.ts';
import type { Command } from '../../src/plan/types.ts';
import { expectForAll } from '../support/property.ts';

const copies = (pairs: readonly (readonly [number, number])[]): Command[] =>
  pairs.map(([from, to]) => ({ kind: 'copy', from, to, size: 4 }));

/** Copies from one of the last seven buffers to a new one; one buffer is kept to the end. */
const programs = fc.record({
  copies: fc.array(
    fc.record({ back: fc.nat(6), bytes: fc.integer({ min: 1, max: 8 }).map((n) => 16 * n) }),
    { minLength: 1, maxLength: 60, size: 'max' },
  ),
  kept: fc.nat(59),
});

test('buffers share a slot only if they are never alive together, and no slot is left over', () =>
  expectForAll(programs, 50, (program) => {
    const count = program.copies.length + 1;
    const pairs = program.copies.map(({ back }, i) => [Math.max(0, i - back), i + 1] as const);
    const sizes = new Map(
      Array.from({ length: count }, (_, id) => [id, program.copies[id]?.bytes ?? 16]),
    );
    const kept = new Set([program.kept % count]);
    const { slotOf, slots } = assignSlots(copies(pairs), sizes, kept);
    /** The first and the last command that needs a buffer. */
    const lifeOf = (id: number): readonly [number, number] => {
      const uses = [...pairs.keys()].filter((i) => pairs[i]!.includes(id));
      return [Math.min(...uses), kept.has(id) ? Infinity : Math.max(...uses)];
    };
    const lives = [...sizes.keys()].map(lifeOf);
    for (const [a, size] of sizes) {
      expect(slots[slotOf.get(a)!]).toBeGreaterThanOrEqual(size);
      for (let b = 0; b < a; b++) {
        const [[from, to], [first, last]] = [lives[a]!, lives[b]!];
        if (from <= last && first <= to) expect(slotOf.get(a)).not.toBe(slotOf.get(b));
      }
    }
    const aliveAt = (i: number): number =>
      lives.filter(([first, last]) => first <= i && i <= last).length;
    expect(slots).toHaveLength(Math.max(...pairs.map((_, i) => aliveAt(i))));
  }));

test('takes the smallest place that is large enough, else grows the largest', () => {
  const sizes = new Map([16, 64, 32, 32, 128].map((size, id) => [id, size]));
  // 0, 1 and 2 end with the copy to 10, which is no scratch buffer; 3 and 4 come after.
  const commands = copies([
    [0, 1],
    [0, 2],
    [1, 10],
    [3, 10],
    [4, 10],
  ]);
  const { slotOf, slots } = assignSlots(commands, sizes, new Set());
  expect(slotOf.get(3)).toBe(slotOf.get(2));
  expect(slotOf.get(4)).toBe(slotOf.get(1));
  expect(slots).toEqual([16, 128, 32]);
});
