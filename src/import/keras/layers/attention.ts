// Attention and AdditiveAttention. https://keras.io/api/layers/attention_layers/
// keras/src/layers/attention/{attention,additive_attention}.py
import type { ValueInfo } from '../../../graph.ts';
import { tensor } from '../../../tensor.ts';
import { knownDim, misfit, showDims, unsupported, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import { takeWeight } from './weights.ts';

/** Query [B, Tq, D], value [B, Tv, V] and key [B, Tv, D]. */
interface Parts {
  readonly query: KerasTensor;
  readonly value: KerasTensor;
  readonly key: KerasTensor;
}

function partsOf(call: LayerCall): Parts {
  const [query, values, key = values, ...more] = call.inputs;
  if (!query || !values || !key || more.length > 0) {
    throw misfit(call, `got ${call.inputs.length} inputs, expected query, value and perhaps key`);
  }
  for (const { dims } of [query, values, key]) {
    if (dims.length !== 3) throw misfit(call, `got ${showDims(dims)}, expected [batch, time, …]`);
  }
  const widths = [query, key].map(({ dims }) => dims[2]);
  if (widths[0] !== widths[1]) {
    throw misfit(
      call,
      `got a query and a key of ${widths.join(' and ')} features, expected as many`,
    );
  }
  return { query, value: values, key };
}

/** A weight of the layer as a constant. */
function weight(call: LayerCall, name: string, index: number, dims: readonly number[]): string {
  const { builder, path, weights } = call;
  const data = takeWeight(weights, name, index, dims, path);
  return builder.constant(`${call.name}/${name}`, () => tensor(data, dims));
}

/** tanh of each query and each key, added: [B, Tq, Tv, D]. */
function pairs({ builder, stem }: LayerCall, { query, key }: Parts, scale?: string): string {
  const rows = builder.node('Unsqueeze', `${stem}/query`, [query.name, builder.ints([2])]);
  const columns = builder.node('Unsqueeze', `${stem}/key`, [key.name, builder.ints([1])]);
  const sum = builder.node('Add', `${stem}/pairs`, [rows, columns]);
  const scaled = scale ? builder.node('Mul', `${stem}/scaled`, [sum, scale]) : sum;
  return builder.node('Tanh', `${stem}/tanh`, [scaled]);
}

function sumFeatures({ builder, stem }: LayerCall, x: string): string {
  return builder.node('ReduceSum', `${stem}/scores`, [x, builder.ints([-1])], { keepdims: 0 });
}

/** Luong attention: products of queries and keys, or `score_mode: 'concat'`. */
function dotScores(call: LayerCall, parts: Parts): string {
  const { builder, config, stem } = call;
  const mode = config.choice('score_mode', ['dot', 'concat'], 'dot');
  const scale = config.flag('use_scale', false) ? weight(call, 'scale', 0, []) : undefined;
  if (mode === 'concat') {
    const factor = weight(call, 'concat_score_weight', Number(scale !== undefined), []);
    const sum = sumFeatures(call, pairs(call, parts, scale));
    return builder.node('Mul', `${stem}/weighted`, [sum, factor]);
  }
  const keys = builder.node('Transpose', `${stem}/keys`, [parts.key.name], { perm: [0, 2, 1] });
  const scores = builder.node('MatMul', `${stem}/scores`, [parts.query.name, keys]);
  return scale ? builder.node('Mul', `${stem}/scaled`, [scores, scale]) : scores;
}

/** Bahdanau attention: a weighted sum over features of tanh(query + key). */
function additiveScores(call: LayerCall, parts: Parts): string {
  const { builder, config, stem } = call;
  const both = pairs(call, parts);
  if (!config.flag('use_scale', true)) return sumFeatures(call, both);
  const scale = weight(call, 'scale', 0, [knownDim(call, parts.query, 2)]);
  return sumFeatures(call, builder.node('Mul', `${stem}/weighted`, [both, scale]));
}

/** Where a query may look: at steps that count, and not ahead of itself when causal. */
function allowed(call: LayerCall, scores: string, mask: ValueInfo | undefined): string | undefined {
  const { builder, options, stem } = call;
  const counts =
    mask && builder.node('Unsqueeze', `${stem}/counts`, [mask.name, builder.ints([1])]);
  // Before Keras 2.13 it was an option of the layer, since then of the call.
  const causal = options['use_causal_mask'] ?? call.config.raw('causal') ?? false;
  if (causal !== true) return counts;
  const size = builder.node('Shape', `${stem}/size`, [scores], { start: 1, end: 3 });
  const ones = builder.node('Expand', `${stem}/ones`, [builder.scalar(1), size]);
  const [rows, columns] = [0, 1].map((axis) => {
    const along = builder.constant(`int:${axis}`, () => tensor(BigInt64Array.of(BigInt(axis)), []));
    return builder.node('CumSum', `${stem}/steps`, [ones, along], { exclusive: 0, reverse: 0 });
  }) as [string, string];
  const past = builder.node('GreaterOrEqual', `${stem}/past`, [rows, columns]);
  return counts ? builder.node('And', `${stem}/allowed`, [counts, past]) : past;
}

const attention =
  (scoresOf: (call: LayerCall, parts: Parts) => string): Translate =>
  (call) => {
    const { builder, options, stem } = call;
    const parts = partsOf(call);
    if (call.masked) throw unsupported(call, 'mask', 'takes the masks that its inputs carry only');
    let scores = scoresOf(call, parts);
    const open = allowed(call, scores, parts.value.mask);
    if (open) {
      const low = builder.node('Sub', `${stem}/low`, [scores, builder.scalar(1e9)]);
      scores = builder.node('Where', `${stem}/masked`, [open, scores, low]);
    }
    const shares = builder.node('Softmax', `${stem}/shares`, [scores], { axis: -1 });
    let y = builder.node('MatMul', stem, [shares, parts.value.name]);
    const { mask } = parts.query;
    if (mask) {
      const rows = builder.node('Unsqueeze', `${stem}/rows`, [mask.name, builder.ints([2])]);
      y = builder.node('Where', `${stem}/zeroed`, [rows, y, builder.scalar(0)]);
    }
    const dims = [...parts.query.dims.slice(0, 2), parts.value.dims[2]!];
    const outputs = [value(y, dims, mask)];
    if (options['return_attention_scores'] !== true) return outputs;
    const square = [...parts.query.dims.slice(0, 2), parts.key.dims[1]!];
    return [...outputs, value(shares, square)];
  };

/** Layers by class. */
export const ATTENTION: Readonly<Record<string, Translate>> = {
  Attention: attention(dotScores),
  AdditiveAttention: attention(additiveScores),
};
