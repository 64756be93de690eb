// How a translation asks for weights. Each file format has names of its own for them, so it
// answers a question such as: the kernel of the second cell of the backward half of layer 'rnn'.
import { RnnError } from '../../../errors.ts';
import type { Tensor } from '../../../tensor.ts';

/** One step down from a model to a weight. */
export type Part =
  /** `wrapped` is the name of the layer within a wrapper. */
  | { readonly layer: string; readonly className: string; readonly wrapped?: string }
  /** A model within a model. */
  | { readonly model: string }
  | 'forward'
  | 'backward'
  /** The layer inside TimeDistributed. */
  | 'wrapped'
  /** The cell inside a recurrent layer. */
  | 'cell'
  /** One cell of StackedRNNCells. */
  | { readonly cell: number };

/** The weights of a part of a model. */
export interface Weights {
  part(part: Part): Weights;
  /**
   * A weight of this very part.
   *
   * @param name what Keras calls it: `kernel`, `recurrent_kernel`, `gamma`
   * @param index its place among the weights that the part asks for, in the order of `add_weight`
   */
  find(name: string, index: number): Tensor | undefined;
  /** What the file has for this part, for messages. */
  names(): readonly string[];
}

/** A weight as float32, checked against the shape that the config promises. */
export function takeWeight(
  weights: Weights,
  name: string,
  index: number,
  dims: readonly number[],
  path: string,
): Float32Array {
  const where = `${path}.${name}`;
  const found = weights.find(name, index);
  if (found === undefined) {
    const names = weights.names();
    throw new RnnError(
      'INVALID_MODEL',
      where,
      `the file has no such weight, got ${names.length === 0 ? 'none' : names.slice(0, 8).join(', ')}` +
        ` for this layer, expected one of shape [${dims.join(', ')}]`,
    );
  }
  if (found.dims.length !== dims.length || found.dims.some((dim, axis) => dim !== dims[axis])) {
    throw new RnnError(
      'SHAPE_MISMATCH',
      where,
      `got shape [${found.dims.join(', ')}], expected [${dims.join(', ')}]`,
    );
  }
  if (found.data instanceof Float32Array) return found.data;
  if (found.data instanceof BigInt64Array || found.data instanceof BigUint64Array) {
    throw new RnnError('INVALID_MODEL', where, `got ${found.type}, expected float32`);
  }
  return Float32Array.from(found.data);
}
