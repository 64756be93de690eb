// Embedding and dense layers.
import { formatDims } from '../tensor.ts';
import { appendActivation } from './activation.ts';
import { expectDims, expectWidth, makeLayer, mismatch, show } from './layer.ts';
import type { Layer, LayerOptions } from './layer.ts';
import { isFlat, readMatrix, readOrder, readShaped, readWeights, transposed } from './weights.ts';
import type { OrderOption, Weights } from './weights.ts';

/** Options of `embedding`. N ids, F features. */
export interface EmbeddingOptions extends LayerOptions {
  /** [N, F], a row for each id, in every framework. */
  readonly weights: Weights;
}

/**
 * Looks up a row of weights for each id: int32 or int64 [B, T] → [B, T, F]. In `sequential` it stands first.
 *
 * @throws RnnError `SHAPE_MISMATCH` where it is put into a model, for weights of other axes, and for an input
 *   that is no ids
 * @example
 * ```ts
 * const graph = sequential([embedding({ weights: tensor(table, [65, 128]) }), lstm({ W, R, B })]);
 * ```
 */
export function embedding({ weights, name }: EmbeddingOptions): Layer {
  return makeLayer({
    kind: 'embedding',
    name,
    wants: () => ({ type: 'int32' }) as const,
    append: ({ builder, x, stem, path }) => {
      const E = readWeights(weights, `${path}.weights`);
      const [rows = 0, width = 0] = E.dims;
      expectDims(E, [rows, width], 'N × F', `${path}.weights`);
      if (x.type !== 'int32' && x.type !== 'int64')
        throw mismatch(path, `${x.type} ${formatDims(x.dims)}`, 'ids, as first layer');
      const table = builder.constant(`${stem}/E`, () => E);
      const y = builder.node('Gather', stem, [table, x.name], { axis: 0 });
      return { name: y, type: 'float32', dims: [...x.dims, width] };
    },
  });
}

/** Options of `dense`. I inputs, O outputs. */
export interface DenseOptions extends LayerOptions, OrderOption {
  /** [O, I]; [I, O] with `order: 'keras'`. */
  readonly W: Weights;
  /** [O]; zeros when left out. */
  readonly b?: Weights | undefined;
  /** The name of an `activation`, softmax and logSoftmax among them; none by default. */
  readonly activation?: string | undefined;
}

/**
 * activation(W·x + b) of each step or row: [B, T, I] → [B, T, O], [B, I] → [B, O].
 *
 * @throws RnnError `SHAPE_MISMATCH` where it is put into a model, for weights that do not fit one another or
 *   the input; `INVALID_ARGUMENT` for an activation that is not known
 * @example
 * ```ts
 * dense({ W: [[0.1, 0.2, 0.3]], b: [0.5], activation: 'sigmoid' }); // 3 inputs, 1 output
 * ```
 */
export function dense({ W, b, activation, order, name }: DenseOptions): Layer {
  const read = (path: string, inputs?: number) => {
    const bias = b === undefined ? undefined : readWeights(b, `${path}.b`);
    // A bias tells the outputs of a flat array; elsewhere W does, and the bias is held against it.
    const outputs = isFlat(W) ? bias?.data.length : undefined;
    const letters = ['O', 'I'] as const;
    const sizes = { outputs, inputs: isFlat(W) ? inputs : undefined };
    return readMatrix(W, readOrder(order, path), sizes, letters, `${path}.W`);
  };
  return makeLayer({
    kind: 'dense',
    name,
    wants: (path) => ({ type: 'float32', features: read(path).dims[1]! }) as const,
    append: (place) => {
      const { builder, x, stem, path } = place;
      const width = x.dims.at(-1);
      const weights = read(path, typeof width === 'number' ? width : undefined);
      const [outputs, inputs] = weights.dims as [number, number];
      expectWidth(place, inputs);
      if (x.dims.length < 2) throw mismatch(path, `an input ${show(x)}`, '2 axes or more');
      const columns = builder.constant(`${stem}/W`, () => transposed(weights));
      const bias = b === undefined ? undefined : readShaped(b, [outputs], 'O', `${path}.b`);
      const offsets = bias ? [builder.constant(`${stem}/b`, () => bias)] : [];
      // Gemm adds the bias itself but knows rows only.
      const rows = x.dims.length === 2;
      const product = [x.name, columns, ...(rows ? offsets : [])];
      let y = builder.node(rows ? 'Gemm' : 'MatMul', stem, product);
      if (!rows && bias) y = builder.node('Add', `${stem}/bias`, [y, ...offsets]);
      const value = { name: y, type: 'float32', dims: x.dims.with(-1, outputs) } as const;
      if (activation === undefined) return value;
      const at = { stem: `${stem}/activation`, path: `${path}.activation` };
      return appendActivation(builder, value, activation, {}, at);
    },
  });
}
