// Layers made of layers, and values joined.
import type { Dim, GraphBuilder } from '../graph-builder.ts';
import type { ValueInfo } from '../graph.ts';
import { formatDims } from '../tensor.ts';
import { readAxis } from './activation.ts';
import { Stems } from './functional.ts';
import { invalid, makeLayer, mismatch, show } from './layer.ts';
import type { Layer, LayerOptions, Place } from './layer.ts';
import { apply, type SymbolicTensor } from './symbolic.ts';

/** Appends layers one after the other, their nodes called after the layer around them. */
function appendAll(layers: readonly Layer[], place: Place): ValueInfo {
  const stems = new Stems();
  return layers.reduce((x, layer, i) => {
    const path = `${place.path}.layers[${i}]`;
    if (layer.kind === 'input') throw invalid(path, 'an input', 'a layer');
    if (layer.layout !== undefined && layer.layout !== place.layout) {
      throw invalid(`${path}.layout`, layer.layout, `${place.layout}, that of the model`);
    }
    const stem = `${place.stem}/${stems.take(layer.kind, layer.name, `${path}.name`)}`;
    return layer.append({ ...place, x, stem, path });
  }, place.x);
}

const firstOf = (layers: readonly Layer[], path: string): Layer => {
  if (layers[0] === undefined) throw invalid(`${path}.layers`, 'none', 'at least one');
  return layers[0];
};

const layoutOfAll = (layers: readonly Layer[]) =>
  layers.find((layer) => layer.layout !== undefined)?.layout;

/**
 * Several layers as one, to be applied together or within another.
 *
 * @throws RnnError `INVALID_ARGUMENT` for no layers
 * @example
 * ```ts
 * const encode = stack([lstm({ W, R, B }), layerNorm(), dense({ W: V, b })]);
 * const [left, right] = [encode(a), encode(b)]; // the same weights
 * ```
 */
export function stack(layers: readonly Layer[], { name }: LayerOptions = {}): Layer {
  const first = firstOf(layers, 'stack');
  return makeLayer({
    kind: 'stack',
    name,
    layout: layoutOfAll(layers),
    wants: (path) => first.wants(`${path}.layers[0]`),
    append: (place) => appendAll(layers, place),
  });
}

/**
 * x + f(x), where f is a layer or a stack of some: any shape → the same.
 *
 * @throws RnnError `SHAPE_MISMATCH` where it is put into a model, for layers that change the shape
 * @example
 * ```ts
 * sequential([lstm(first), residual(lstm(second)), residual([layerNorm(), lstm(third)])]);
 * ```
 */
export function residual(layers: Layer | readonly Layer[], { name }: LayerOptions = {}): Layer {
  const list = Array.isArray(layers) ? (layers as readonly Layer[]) : [layers as Layer];
  const first = firstOf(list, 'residual');
  return makeLayer({
    kind: 'residual',
    name,
    layout: layoutOfAll(list),
    wants: (path) => first.wants(`${path}.layers[0]`),
    append: (place) => {
      const { builder, x, stem, path } = place;
      const y = appendAll(list, place);
      const isSame = (dim: Dim, k: number): boolean =>
        dim === x.dims[k] || typeof dim === 'string' || typeof x.dims[k] === 'string';
      if (y.dims.length !== x.dims.length || !y.dims.every(isSame)) {
        throw mismatch(path, `${show(y)} from its layers`, `${show(x)}, the shape of the input`);
      }
      return { ...sum(builder, [x, y], stem, path), dims: x.dims };
    },
  });
}

/**
 * Applies a layer to each time step by itself: [B, T, …] → [B, T, …]. `dense`, norms and activations do so without
 * it; it is for layers that look along an axis within a step, such as a convolution over frequencies.
 *
 * @throws RnnError `SHAPE_MISMATCH` where it is put into a model, for steps of free sizes
 * @example
 * ```ts
 * timeDistributed(conv1d({ W, b })); // [B, T, 80, 1] → [B, T, 78, 16]
 * ```
 */
export function timeDistributed(layer: Layer, { name }: LayerOptions = {}): Layer {
  return makeLayer({
    kind: 'timeDistributed',
    name,
    wants: () => undefined,
    append: (place) => {
      const { builder, x, stem, path } = place;
      const within = numbersOf(x.dims.slice(2), path, x);
      if (x.dims.length < 3) throw mismatch(path, `an input ${show(x)}`, '3 axes or more');
      const lead = builder.node('Shape', `${stem}/lead`, [x.name], { start: 0, end: 2 });
      const shape = builder.ints([-1, ...within]);
      const flat = builder.node('Reshape', `${stem}/steps`, [x.name, shape]);
      const steps: ValueInfo = { ...x, name: flat, dims: [`${stem}_steps`, ...within] };
      const inner: Place = { ...place, layout: 1, x: steps };
      const y = appendAll([layer], inner);
      const after = numbersOf(y.dims.slice(1), path, y);
      const whole = builder.node('Concat', `${stem}/shape`, [lead, builder.ints(after)], {
        axis: 0,
      });
      const dims = [...x.dims.slice(0, 2), ...after];
      return { name: builder.node('Reshape', stem, [y.name, whole]), type: y.type, dims };
    },
  });
}

function numbersOf(dims: readonly Dim[], path: string, of: ValueInfo): number[] {
  if (dims.every((dim) => typeof dim === 'number')) return [...dims];
  throw mismatch(path, `a step of ${show(of)}`, 'sizes that are known');
}

/** The shape that some broadcast to. */
function broadcast(shapes: readonly (readonly Dim[])[], path: string): Dim[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, k) => {
    const sizes = shapes.flatMap((dims) => dims[k - rank + dims.length] ?? []);
    const wide = sizes.filter((size) => size !== 1);
    const known = wide.filter((size) => typeof size === 'number');
    if (known.some((size) => size !== known[0])) {
      throw mismatch(path, shapes.map(formatDims).join(' and '), 'shapes that broadcast');
    }
    return known[0] ?? wide[0] ?? 1;
  });
}

function sum(
  builder: GraphBuilder,
  values: readonly ValueInfo[],
  stem: string,
  path: string,
): ValueInfo {
  const [first] = values;
  const dims = broadcast(
    values.map((value) => value.dims),
    path,
  );
  if (values.some(({ type }) => type !== first!.type)) {
    throw mismatch(path, values.map(show).join(' and '), 'one element type');
  }
  const name = values
    .map((value) => value.name)
    .reduce((a, b) => builder.node('Add', stem, [a, b]));
  return { name, type: first!.type, dims };
}

/** A call that joins values. */
function join(
  kind: string,
  values: readonly SymbolicTensor[],
  name: string | undefined,
  append: (
    builder: GraphBuilder,
    values: readonly ValueInfo[],
    stem: string,
    path: string,
  ) => ValueInfo,
): SymbolicTensor {
  if (!Array.isArray(values) || values.length < 2) {
    throw invalid(
      name ?? kind,
      Array.isArray(values) ? values.length : typeof values,
      'a list of two or more',
    );
  }
  return apply({
    layer: values,
    kind,
    name,
    inputs: values,
    append: ({ builder, inputs, stem, path }) => [
      append(builder, inputs as readonly ValueInfo[], stem, path),
    ],
  })[0]!;
}

/**
 * The sum of values, whose shapes broadcast.
 *
 * @throws RnnError `SHAPE_MISMATCH` for shapes that do not broadcast and for types that differ
 * @example
 * ```ts
 * const h = add([lstm({ W, R, B })(x), skip]);
 * ```
 */
export const add = (
  values: readonly SymbolicTensor[],
  { name }: LayerOptions = {},
): SymbolicTensor => join('add', values, name, sum);

/** Options of `concat`. */
export interface ConcatOptions extends LayerOptions {
  /** The axis that grows; the last, that of the features, by default. Negative from the end. */
  readonly axis?: number | undefined;
}

/**
 * Values next to one another along an axis, the features by default.
 *
 * @throws RnnError `SHAPE_MISMATCH` for shapes that differ elsewhere and for types that differ
 * @example
 * ```ts
 * const both = concat([context, h]); // [B, T, C] and [B, T, H] → [B, T, C + H]
 * ```
 */
export function concat(
  values: readonly SymbolicTensor[],
  { axis = -1, name }: ConcatOptions = {},
): SymbolicTensor {
  return join('concat', values, name, (builder, given, stem, path) => {
    const [first] = given as readonly [ValueInfo, ...ValueInfo[]];
    const at = readAxis(axis, first, `${path}.axis`);
    const shapes = given.map(show).join(' and ');
    const expected = `one type, and shapes that agree outside axis ${at}`;
    const alike = given.every(
      ({ type, dims }) => type === first.type && dims.length === first.dims.length,
    );
    if (!alike) throw mismatch(path, shapes, expected);
    const dims = first.dims.map((own, k): Dim => {
      const sizes = given.map((value) => value.dims[k]!);
      const known = sizes.filter((size) => typeof size === 'number');
      if (k === at) {
        const total = known.reduce((a, b) => a + b, 0);
        return known.length === sizes.length ? total : `${stem}_axis${k}`;
      }
      if (known.some((size) => size !== known[0])) throw mismatch(path, shapes, expected);
      return known[0] ?? own;
    });
    const names = given.map((value) => value.name);
    return { name: builder.node('Concat', stem, names, { axis: at }), type: first.type, dims };
  });
}
