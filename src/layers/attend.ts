// What all kinds of attention share: their inputs, the masks, and the weighted mean.
import type { Dim, GraphBuilder } from '../graph-builder.ts';
import type { ValueInfo } from '../graph.ts';
import { tensor } from '../tensor.ts';
import { callable, invalid, layoutOf, mismatch, show } from './layer.ts';
import type { LayerParts, Layout, SequenceOptions } from './layer.ts';
import { apply, isSymbolic, type SymbolicTensor } from './symbolic.ts';

/** What attention reads. */
export interface AttentionInputs {
  /** [B, Tq, Dq], or [B, Dq] for one step. */
  readonly query: SymbolicTensor;
  /** [B, Tk, V]. */
  readonly value: SymbolicTensor;
  /** [B, Tk, Dk]; the value when left out. */
  readonly key?: SymbolicTensor | undefined;
  /** [B, Tk], batch first in every layout: false or zero where a key is padding. */
  readonly mask?: SymbolicTensor | undefined;
  /** [B] integers: how many keys of each row count; those behind them are padding. */
  readonly lengths?: SymbolicTensor | undefined;
}

/** What attention gives. */
export type AttentionResult<Y = SymbolicTensor> = {
  /** The mean of the values, [B, Tq, V]. */
  readonly y: Y;
  /** How much of each value is in it, [B, Tq, Tk]; of several heads [B, heads, Tq, Tk]. */
  readonly weights: SymbolicTensor;
};

/** Attention: applied to one sequence it is self-attention. */
export interface AttentionLayer<Y = SymbolicTensor> extends LayerParts {
  /**
   * Applies the layer.
   *
   * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` with the name or kind of the layer as path
   */
  (inputs: SymbolicTensor | AttentionInputs): Y;
  /** Applies the layer and gives the weights of the keys too, which sum to one. */
  readonly withWeights: (inputs: SymbolicTensor | AttentionInputs) => AttentionResult<Y>;
}

/** One application: values batch first, queries of 3 axes. */
export interface Parts {
  readonly builder: GraphBuilder;
  readonly stem: string;
  readonly path: string;
  readonly query: ValueInfo;
  readonly key: ValueInfo;
  readonly value: ValueInfo;
  readonly mask: ValueInfo | undefined;
  readonly lengths: ValueInfo | undefined;
}

/** The mean of the values, and the weights of the keys. */
export interface Attended {
  /** Name of a value [B, Tq, V]. */
  readonly y: string;
  /** V. */
  readonly width: Dim;
  readonly weights: ValueInfo;
}

/** Makes a layer of what attention does with its parts. */
export function attentionLayer(
  kind: string,
  options: SequenceOptions,
  run: (parts: Parts) => Attended,
): AttentionLayer {
  const withWeights = (given: SymbolicTensor | AttentionInputs) => {
    const inputs: AttentionInputs = isSymbolic(given) ? { query: given, value: given } : given;
    const { query, value, key, mask, lengths } = inputs;
    const [y, weights] = apply({
      layer,
      kind,
      name: options.name,
      inputs: [query, value, key, mask, lengths],
      append: ({ builder, inputs: [q, v, k, ...masks], stem, path }) => {
        if (v === undefined) throw invalid(`${path}.value`, 'nothing', 'a sequence');
        const from = { query: q!, value: v, key: k ?? v, mask: masks[0], lengths: masks[1] };
        return write({ builder, stem, path, ...from }, layoutOf(options, path), run);
      },
    });
    return { y: y!, weights: weights! };
  };
  const layer: AttentionLayer = callable(
    (given: SymbolicTensor | AttentionInputs): SymbolicTensor => withWeights(given).y,
    {
      kind,
      name: options.name,
      layout: options.layout,
      withWeights,
      wants: () => undefined,
      append: ({ builder, x, layout, stem, path }) => {
        const none = { mask: undefined, lengths: undefined };
        const parts: Parts = { builder, stem, path, query: x, key: x, value: x, ...none };
        return write(parts, layout, run)[0]!;
      },
    } satisfies LayerParts & { withWeights: unknown },
  );
  return layer;
}

/** Brings the parts of attention into one form and its result back into that of the query. */
function write(parts: Parts, layout: Layout, run: (parts: Parts) => Attended): ValueInfo[] {
  const { builder, stem, path } = parts;
  const transpose = (name: string): string =>
    layout === 1
      ? name
      : builder.node('Transpose', `${stem}/batch_first`, [name], { perm: [1, 0, 2] });
  const axes = ([a, b, width]: readonly Dim[]): Dim[] =>
    layout === 1 ? [a!, b!, width!] : [b!, a!, width!];
  const sequence = (x: ValueInfo, what: string): ValueInfo => {
    if (x.type !== 'float32' || x.dims.length !== 3) {
      throw mismatch(`${path}.${what}`, show(x), 'a sequence, float32 of 3 axes');
    }
    return { ...x, name: transpose(x.name), dims: axes(x.dims) };
  };
  const value = sequence(parts.value, 'value');
  const key = parts.key === parts.value ? value : sequence(parts.key, 'key');
  const isStep = parts.query.dims.length === 2 && parts.query.type === 'float32';
  const [rows, features] = parts.query.dims;
  const query = isStep
    ? {
        ...parts.query,
        name: builder.node('Unsqueeze', `${stem}/query`, [parts.query.name, builder.ints([1])]),
        dims: [rows!, 1, features!],
      }
    : parts.query === parts.value
      ? value
      : sequence(parts.query, 'query');
  checkSizes(path, query, key, value);
  const { y, width, weights } = run({ ...parts, query, key, value });
  const squeeze = (name: string, axis: number): string =>
    builder.node('Squeeze', `${stem}/step`, [name, builder.ints([axis])]);
  const [batch, steps] = query.dims as [Dim, Dim];
  const made = (name: string, dims: readonly Dim[]): ValueInfo => ({ name, type: 'float32', dims });
  if (isStep) {
    const axis = weights.dims.length - 2;
    const flat = {
      ...weights,
      name: squeeze(weights.name, axis),
      dims: weights.dims.toSpliced(axis, 1),
    };
    return [made(squeeze(y, 1), [batch, width]), flat];
  }
  return [made(transpose(y), axes([batch, steps, width])), weights];
}

function checkSizes(path: string, query: ValueInfo, key: ValueInfo, value: ValueInfo): void {
  const agree = (a: Dim, b: Dim): boolean =>
    a === b || typeof a === 'string' || typeof b === 'string';
  if (!agree(key.dims[1]!, value.dims[1]!)) {
    throw mismatch(`${path}.key`, `${key.dims[1]} steps`, `${value.dims[1]}, those of the value`);
  }
  for (const [what, { dims }] of Object.entries({ key, value })) {
    if (agree(dims[0]!, query.dims[0]!)) continue;
    throw mismatch(`${path}.${what}`, `${dims[0]} rows`, `${query.dims[0]}, those of the query`);
  }
}

/** Where a query may look, [B, Tq or 1, Tk]; undefined for everywhere. */
function allowed({ builder, stem, path, ...parts }: Parts, scores: string, causal: boolean) {
  const { mask, lengths, key } = parts;
  const [batch, steps] = key.dims as [Dim, Dim];
  const open: string[] = [];
  const along = (axis: number): string =>
    builder.constant(`int:${axis}`, () => tensor(BigInt64Array.of(BigInt(axis)), []));
  // 1, 2, 3 … along an axis of the scores.
  const count = (shape: string, axis: number): string => {
    const ones = builder.node('Expand', `${stem}/ones`, [builder.scalar(1), shape]);
    const attributes = { exclusive: 0, reverse: 0 };
    return builder.node('CumSum', `${stem}/steps`, [ones, along(axis)], attributes);
  };
  if (mask !== undefined) {
    if (mask.dims.length !== 2) throw mismatch(`${path}.mask`, show(mask), `[${batch}, ${steps}]`);
    const is =
      mask.type === 'bool'
        ? mask.name
        : builder.node('Cast', `${stem}/mask`, [mask.name], { to: 'bool' });
    open.push(builder.node('Unsqueeze', `${stem}/mask`, [is, builder.ints([1])]));
  }
  if (lengths !== undefined) {
    const isCount = lengths.type === 'int32' || lengths.type === 'int64';
    if (!isCount || lengths.dims.length !== 1) {
      throw mismatch(`${path}.lengths`, show(lengths), `integers [${batch}]`);
    }
    const float = builder.node('Cast', `${stem}/lengths`, [lengths.name], { to: 'float32' });
    const rows = builder.node('Unsqueeze', `${stem}/lengths`, [float, builder.ints([1, 2])]);
    const size = builder.node('Shape', `${stem}/size`, [scores], { start: -1 });
    const keys = count(size, 0);
    open.push(builder.node('LessOrEqual', `${stem}/within`, [keys, rows]));
  }
  if (causal) {
    const size = builder.node('Shape', `${stem}/size`, [scores], { start: -2 });
    open.push(builder.node('GreaterOrEqual', `${stem}/past`, [count(size, 0), count(size, 1)]));
  }
  if (open.length === 0) return undefined;
  return open.reduce((a, b) => builder.node('And', `${stem}/allowed`, [a, b]));
}

/** Below every score that is not infinite, so that its weight is an exact zero. */
const LOW = -3e38;

/**
 * The mean of the values, weighted by softmax(scores).
 *
 * @param scores [B, Tq, Tk], or [B, heads, Tq, Tk]
 * @param values likewise, [B, Tk, V]
 */
export function attend(
  parts: Parts,
  scores: string,
  values: string,
  causal: boolean,
  heads: number | false,
): Attended {
  const { builder, stem, query, key, value } = parts;
  const found = allowed(parts, scores, causal);
  const open =
    found !== undefined && heads !== false && (parts.mask ?? parts.lengths)
      ? builder.node('Unsqueeze', `${stem}/allowed`, [found, builder.ints([1])])
      : found;
  const masked = open
    ? builder.node('Where', `${stem}/masked`, [open, scores, builder.scalar(LOW)])
    : scores;
  const softmax = builder.node('Softmax', `${stem}/weights`, [masked], { axis: -1 });
  // A query that may look nowhere has equal scores; its weights are zeros.
  const weights = open
    ? builder.node('Where', `${stem}/weights`, [open, softmax, builder.scalar(0)])
    : softmax;
  const y = builder.node('MatMul', stem, [weights, values]);
  const dims = [query.dims[0]!, ...(heads === false ? [] : [heads]), query.dims[1]!, key.dims[1]!];
  return { y, width: value.dims[2]!, weights: { name: weights, type: 'float32', dims } };
}
