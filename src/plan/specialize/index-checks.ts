// Indices that come from an input as they are: they can be checked when they are fed, which a GPU cannot do.
import type { Node } from '../../graph.ts';
import { RnnError } from '../../errors.ts';
import type { ValueType } from '../../ops/operator.ts';
import type { Tensor } from '../../tensor.ts';

/** Indices that a node reads from an input: none may be out of range. */
export interface IndexCheck {
  readonly input: string;
  /** Operator and name of the node, for messages. */
  readonly reader: string;
  /** Sizes of the axes that the indices count along, in turn. */
  readonly sizes: readonly number[];
}

/** Operators whose output has the integer values of their first input in the same order. */
export const SAME_ORDER: ReadonlySet<string> = new Set([
  'Cast',
  'Identity',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
]);

/** Sizes of the axes that input 1 of a node counts along; undefined where it is no index. */
export function indexedSizes(
  { op, attributes }: Node,
  data: ValueType,
  indices: ValueType,
): readonly number[] | undefined {
  const { dims } = data;
  switch (op) {
    case 'Gather':
    case 'GatherElements':
    case 'ScatterElements': {
      const axis = (attributes['axis'] ?? 0) as number;
      return [dims.at(axis)!];
    }
    case 'ScatterND': {
      const depth = indices.dims.at(-1)!;
      return depth === 0 ? undefined : dims.slice(0, depth);
    }
    default:
      return undefined;
  }
}

/**
 * Holds the fed indices against the sizes.
 *
 * @throws RnnError `INVALID_ARGUMENT` with the position in the feed
 */
export function checkIndices({ input, reader, sizes }: IndexCheck, { data }: Tensor): void {
  for (let i = 0; i < data.length; i++) {
    const index = Math.trunc(Number(data[i]));
    const size = sizes[i % sizes.length]!;
    if (index >= -size && index < size) continue;
    const what = `index of ${reader}, got ${data[i]}, expected ${-size} to ${size - 1}`;
    throw new RnnError('INVALID_ARGUMENT', `feeds.${input}[${i}]`, what);
  }
}
