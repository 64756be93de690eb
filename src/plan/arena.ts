// Which scratch buffers may share memory: those whose lives do not overlap.
import type { BufferId, Command } from './types.ts';

/** Buffers that a command touches. */
export function buffersOf(command: Command): readonly BufferId[] {
  if (command.kind === 'copy') return [command.from, command.to];
  const dispatches = command.kind === 'loop' ? [...command.even, ...command.odd] : [command];
  return dispatches.flatMap((dispatch) => Object.values(dispatch.buffers));
}

/** A slot for each scratch buffer, and the bytes of each slot. */
export interface Arena {
  readonly slotOf: ReadonlyMap<BufferId, number>;
  readonly slots: readonly number[];
}

/**
 * Assigns slots, first come first served: the smallest free one that is large enough, else the
 * largest free one, grown.
 *
 * @param sizes bytes of each scratch buffer
 * @param kept buffers that must hold their content to the end: outputs
 */
export function assignSlots(
  commands: readonly Command[],
  sizes: ReadonlyMap<BufferId, number>,
  kept: ReadonlySet<BufferId>,
): Arena {
  const last = new Map<BufferId, number>();
  commands.forEach((command, i) => buffersOf(command).forEach((id) => last.set(id, i)));
  const ending = commands.map((): BufferId[] => []);
  for (const [id, i] of last) if (sizes.has(id) && !kept.has(id)) ending[i]!.push(id);
  const slotOf = new Map<BufferId, number>();
  const slots: number[] = [];
  const free = new Set<number>();
  // A loop of thousands of iterations has as many buffers alive: no work for each of them here.
  const take = (size: number): number => {
    let best: number | undefined;
    for (const slot of free) {
      if (best === undefined || isBetter(slots[slot]!, slots[best]!, size)) best = slot;
    }
    best ??= slots.push(0) - 1;
    free.delete(best);
    return best;
  };
  commands.forEach((command, i) => {
    for (const id of buffersOf(command)) {
      const size = sizes.get(id);
      if (size === undefined || slotOf.has(id)) continue;
      const slot = take(size);
      slots[slot] = Math.max(slots[slot]!, size);
      slotOf.set(id, slot);
    }
    for (const id of ending[i]!) free.add(slotOf.get(id)!);
  });
  // An output that no command writes (an empty one) still needs a place.
  for (const [id, size] of sizes) if (!slotOf.has(id)) slotOf.set(id, slots.push(size) - 1);
  return { slotOf, slots };
}

/** Whether a slot fits better than another: the smaller where both are large enough, else the larger. */
function isBetter(slot: number, other: number, size: number): boolean {
  return other >= size ? slot >= size && slot < other : slot > other;
}
