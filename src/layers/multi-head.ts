// Attention of several heads. https://arxiv.org/abs/1706.03762
import { attend, attentionLayer, type AttentionLayer, type Parts } from './attend.ts';
import type { AttentionOptions } from './attention.ts';
import { invalid, knownWidth, readCount } from './layer.ts';
import { readMatrix, readOrder, readShaped, readWeights, transposed } from './weights.ts';
import type { OrderOption, WeightOrder, Weights } from './weights.ts';
import { sizeOf } from '../tensor.ts';

/** W·x + b. */
export interface Projection {
  /** [O, I]; [I, O] with `order: 'keras'`, O may be two axes there, heads and their width. */
  readonly W: Weights;
  /** [O]; zeros when left out. */
  readonly b?: Weights | undefined;
}

/** Options of `multiHeadAttention`. */
export interface MultiHeadOptions extends AttentionOptions, OrderOption {
  /** Number of heads, a divisor of the outputs of the projections. */
  readonly heads: number;
  /** Of the query, to heads × D. */
  readonly query: Projection;
  /** Of the key, to heads × D. */
  readonly key: Projection;
  /** Of the value, to heads × V. */
  readonly value: Projection;
  /** Of the heads next to one another, from heads × V; none when left out. */
  readonly output?: Projection | undefined;
}

/**
 * Scaled dot-product attention in several heads: query [B, Tq, Dq], value [B, Tk, Dv], key [B, Tk, Dk] →
 * [B, Tq, O]; weights [B, heads, Tq, Tk]. PyTorch keeps the three projections in one matrix: its rows are those of
 * query, key and value.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is applied
 * @example
 * ```ts
 * const y = multiHeadAttention({
 *   heads: 4,
 *   query: { W: Wq, b: bq },
 *   key: { W: Wk, b: bk },
 *   value: { W: Wv, b: bv },
 *   output: { W: Wo, b: bo },
 *   order: 'pytorch',
 *   causal: true,
 * })(x);
 * ```
 */
export function multiHeadAttention(options: MultiHeadOptions): AttentionLayer {
  return attentionLayer('multiHeadAttention', options, (parts) => {
    const { builder, stem, path } = parts;
    const order = readOrder(options.order, path);
    const heads = readCount(options.heads, `${path}.heads`);
    const split = (what: 'query' | 'key' | 'value', perm: readonly number[]) => {
      const at = `${path}.${what}`;
      const { name, O } = project({ ...parts, x: parts[what] }, options[what], what, order, at);
      if (O % heads !== 0) throw invalid(`${path}.heads`, heads, `a divisor of ${O} outputs`);
      const shape = builder.ints([0, 0, heads, O / heads]);
      const divided = builder.node('Reshape', `${stem}/${what}_heads`, [name, shape]);
      const y = builder.node('Transpose', `${stem}/${what}_first`, [divided], { perm });
      return { y, width: O / heads };
    };
    const query = split('query', [0, 2, 1, 3]);
    const key = split('key', [0, 2, 3, 1]);
    const value = split('value', [0, 2, 1, 3]);
    if (query.width !== key.width) {
      throw invalid(
        `${path}.key.W`,
        `${key.width} outputs a head`,
        `${query.width}, as of the query`,
      );
    }
    const factor = builder.scalar(1 / Math.sqrt(query.width));
    const scaled = builder.node('Mul', `${stem}/scaled`, [query.y, factor]);
    const scores = builder.node('MatMul', `${stem}/scores`, [scaled, key.y]);
    const { y, weights } = attend(parts, scores, value.y, options.causal === true, heads);
    const turned = builder.node('Transpose', `${stem}/heads_last`, [y], { perm: [0, 2, 1, 3] });
    const width = heads * value.width;
    const joined = builder.node('Reshape', `${stem}/joined`, [turned, builder.ints([0, 0, width])]);
    if (options.output === undefined) return { y: joined, width, weights };
    const x = { ...parts.query, name: joined, dims: parts.query.dims.with(2, width) };
    const out = project({ ...parts, x }, options.output, 'output', order, `${path}.output`);
    return { y: out.name, width: out.O, weights };
  });
}

/** W·x + b of each step. */
function project(
  { builder, stem, x }: Parts & { readonly x: Parts['query'] },
  { W, b }: Projection,
  what: string,
  order: WeightOrder,
  path: string,
): { readonly name: string; readonly O: number } {
  const inputs = knownWidth({ x, path });
  const matrix = readMatrix(
    flattened(W, order, inputs, `${path}.W`),
    order,
    { inputs },
    ['O', 'I'],
    `${path}.W`,
  );
  const O = matrix.dims[0]!;
  const constant = builder.constant(`${stem}/${what}/W`, () => transposed(matrix));
  const product = builder.node('MatMul', `${stem}/${what}`, [x.name, constant]);
  if (b === undefined) return { name: product, O };
  const read = readWeights(b, `${path}.b`);
  const bias = readShaped({ ...read, dims: [sizeOf(read.dims)] }, [O], 'O', `${path}.b`);
  const offset = builder.constant(`${stem}/${what}/b`, () => bias);
  return { name: builder.node('Add', `${stem}/${what}_bias`, [product, offset]), O };
}

/** Keras keeps heads and their width as two axes: [I, heads, D], and of the output [heads, D, O]. */
function flattened(W: Weights, order: WeightOrder, inputs: number, path: string): Weights {
  const read = readWeights(W, path);
  if (order !== 'keras' || read.dims.length !== 3) return W;
  const [first, second, third] = read.dims as [number, number, number];
  const dims = first === inputs ? [first, second * third] : [first * second, third];
  return { ...read, dims };
}
