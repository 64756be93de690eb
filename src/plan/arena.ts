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
  const slotOf = new Map<BufferId, number>();
  const slots: number[] = [];
  let free: number[] = [];
  let busy: BufferId[] = [];
  commands.forEach((command, i) => {
    for (const id of buffersOf(command)) {
      const size = sizes.get(id);
      if (size === undefined || slotOf.has(id)) continue;
      const byFit = free.toSorted((a, b) => slots[a]! - slots[b]!);
      const slot = byFit.find((s) => slots[s]! >= size) ?? byFit.at(-1) ?? slots.push(0) - 1;
      free = free.filter((s) => s !== slot);
      slots[slot] = Math.max(slots[slot]!, size);
      slotOf.set(id, slot);
      busy.push(id);
    }
    const ended = busy.filter((id) => last.get(id)! <= i && !kept.has(id));
    free.push(...ended.map((id) => slotOf.get(id)!));
    busy = busy.filter((id) => !ended.includes(id));
  });
  // An output that no command writes (an empty one) still needs a place.
  for (const [id, size] of sizes) if (!slotOf.has(id)) slotOf.set(id, slots.push(size) - 1);
  return { slotOf, slots };
}
