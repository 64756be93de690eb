// LSTM, GRU, plain recurrent layers and layers of cells of one's own, in one direction or both.
import { CELLS, cellOf, type Cell } from '../cells/index.ts';
import { callable, invalid, layoutOf, type Place } from './layer.ts';
import { appendRecurrent } from './recurrent-nodes.ts';
import { widthOf } from './recurrent-weights.ts';
import { apply, type SymbolicTensor } from './symbolic.ts';
import type {
  AnyOptions,
  CellOptions,
  GruOptions,
  LstmOptions,
  RecurrentInputs,
  RecurrentLayer,
  RecurrentOptions,
} from './recurrent-options.ts';

/**
 * Long short-term memory: [B, T, I] → [B, T, D·H].
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * // 40 inputs, 128 units: W [512, 40], R [512, 128], B [1024]
 * const graph = sequential([lstm({ W, R, B, returnSequences: false }), dense({ W: V, b })]);
 * ```
 */
export const lstm = (options: LstmOptions): RecurrentLayer => layerOf(CELLS.lstm, options);

/**
 * Gated recurrent unit: [B, T, I] → [B, T, D·H].
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * gru({ W, R, B, resetAfter: false, direction: 'bidirectional' }); // W [2, 3·H, I]
 * ```
 */
export const gru = (options: GruOptions): RecurrentLayer => layerOf(CELLS.gru, options);

/**
 * Plain recurrent layer, tanh(W·x + R·h + b) by default: [B, T, I] → [B, T, D·H].
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * rnn({ W, R, activations: ['relu'] });
 * ```
 */
export const rnn = (options: RecurrentOptions): RecurrentLayer => layerOf(CELLS.rnn, options);

/**
 * A layer of any cell, one of your own among them: [B, T, I] → [B, T, D·H].
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * const layer = recurrent({ cell: defineCell({ gates: ['z', 'h'], … }), W }); // see defineCell
 * ```
 */
export const recurrent = ({ cell, ...options }: CellOptions): RecurrentLayer =>
  layerOf(cellOf(cell), options);

/** A layer of a cell that has one output. */
export const layerOf = (cell: Cell, options: AnyOptions): RecurrentLayer =>
  recurrentLayer(cell, options, ([y]) => y!);

/**
 * A layer of a cell.
 *
 * @param output what the call gives of the outputs
 */
export function recurrentLayer<Y>(
  cell: Cell,
  options: AnyOptions,
  output: (ys: readonly SymbolicTensor[]) => Y,
): RecurrentLayer<Y> {
  const withStates = (x: SymbolicTensor, also: RecurrentInputs = {}) => {
    const { initialState = [], lengths, mask } = also;
    const kind = cell.name;
    const all = apply({
      layer,
      kind,
      name: options.name,
      inputs: [x, lengths, mask, ...initialState],
      append: ({ builder, inputs: [given, steps, live, ...states], stem, path }) => {
        const place: Place = { builder, x: given!, layout: layoutOf(options, path), stem, path };
        const extra = { lengths: steps, mask: live, initialState: states.map((state) => state!) };
        const { ys, states: after } = appendRecurrent(place, cell, options, extra);
        return [...ys, ...after()];
      },
    });
    const count = options.merge === 'none' ? 2 : 1;
    return { y: output(all.slice(0, count)), states: all.slice(count) };
  };
  const layer: RecurrentLayer<Y> = callable(
    (x: SymbolicTensor, also?: RecurrentInputs): Y => withStates(x, also).y,
    {
      kind: cell.name,
      cell,
      name: options.name,
      layout: options.layout,
      options,
      withStates,
      wants: (path: string) =>
        ({ type: 'float32', features: widthOf(options, cell, path) }) as const,
      append: (place: Place) => {
        if (options.merge === 'none') {
          throw invalid(`${place.path}.merge`, 'none', 'a layer of one output in a stack');
        }
        return appendRecurrent(place, cell, options).ys[0]!;
      },
    },
  );
  return layer;
}
