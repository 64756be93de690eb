// Scratch buffers share memory only where their lives do not overlap.
import { expect, test } from 'vitest';
import { assignSlots } from '../../src/plan/arena.ts';
import type { Command } from '../../src/plan/types.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const COUNT = 60;

const copies = (pairs: readonly (readonly [number, number])[]): Command[] =>
  pairs.map(([from, to]) => ({ kind: 'copy', from, to, size: 4 }));

test(`lives that overlap never share, seed ${SEED}`, () => {
  for (let round = 0; round < 50; round++) {
    const random = randomOf(SEED * 100 + round);
    const sizes = new Map(Array.from({ length: COUNT }, (_, id) => [id, 16 * random.int(1, 8)]));
    const pairs = Array.from({ length: COUNT - 1 }, (_, i) => {
      return [random.int(Math.max(0, i - 6), i), i + 1] as const;
    });
    const kept = new Set([random.int(0, COUNT - 1)]);
    const { slotOf, slots } = assignSlots(copies(pairs), sizes, kept);
    const livesOf = (id: number): readonly [number, number] => {
      const uses = [...pairs.keys()].filter((i) => pairs[i]!.includes(id));
      return [Math.min(...uses), kept.has(id) ? COUNT : Math.max(...uses)];
    };
    for (const [a, size] of sizes) {
      expect(slots[slotOf.get(a)!]).toBeGreaterThanOrEqual(size);
      for (let b = 0; b < a; b++) {
        const [[from, to], [first, last]] = [livesOf(a), livesOf(b)];
        if (from <= last && first <= to) expect(slotOf.get(a)).not.toBe(slotOf.get(b));
      }
    }
    expect(slots.length).toBeLessThan(COUNT / 2);
  }
});

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
