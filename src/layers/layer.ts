// What a layer in code is, and the errors of layers.
import { RnnError } from '../errors.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { ValueInfo } from '../graph.ts';
import { formatDims, type Tensor } from '../tensor.ts';
import { apply, type SymbolicTensor } from './symbolic.ts';

/** Axes of a sequence: 0 for [T, B, F], time first; 1 for [B, T, F], batch first. */
export type Layout = 0 | 1;

/** Options of every layer. */
export interface LayerOptions {
  /** What its nodes are called after; by default its kind and its place. */
  readonly name?: string | undefined;
}

/** Options of a layer that looks along time. */
export interface SequenceOptions extends LayerOptions {
  /** The layout that the layer insists on; else it takes that of the model. */
  readonly layout?: Layout | undefined;
}

/** What a layer is besides the function that applies it. */
export interface LayerParts {
  /** What it is. Without a name its nodes are called `lstm_0`, `lstm_1` in the order of the model. */
  readonly kind: string;
  /** What its nodes are called after. */
  readonly name?: string | undefined;
  /** The layout that it insists on, if any. */
  readonly layout?: Layout | undefined;
  /** @internal What it is to be fed where it comes first; undefined where anything does. */
  readonly wants: (path: string) => Wanted | undefined;
  /** @internal Appends its nodes. */
  readonly append: (place: Place) => ValueInfo;
}

/**
 * A layer; made by `lstm`, `dense` and their like. `sequential` stacks it, and the call applies it to the
 * output of another layer or to an `input`, for `functional`. Where it is applied twice, its weights are shared.
 */
export interface Layer extends LayerParts {
  /**
   * Applies the layer.
   *
   * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` with the name or kind of the layer as path
   */
  (x: SymbolicTensor): SymbolicTensor;
}

/** Ids [B, T], or features [B, T, F]. */
export type Wanted =
  | { readonly type: 'int32' }
  | { readonly type: 'float32'; readonly features: number };

/** Where a layer is put. */
export interface Place {
  readonly builder: GraphBuilder;
  readonly x: ValueInfo;
  readonly layout: Layout;
  /** What nodes and constants are called after. */
  readonly stem: string;
  /** `layers[1]`, for errors. */
  readonly path: string;
}

/** A function that is a layer too. */
export function callable<F extends (...inputs: never[]) => unknown, P extends LayerParts>(
  call: F,
  parts: P,
): F & P {
  // Functions have a name of their own, which an assignment would not replace.
  const entries = Object.entries(parts).map(([key, value]) => [
    key,
    { value: value as unknown, enumerable: true },
  ]);
  const { name = undefined } = parts;
  const properties = Object.fromEntries([...entries, ['name', { value: name, enumerable: true }]]);
  return Object.defineProperties(call, properties as PropertyDescriptorMap) as F & P;
}

/** A layer of one input and one output. */
export function makeLayer<P extends LayerParts>(parts: P): P & Layer {
  const layer: P & Layer = callable(
    (x: SymbolicTensor): SymbolicTensor =>
      apply({
        layer,
        kind: parts.kind,
        name: parts.name,
        inputs: [x],
        append: ({ builder, inputs: [given], stem, path }) => [
          parts.append({ builder, x: given!, layout: layoutOf(parts, path), stem, path }),
        ],
      })[0]!,
    parts,
  );
  return layer;
}

/** The layout of a layer that no model tells one. */
export function layoutOf({ layout = 1 }: { readonly layout?: unknown }, path: string): Layout {
  if (layout === 0 || layout === 1) return layout;
  throw invalid(`${path}.layout`, layout, '0 or 1');
}

/** The error for an argument that makes no sense. */
export const invalid = (path: string, got: unknown, expected: string): RnnError =>
  new RnnError('INVALID_ARGUMENT', path, `got ${String(got)}, expected ${expected}`);

/** The error for shapes that do not fit. */
export const mismatch = (path: string, got: string, expected: string): RnnError =>
  new RnnError('SHAPE_MISMATCH', path, `got ${got}, expected ${expected}`);

/** `float32 [batch, time, 40]`, for messages. */
export const show = ({ type, dims }: Pick<ValueInfo, 'type' | 'dims'>): string =>
  `${type} ${formatDims(dims)}`;

/** Refuses weights of another shape; `meaning` says it in letters. */
export function expectDims(
  weights: Tensor,
  dims: readonly number[],
  meaning: string,
  path: string,
): void {
  const same =
    weights.dims.length === dims.length && weights.dims.every((dim, i) => dim === dims[i]);
  if (!same)
    throw mismatch(path, `shape ${formatDims(weights.dims)}`, `${formatDims(dims)} (${meaning})`);
}

/** Refuses an input of another width than the weights are made for. */
export function expectWidth({ x, path }: Place, width: number, key = 'W'): void {
  if (x.type === 'float32' && x.dims.at(-1) === width) return;
  throw mismatch(`${path}.${key}`, `an input ${show(x)}`, `float32 with ${width} features`);
}

/** Refuses what is no sequence of features, and gives its axes. */
export function expectSequence({ x, layout, path }: Place) {
  if (x.dims.length !== 3 || x.type !== 'float32') {
    throw mismatch(path, `an input ${show(x)}`, 'a sequence, float32 of 3 axes');
  }
  const [first, second, features] = x.dims as [number | string, number | string, number | string];
  const [batch, time] = layout === 1 ? [first, second] : [second, first];
  return { batch, time, features };
}

/** The width of an input, where the arithmetic needs its number. */
export function knownWidth({ x, path }: Pick<Place, 'x' | 'path'>): number {
  const width = x.dims.at(-1);
  if (typeof width === 'number' && x.type === 'float32') return width;
  throw mismatch(path, `an input ${show(x)}`, 'float32 with a known number of features');
}

/** A whole number of an option, `from` or more. */
export function readCount(value: unknown, path: string, from = 1): number {
  if (Number.isSafeInteger(value) && (value as number) >= from) return value as number;
  throw invalid(path, value, `a whole number, ${from} or more`);
}

/** One of several texts of an option. */
export function readChoice<T extends string>(
  value: unknown,
  choices: readonly T[],
  path: string,
): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw invalid(path, value, `one of ${choices.join(', ')}`);
}
