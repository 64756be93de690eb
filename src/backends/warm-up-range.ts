// Warming up for a range of lengths and batches: which shapes that are, and at which of them kernels may change.
import { RnnError } from '../errors.ts';
import { recurrentAttributes, type Graph } from '../graph.ts';
import { BATCH_NAME, TIME_NAME } from '../plan/specialize/dimension-names.ts';
import { hostInputsOf } from '../plan/specialize/shape-inputs.ts';

/** Sizes that calls will have, the smallest and the largest: see `model.warmUp`. */
export interface WarmUpRange {
  /** Time steps. */
  readonly lengths: readonly [min: number, max: number];
  /** Batch rows; one where they are left out. */
  readonly batch?: readonly [min: number, max: number];
}

/** The shapes of a range. */
export interface ShapeRange {
  readonly lengths: readonly [number, number];
  readonly batch: readonly [number, number];
  /** The shape of every input. */
  dimsAt(length: number, batch: number): ReadonlyMap<string, readonly number[]>;
}

type Role = 'lengths' | 'batch';

/** @throws RnnError `INVALID_ARGUMENT` for what is no smallest and largest size */
function checkBounds(bounds: readonly number[] | undefined, name: Role): readonly [number, number] {
  const [min, max] = bounds ?? [];
  const isWhole = [min, max].every((size) => Number.isSafeInteger(size));
  if (bounds?.length === 2 && isWhole && 1 <= min! && min! <= max!) return [min!, max!];
  const got = bounds ? `[${bounds.join(', ')}]` : 'nothing';
  const what = `got ${got}, expected the smallest and the largest size, from 1 up`;
  throw new RnnError('INVALID_ARGUMENT', `range.${name}`, what);
}

/** The free dimensions of the inputs by name: where recurrent layers read an input from its axes, else by the names. */
function rolesOf({ inputs, nodes }: Graph): ReadonlyMap<string, Role> {
  const free = new Set(inputs.flatMap(({ dims }) => dims.filter((dim) => typeof dim === 'string')));
  const roles = new Map<string, Role>();
  for (const node of nodes) {
    const read = node.op === 'Recurrent' && inputs.find(({ name }) => name === node.inputs[0]);
    if (!read) continue;
    const { layout } = recurrentAttributes(node);
    const [time, batch] = [read.dims[layout], read.dims[1 - layout]];
    if (typeof time === 'string') roles.set(time, 'lengths');
    if (typeof batch === 'string') roles.set(batch, 'batch');
  }
  for (const name of free) {
    if (roles.has(name)) continue;
    if (BATCH_NAME.test(name)) roles.set(name, 'batch');
    else if (TIME_NAME.test(name)) roles.set(name, 'lengths');
  }
  const open = [...free].filter((name) => !roles.has(name));
  const left = (['lengths', 'batch'] as const).filter(
    (role) => ![...roles.values()].includes(role),
  );
  if (open.length === 1 && left.length > 0) roles.set(open[0]!, left[0]!);
  else if (open.length > 0) {
    const what = `nothing tells which of the free dimensions ${[...free].join(', ')} is time: call warmUp with feeds`;
    throw new RnnError('INVALID_ARGUMENT', 'range', what);
  }
  return roles;
}

/**
 * The shapes of a range.
 *
 * @throws RnnError `INVALID_ARGUMENT` for sizes that are none, for dimensions that are not free or not known, and for
 *   a model with inputs whose numbers decide shapes
 */
export function shapesOf(graph: Graph, range: WarmUpRange): ShapeRange {
  const bounds: Record<Role, readonly [number, number]> = {
    lengths: checkBounds(range.lengths, 'lengths'),
    batch: checkBounds(range.batch ?? [1, 1], 'batch'),
  };
  const [decider] = hostInputsOf(graph);
  if (decider !== undefined) {
    const what = `the numbers of the input '${decider}' decide shapes: call warmUp with feeds`;
    throw new RnnError('INVALID_ARGUMENT', 'range', what);
  }
  const roles = rolesOf(graph);
  for (const role of ['lengths', 'batch'] as const) {
    if (range[role] === undefined || [...roles.values()].includes(role)) continue;
    const axis = role === 'lengths' ? 'time' : 'batch';
    const what = `the ${axis} of the inputs is not free: leave it out, or call warmUp with feeds`;
    throw new RnnError('INVALID_ARGUMENT', `range.${role}`, what);
  }
  const dimsAt = (length: number, batch: number): ReadonlyMap<string, readonly number[]> => {
    const sizeOf = (dim: number | string): number =>
      typeof dim === 'number' ? dim : roles.get(dim) === 'batch' ? batch : length;
    return new Map(graph.inputs.map(({ name, dims }) => [name, dims.map(sizeOf)]));
  };
  return { ...bounds, dimsAt };
}

/** Sizes at and next to which tiles begin and end: the bounds, and powers of two with their neighbours. */
function landmarksOf([min, max]: readonly [number, number]): number[] {
  const sizes = new Set([min, max]);
  for (let power = 1; power <= max + 1; power *= 2) {
    for (const size of [power - 1, power, power + 1]) if (size > min && size < max) sizes.add(size);
  }
  return [...sizes].toSorted((a, b) => a - b);
}

/** Batches that are visited one by one. */
const MAX_BATCHES = 16;

/**
 * Visits shapes of a range: the landmarks, and between two that need different kernels the sizes at which they change,
 * by bisection. Kernels are chosen by thresholds, so that a change and its reversal between two landmarks are not
 * expected; a test visits all shapes of some models.
 *
 * @param visit gives what the kernels of a shape are known by
 */
export async function visitShapes(
  { lengths, batch }: ShapeRange,
  visit: (length: number, batch: number) => Promise<string>,
): Promise<void> {
  const [min, max] = batch;
  const all = Array.from({ length: Math.min(max - min + 1, MAX_BATCHES) }, (_, i) => min + i);
  const batches = max - min < MAX_BATCHES ? all : landmarksOf(batch);
  for (const rows of batches) {
    const between = async (low: number, high: number, a: string, b: string): Promise<void> => {
      const middle = (low + high) >> 1;
      if (a === b || middle === low) return;
      const found = await visit(middle, rows);
      await between(low, middle, a, found);
      await between(middle, high, found, b);
    };
    let before: { readonly length: number; readonly kernels: string } | undefined;
    for (const length of landmarksOf(lengths)) {
      const kernels = await visit(length, rows);
      if (before) await between(before.length, length, before.kernels, kernels);
      before = { length, kernels };
    }
  }
}
