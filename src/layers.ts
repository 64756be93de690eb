// Builds graphs layer by layer, for models that never were a file. The order of gates is that of the
// graph: LSTM i o f c, GRU z r h (PyTorch: i f g o and r z n; Keras: i f c o and z r h).
import { GraphBuilder } from './graph-builder.ts';
import { validateGraph, type Graph } from './graph.ts';
import { invalid, type Layer, type Layout } from './layers/layer.ts';

export { dense, embedding } from './layers/dense.ts';
export type { DenseOptions, EmbeddingOptions } from './layers/dense.ts';
export type { Layer, Layout, NestedNumbers, Weights } from './layers/layer.ts';
export { bidirectional } from './layers/bidirectional.ts';
export { gru, lstm, recurrent, rnn } from './layers/recurrent.ts';
export type {
  CellOptions,
  GruOptions,
  LstmOptions,
  MergeMode,
  RecurrentLayer,
  RecurrentLayerOptions,
  RecurrentOptions,
} from './layers/recurrent.ts';

/** Options of `input`. */
export interface InputOptions {
  /** Width of each step. */
  readonly features: number;
  /** Its axes; those that `sequential` says by default. */
  readonly layout?: Layout | undefined;
}

/**
 * Declares how wide the input is, and its layout. It stands first or not at all: without it the
 * weights of the first layer tell.
 */
export function input({ features, layout }: InputOptions): Layer {
  if (!Number.isSafeInteger(features) || features < 1) {
    throw invalid('input.features', features, 'a whole number, 1 or more');
  }
  return {
    kind: 'input',
    layout,
    wants: () => ({ type: 'float32', features }),
    append: ({ x }) => x,
  };
}

/** Options of `sequential`. */
export interface SequentialOptions {
  /** Name of the graph. */
  readonly name?: string | undefined;
  /** Axes of the input, of every sequence between layers, and of the output; 1 by default. */
  readonly layout?: Layout | undefined;
}

/**
 * Stacks layers into a graph with the input `X` and the output `Y`. Sequences are batch first,
 * [B, T, F], unless `layout` is 0. Behind an embedding `X` is int32 [B, T].
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` with the path `layers[1].W`
 * @example
 * ```ts
 * const graph = sequential([
 *   embedding({ weights: E }), // [65, 128]
 *   lstm({ W, R, B }), // [512, 128], [512, 128], [1024]
 *   dense({ W: V, b, activation: 'softmax' }), // [65, 128], [65]
 * ]);
 * const model = await loadModel(graph);
 * const { Y } = await model.run({ X: tensor(Int32Array.of(1, 2, 3), [1, 3]) });
 * ```
 */
export function sequential(layers: readonly Layer[], options: SequentialOptions = {}): Graph {
  const [first] = layers;
  if (first === undefined) throw invalid('layers', 'none', 'at least one');
  const layout = options.layout ?? layers.find((layer) => layer.layout !== undefined)?.layout ?? 1;
  if (layout !== 0 && layout !== 1) throw invalid('options.layout', layout, '0 or 1');
  const builder = new GraphBuilder();
  const wanted = first.wants('layers[0]');
  const axes = layout === 1 ? ['batch', 'time'] : ['time', 'batch'];
  const dims = wanted.type === 'int32' ? axes : [...axes, wanted.features];
  let x = builder.input({ name: 'X', type: wanted.type, dims });
  const counts = new Map<string, number>();
  const stems = new Set<string>();
  layers.forEach((layer, i) => {
    const path = `layers[${i}]`;
    if (layer.kind === 'input' && i > 0)
      throw invalid(path, 'an input', 'one as the first layer only');
    if (layer.layout !== undefined && layer.layout !== layout) {
      throw invalid(`${path}.layout`, layer.layout, `${layout}, that of the model`);
    }
    const count = counts.get(layer.kind) ?? 0;
    counts.set(layer.kind, count + 1);
    const stem = layer.name ?? `${layer.kind}_${count}`;
    if (stems.has(stem)) throw invalid(`${path}.name`, `'${stem}' again`, 'a name of its own');
    stems.add(stem);
    x = layer.append({ builder, x, layout, stem, path });
  });
  const graph = builder.finish(options.name ?? 'sequential', [{ name: 'Y', value: x }]);
  validateGraph(graph);
  return graph;
}
