// What a layer in code is, and how its weights are read.
import { findActivation, type ActivationName } from '../cells/index.ts';
import { RnnError } from '../errors.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { ValueInfo } from '../graph.ts';
import { formatDims, isFloat, tensor, type Tensor } from '../tensor.ts';

/** Weights as a tensor, or as numbers within brackets: `[[1, 2], [3, 4]]` is [2, 2]. */
export type Weights = Tensor | readonly NestedNumbers[];

/** A number, or a list of these of equal length. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** Axes of a sequence: 0 for [T, B, F], time first; 1 for [B, T, F], batch first. */
export type Layout = 0 | 1;

/** A layer that `sequential` can stack; made by `lstm`, `dense` and their like. */
export interface Layer {
  /** What it is. Without a name its nodes are called `lstm_0`, `lstm_1` in the order of the stack. */
  readonly kind: string;
  /** What its nodes are called after. */
  readonly name?: string | undefined;
  /** The layout that it insists on, if any. */
  readonly layout?: Layout | undefined;
  /** @internal What it is to be fed where it comes first. */
  readonly wants: (path: string) => Wanted;
  /** @internal Appends its nodes. */
  readonly append: (place: Place) => ValueInfo;
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

/** The error for an argument that makes no sense. */
export const invalid = (path: string, got: unknown, expected: string): RnnError =>
  new RnnError('INVALID_ARGUMENT', path, `got ${String(got)}, expected ${expected}`);

/** The error for shapes that do not fit. */
export const mismatch = (path: string, got: string, expected: string): RnnError =>
  new RnnError('SHAPE_MISMATCH', path, `got ${got}, expected ${expected}`);

/** Reads weights as float32, in the shape that was given. */
export function readWeights(weights: unknown, path: string): Tensor<'float32'> {
  if (Array.isArray(weights)) return nested(weights, path);
  const { type, dims, data } = (weights ?? {}) as Partial<Tensor>;
  if (type === undefined || !Array.isArray(dims) || !ArrayBuffer.isView(data)) {
    throw invalid(path, typeof weights, 'a tensor, or numbers within brackets');
  }
  if (!isFloat(type)) throw invalid(path, `a tensor of ${type}`, 'float32');
  const floats = data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
  return tensor(floats, dims);
}

function nested(weights: readonly unknown[], path: string): Tensor<'float32'> {
  const dims: number[] = [];
  for (let at: unknown = weights; Array.isArray(at); at = at[0]) dims.push(at.length);
  const flat = (at: unknown, axis: number): number[] => {
    if (axis === dims.length && typeof at === 'number') return [at];
    if (Array.isArray(at) && axis < dims.length && at.length === dims[axis]) {
      return at.flatMap((item) => flat(item, axis + 1));
    }
    throw invalid(
      path,
      'lists of different lengths',
      `numbers within brackets, all ${formatDims(dims)}`,
    );
  };
  return tensor(Float32Array.from(flat(weights, 0)), dims);
}

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
export function expectWidth({ x, path }: Place, width: number): void {
  if (x.type === 'float32' && x.dims.at(-1) === width) return;
  throw mismatch(
    `${path}.W`,
    `an input ${x.type} ${formatDims(x.dims)}`,
    `float32 with ${width} features`,
  );
}

/** An activation by its name in any case. */
export function readActivation(name: unknown, path: string): ActivationName {
  const found = typeof name === 'string' ? findActivation(name) : undefined;
  if (found === undefined) throw invalid(path, name, 'the name of an activation, such as tanh');
  return found;
}
