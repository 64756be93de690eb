// The state of a stream as plain tensors: what `snapshot` gives and `restore` takes.
import { RnnError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensors } from './backend.ts';
import type { StateSlot } from './stateful-graph.ts';

/** Tensors with arrays of their own, for calls that wait while the caller goes on. */
export function copyOf(tensors: Tensors): Record<string, Tensor> {
  const copies = Object.entries(tensors).map(([name, value]) => [
    name,
    { ...value, data: value.data.slice() },
  ]);
  return Object.fromEntries(copies) as Record<string, Tensor>;
}

/** @throws RnnError `SHAPE_MISMATCH` for a state of other shapes */
export function checkShapes(state: Tensors, expected: Tensors): void {
  for (const [name, { dims }] of Object.entries(state)) {
    const want = expected[name]?.dims ?? [];
    if (want.join() !== dims.join()) {
      const what = `got [${dims.join(', ')}], expected [${want.join(', ')}]`;
      throw new RnnError('SHAPE_MISMATCH', `state.${name}`, what);
    }
  }
}

/**
 * A state that a caller wants to restore, copied; undefined where it is empty, which is the state
 * before the first step.
 *
 * @param initial what the stream has begun with, if it has
 * @throws RnnError `INVALID_ARGUMENT` for a snapshot of a stream of another model, `SHAPE_MISMATCH`
 *   for one of other shapes
 */
export function checkedState(
  state: Tensors,
  slots: readonly StateSlot[],
  initial: Tensors | undefined,
): Tensors | undefined {
  const names = slots.map(({ input }) => input);
  for (const name of Object.keys(state)) {
    if (!names.includes(name)) {
      const what = `unknown state, expected ${names.join(', ') || 'none'}`;
      throw new RnnError('INVALID_ARGUMENT', `state.${name}`, what);
    }
  }
  if (Object.keys(state).length === 0) return undefined;
  const missing = names.find((name) => !Object.hasOwn(state, name));
  if (missing !== undefined) {
    throw new RnnError('INVALID_ARGUMENT', `state.${missing}`, 'is missing');
  }
  if (initial) checkShapes(state, initial);
  return copyOf(state);
}
