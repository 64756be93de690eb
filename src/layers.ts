// Builds graphs layer by layer, for models that never were a file.
import { GraphBuilder } from './graph-builder.ts';
import { validateGraph, type Graph } from './graph.ts';
import { namedInput, Stems } from './layers/functional.ts';
import { invalid, makeLayer, type Layer, type Layout } from './layers/layer.ts';
import type { SymbolicTensor } from './layers/symbolic.ts';
import type { DataType } from './tensor.ts';

export { activation, softmax } from './layers/activation.ts';
export type { ActivationOptions, SoftmaxOptions } from './layers/activation.ts';
export type { AttentionInputs, AttentionLayer, AttentionResult } from './layers/attend.ts';
export { attention } from './layers/attention.ts';
export type {
  AdditiveOptions,
  AttentionOptions,
  ConcatScoreOptions,
  DotOptions,
  GeneralOptions,
  ScoreOptions,
} from './layers/attention.ts';
export { bidirectional } from './layers/bidirectional.ts';
export type { BothDirections } from './layers/bidirectional.ts';
export { add, concat, residual, stack, timeDistributed } from './layers/compose.ts';
export type { ConcatOptions } from './layers/compose.ts';
export { dense, embedding } from './layers/dense.ts';
export type { DenseOptions, EmbeddingOptions } from './layers/dense.ts';
export { functional } from './layers/functional.ts';
export type { FunctionalOptions } from './layers/functional.ts';
export type { Layer, LayerOptions, LayerParts, Layout, SequenceOptions } from './layers/layer.ts';
export { multiHeadAttention } from './layers/multi-head.ts';
export type { MultiHeadOptions, Projection } from './layers/multi-head.ts';
export { batchNorm, dropout, layerNorm } from './layers/normalize.ts';
export type { BatchNormOptions, LayerNormOptions } from './layers/normalize.ts';
export { gru, lstm, recurrent, rnn } from './layers/recurrent.ts';
export type {
  CellOptions,
  GruOptions,
  LstmOptions,
  MergeMode,
  RecurrentInputs,
  RecurrentLayer,
  RecurrentLayerOptions,
  RecurrentOptions,
  RecurrentResult,
} from './layers/recurrent-options.ts';
export type { SymbolicTensor } from './layers/symbolic.ts';
export type {
  FloatArray,
  NestedNumbers,
  OrderOption,
  WeightOrder,
  Weights,
} from './layers/weights.ts';
export { conv1d, pool } from './layers/window.ts';
export type { Conv1dOptions, PoolOptions, WindowOptions } from './layers/window.ts';

/** Options of `input`. */
export interface InputOptions {
  /** Width of each step. */
  readonly features: number;
  /** Its axes; those that `sequential` says by default. */
  readonly layout?: Layout | undefined;
}

/**
 * Declares an input of a model for `functional`, to which layers are applied.
 *
 * @param name what a run is fed it as
 * @param dims its sizes, outermost first; free ones are texts, and those of one name are the same size
 * @param type float32 by default; int32 or int64 for an embedding
 * @throws RnnError `INVALID_ARGUMENT` for what is no name, no shape and no type
 * @example
 * ```ts
 * const x = input('x', ['batch', 'time', 40]);
 * const tokens = input('tokens', ['batch', 'length'], 'int32');
 * ```
 */
export function input(
  name: string,
  dims: readonly (number | string)[],
  type?: DataType,
): SymbolicTensor;
/**
 * Declares how wide the input of `sequential` is, and its layout. It stands first or not at all: without it the
 * weights of the first layer tell.
 */
export function input(options: InputOptions): Layer;
export function input(
  first: string | InputOptions,
  dims: readonly (number | string)[] = [],
  type?: DataType,
): SymbolicTensor | Layer {
  if (typeof first === 'string') return namedInput(first, dims, type);
  const { features, layout } = first;
  if (!Number.isSafeInteger(features) || features < 1) {
    throw invalid('input.features', features, 'a whole number, 1 or more');
  }
  return makeLayer({
    kind: 'input',
    layout,
    wants: () => ({ type: 'float32', features }) as const,
    append: ({ x }) => x,
  });
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
  if (wanted === undefined) {
    throw invalid('layers[0]', `${first.kind} first`, 'input({ features }) in front of it');
  }
  const axes = layout === 1 ? ['batch', 'time'] : ['time', 'batch'];
  const dims = wanted.type === 'int32' ? axes : [...axes, wanted.features];
  let x = builder.input({ name: 'X', type: wanted.type, dims });
  const stems = new Stems();
  layers.forEach((layer, i) => {
    const path = `layers[${i}]`;
    if (layer.kind === 'input' && i > 0)
      throw invalid(path, 'an input', 'one as the first layer only');
    if (layer.layout !== undefined && layer.layout !== layout) {
      throw invalid(`${path}.layout`, layer.layout, `${layout}, that of the model`);
    }
    const stem = stems.take(layer.kind, layer.name, `${path}.name`);
    x = layer.append({ builder, x, layout, stem, path });
  });
  const graph = builder.finish(options.name ?? 'sequential', [{ name: 'Y', value: x }]);
  validateGraph(graph);
  return graph;
}
