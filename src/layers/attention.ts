// Attention: a mean of values, weighted by how well their keys fit a query.
import type { ValueInfo } from '../graph.ts';
import { tensor, type Tensor } from '../tensor.ts';
import { attend, attentionLayer, type AttentionLayer, type Parts } from './attend.ts';
import { invalid, mismatch, readChoice, show, type SequenceOptions } from './layer.ts';
import type { SymbolicTensor } from './symbolic.ts';
import {
  readMatrix,
  readOrder,
  readShaped,
  transposed,
  type OrderOption,
  type Weights,
} from './weights.ts';

/** What all kinds of attention have as options. */
export interface AttentionOptions extends SequenceOptions {
  /** Whether query i looks at keys 0 to i only; false by default. */
  readonly causal?: boolean | undefined;
}

/** Scores without weights: `'dot'` q·k, and `'scaledDot'` q·k / √D. */
export interface DotOptions extends AttentionOptions {
  /** `'dot'`, or `'scaledDot'` by default. */
  readonly score?: 'dot' | 'scaledDot' | undefined;
  /** A learned factor of the scores; 1 by default. */
  readonly scale?: number | undefined;
}

/** Luong's general score: qᵀ·W·k. */
export interface GeneralOptions extends AttentionOptions, OrderOption {
  /** Luong's general score. */
  readonly score: 'general';
  /** [Dq, Dk] for queries of Dq and keys of Dk features, in every order. */
  readonly W: Weights;
}

/** Luong's concat score: vᵀ·tanh(W·[q; k] + b). A units. */
export interface ConcatScoreOptions extends AttentionOptions, OrderOption {
  /** Luong's concat score. */
  readonly score: 'concat';
  /** [A, Dq + Dk], the columns of the query first; [Dq + Dk, A] with `order: 'keras'`. */
  readonly W: Weights;
  /** [A]; zeros when left out. */
  readonly b?: Weights | undefined;
  /** [A]. */
  readonly v: Weights;
}

/** Bahdanau's additive score: vᵀ·tanh(Wq·q + Wk·k + b). A units. */
export interface AdditiveOptions extends AttentionOptions, OrderOption {
  /** Bahdanau's additive score. */
  readonly score: 'additive';
  /** [A, Dq]; [Dq, A] with `order: 'keras'`. The query itself when left out, as in AdditiveAttention of Keras. */
  readonly Wq?: Weights | undefined;
  /** [A, Dk]; [Dk, A] with `order: 'keras'`. The key itself when left out. */
  readonly Wk?: Weights | undefined;
  /** [A]; zeros when left out. */
  readonly b?: Weights | undefined;
  /** [A]. */
  readonly v: Weights;
}

/** Options of `attention`, by its score. */
export type ScoreOptions = DotOptions | GeneralOptions | ConcatScoreOptions | AdditiveOptions;

/**
 * Attention of one head: the values' mean, weighted by softmax(score(query, key)) over the keys:
 * query [B, Tq, Dq], value [B, Tk, V], key [B, Tk, Dk] → [B, Tq, V]. A query of one step may be [B, Dq], and the
 * result is [B, V] then. Applied to one sequence it is self-attention. A query with no key to look at gets zeros.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is applied
 * @example
 * ```ts
 * const context = attention({ score: 'additive', Wq, Wk, v })({ query: decoded, value: encoded, lengths });
 * const { weights } = attention({ score: 'dot' }).withWeights({ query: decoded, value: encoded }); // [B, Tq, Tk]
 * ```
 */
export function attention(options: ScoreOptions = {}): AttentionLayer<SymbolicTensor> {
  const choices = ['dot', 'scaledDot', 'general', 'concat', 'additive'] as const;
  return attentionLayer('attention', options, (parts) => {
    const { path } = parts;
    const score = readChoice(options.score ?? 'scaledDot', choices, `${path}.score`);
    const scores =
      score === 'dot' || score === 'scaledDot'
        ? dot(parts, score, options as DotOptions)
        : SCORES[score](parts, options as never);
    return attend(parts, scores, parts.value.name, options.causal === true, false);
  });
}

/** The width of queries and keys. */
function widths({ query, key, path }: Parts): readonly [number, number] {
  const [q, k] = [query, key].map((each) => each.dims.at(-1));
  if (typeof q === 'number' && typeof k === 'number') return [q, k];
  const got = `a query ${show(query)} and a key ${show(key)}`;
  throw mismatch(path, got, 'known numbers of features');
}

function sameWidth(parts: Parts): number {
  const [q, k] = widths(parts);
  if (q === k) return q;
  throw mismatch(parts.path, `a query of ${q} and a key of ${k} features`, 'as many');
}

/** [B, Tk, D] → [B, D, Tk]. */
const columns = ({ builder, stem }: Parts, keys: string): string =>
  builder.node('Transpose', `${stem}/keys`, [keys], { perm: [0, 2, 1] });

function dot(parts: Parts, score: 'dot' | 'scaledDot', { scale = 1 }: DotOptions): string {
  const { builder, stem, path, query, key } = parts;
  const width = sameWidth(parts);
  if (!Number.isFinite(scale)) throw invalid(`${path}.scale`, scale, 'a finite number');
  const factor = score === 'dot' ? scale : scale / Math.sqrt(width);
  const scaled =
    factor === 1
      ? query.name
      : builder.node('Mul', `${stem}/scaled`, [query.name, builder.scalar(factor)]);
  return builder.node('MatMul', `${stem}/scores`, [scaled, columns(parts, key.name)]);
}

function general(parts: Parts, { W }: GeneralOptions): string {
  const { builder, stem, path, query, key } = parts;
  const dims = widths(parts);
  const weights = readShaped(W, dims, 'Dq × Dk', `${path}.W`);
  const constant = builder.constant(`${stem}/W`, () => weights);
  const left = builder.node('MatMul', `${stem}/projected`, [query.name, constant]);
  return builder.node('MatMul', `${stem}/scores`, [left, columns(parts, key.name)]);
}

/** vᵀ·tanh(queries + keys + b) of each pair; both [B, T, A]. */
function pairs(
  { builder, stem, path }: Parts,
  queries: string,
  keys: string,
  A: number,
  { b, v }: Pick<AdditiveOptions, 'b' | 'v'>,
): string {
  const vector = readShaped(v, [A], 'A', `${path}.v`);
  const rows = builder.node('Unsqueeze', `${stem}/queries`, [queries, builder.ints([2])]);
  const across = builder.node('Unsqueeze', `${stem}/keys`, [keys, builder.ints([1])]);
  let sum = builder.node('Add', `${stem}/pairs`, [rows, across]);
  if (b !== undefined) {
    const bias = readShaped(b, [A], 'A', `${path}.b`);
    sum = builder.node('Add', `${stem}/biased`, [sum, builder.constant(`${stem}/b`, () => bias)]);
  }
  const bent = builder.node('Tanh', `${stem}/tanh`, [sum]);
  const column = builder.constant(`${stem}/v`, () => tensor(vector.data, [A, 1]));
  const scores = builder.node('MatMul', `${stem}/products`, [bent, column]);
  return builder.node('Squeeze', `${stem}/scores`, [scores, builder.ints([-1])]);
}

/** W·x of each step, with W [A, D]. */
function projected({ builder, stem }: Parts, x: string, key: string, W: Tensor<'float32'>): string {
  const constant = builder.constant(`${stem}/${key}`, () => transposed(W));
  return builder.node('MatMul', `${stem}/${key}x`, [x, constant]);
}

function concatenated(parts: Parts, options: ConcatScoreOptions): string {
  const { path, query, key } = parts;
  const [q, k] = widths(parts);
  const letters = ['A', 'Dq + Dk'] as const;
  const order = readOrder(options.order, path);
  const W = readMatrix(options.W, order, { inputs: q + k }, letters, `${path}.W`);
  const A = W.dims[0]!;
  // W·[q; k] is Wq·q + Wk·k, so that each step is multiplied once and not once for each pair.
  const part = (from: number, width: number): Tensor<'float32'> => {
    const data = new Float32Array(A * width);
    for (let a = 0; a < A; a++) {
      const row = a * (q + k) + from;
      data.set(W.data.subarray(row, row + width), a * width);
    }
    return tensor(data, [A, width]);
  };
  const queries = projected(parts, query.name, 'Wq', part(0, q));
  return pairs(parts, queries, projected(parts, key.name, 'Wk', part(q, k)), A, options);
}

function additive(parts: Parts, options: AdditiveOptions): string {
  const { path, query, key } = parts;
  const [q, k] = widths(parts);
  const order = readOrder(options.order, path);
  const side = (x: ValueInfo, name: 'Wq' | 'Wk', inputs: number) => {
    const given = options[name];
    if (given === undefined) return { y: x.name, A: inputs };
    const letters = ['A', name === 'Wq' ? 'Dq' : 'Dk'] as const;
    const W = readMatrix(given, order, { inputs }, letters, `${path}.${name}`);
    return { y: projected(parts, x.name, name, W), A: W.dims[0]! };
  };
  const [left, right] = [side(query, 'Wq', q), side(key, 'Wk', k)];
  if (left.A !== right.A) {
    throw mismatch(`${path}.Wk`, `${right.A} units`, `${left.A}, those of the query`);
  }
  return pairs(parts, left.y, right.y, left.A, options);
}

const SCORES = { general, concat: concatenated, additive };
