// Convolution and pooling of sequences and images: windows that slide along one axis or two.
// https://keras.io/api/layers/convolution_layers/, tfjs-layers/src/layers/{convolutional,pooling}.ts
import type { Dim } from '../../../graph-builder.ts';
import type { Attribute } from '../../../graph.ts';
import { tensor } from '../../../tensor.ts';
import { activate } from './activations.ts';
import { invalid } from './config.ts';
import { knownDim, misfit, moved, onlyOfRank, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import { timeAfter } from './shape.ts';
import { takeWeight } from './weights.ts';

const PADDINGS = ['valid', 'same', 'causal'] as const;

/** A number of the config for each spatial axis; one alone is for all of them. */
function eachAxis(
  call: LayerCall,
  key: string,
  rank: number,
  fallback?: readonly number[],
): number[] {
  if (rank === 1) return [call.config.count(key, fallback?.[0])];
  const given = call.config.integers(key, fallback);
  const sizes = given.length === 1 ? Array.from({ length: rank }, () => given[0]!) : given;
  if (sizes.length === rank && sizes.every((size) => size >= 1)) return sizes;
  throw invalid(`${call.path}.${key}`, given, `${rank} whole numbers of at least 1`);
}

/** The window along one axis. */
interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
}

function windowsOf(
  sizes: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Window[] {
  return sizes.map((size, axis) => ({ size, stride: strides[axis]!, dilation: dilations[axis]! }));
}

/** How windows slide: attributes of a node, and the spatial sizes after it. */
interface Slide {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly spatial: readonly Dim[];
}

function slide(call: LayerCall, x: KerasTensor, windows: readonly Window[]): Slide {
  const padding = call.config.choice('padding', PADDINGS, 'valid');
  if (padding === 'causal' && windows.length > 1) {
    throw invalid(`${call.path}.padding`, padding, 'valid or same for an image');
  }
  // With a stride the padding depends on the length, as auto_pad says; without, it need not.
  const isFixed = windows.every(({ stride }) => stride === 1);
  const reaches = windows.map(({ size, dilation }) => (size - 1) * dilation + 1);
  const before = reaches.map((reach) => {
    if (padding === 'causal') return reach - 1;
    return padding === 'same' ? Math.floor((reach - 1) / 2) : 0;
  });
  const after = reaches.map((reach, k) => (padding === 'same' ? reach - 1 - before[k]! : 0));
  const pads: Attribute = [...before, ...after];
  const attributes = padding === 'same' && !isFixed ? { auto_pad: 'SAME_UPPER' } : { pads };
  const spatial = windows.map(({ stride }, k): Dim => {
    // A length that does not change has the same name after it.
    if (padding !== 'valid' && stride === 1) return x.dims[k + 1]!;
    const count = (steps: number): number =>
      padding === 'valid'
        ? Math.floor((steps - reaches[k]!) / stride) + 1
        : Math.ceil(steps / stride);
    return timeAfter(call, x, count, k + 1);
  });
  return { attributes, spatial };
}

/** Runs nodes that want channels first. */
function channelsFirst(
  { builder, stem }: LayerCall,
  x: string,
  rank: number,
  isFirst: boolean,
  run: (x: string) => string,
): string {
  if (isFirst) return run(x);
  const axes = Array.from({ length: rank }, (_, k) => k + 1);
  const perm = [0, rank + 1, ...axes];
  const turned = builder.node('Transpose', `${stem}/channels_first`, [x], { perm });
  const back = [0, ...axes.map((axis) => axis + 1), 1];
  return builder.node('Transpose', `${stem}/channels_last`, [run(turned)], { perm: back });
}

/** The input with dims as of channels last, and whether it is stored channels first. */
export function channelled(call: LayerCall, rank: number): readonly [KerasTensor, boolean] {
  const x = onlyOfRank(call, rank + 2);
  const formats = ['channels_last', 'channels_first'] as const;
  const isFirst = call.config.choice('data_format', formats, 'channels_last') === 'channels_first';
  const [batch, channels, ...spatial] = x.dims as [Dim, Dim, ...Dim[]];
  return [isFirst ? { ...x, dims: [batch, ...spatial, channels] } : x, isFirst];
}

/** Dims as they are stored. */
export const stored = (
  batch: Dim,
  spatial: readonly Dim[],
  channels: Dim,
  isFirst: boolean,
): Dim[] => (isFirst ? [batch, channels, ...spatial] : [batch, ...spatial, channels]);

const convolution =
  (rank: number): Translate =>
  (call) => {
    const { builder, config, dialect, name, path, stem, weights } = call;
    const [x, isFirst] = channelled(call, rank);
    const ones = Array.from({ length: rank }, () => 1);
    const sizes = eachAxis(call, 'kernel_size', rank);
    const filters = config.count('filters');
    const strides = eachAxis(call, 'strides', rank, ones);
    const dilations = eachAxis(call, 'dilation_rate', rank, ones);
    const groups = config.count('groups', 1);
    const channels = knownDim(call, x, rank + 1);
    if (channels % groups !== 0 || filters % groups !== 0) {
      const expected = `a divisor of ${channels} channels and ${filters} filters`;
      throw invalid(`${path}.groups`, groups, expected);
    }
    const own = channels / groups;
    const kernel = takeWeight(weights, 'kernel', 0, [...sizes, own, filters], path);
    const W = builder.constant(`${name}/W`, () =>
      tensor(filtersFirst(kernel, own, filters), [filters, own, ...sizes]),
    );
    const inputs = [W];
    if (config.flag('use_bias', true)) {
      const bias = takeWeight(weights, 'bias', 1, [filters], path);
      inputs.push(builder.constant(`${name}/b`, () => tensor(bias, [filters])));
    }
    const { attributes, spatial } = slide(call, x, windowsOf(sizes, strides, dilations));
    const window = { kernel_shape: sizes, strides, dilations, group: groups };
    const y = channelsFirst(call, x.name, rank, isFirst, (turned) =>
      builder.node('Conv', stem, [turned, ...inputs], { ...attributes, ...window }),
    );
    const active = activate(builder, `${stem}/activation`, y, config, dialect);
    return [value(active, stored(x.dims[0]!, spatial, filters, isFirst))];
  };

/** [sizes…, own, filters] → [filters, own, sizes…]. */
function filtersFirst(kernel: Float32Array, own: number, filters: number): Float32Array {
  const data = new Float32Array(kernel.length);
  const area = kernel.length / (own * filters);
  for (let k = 0; k < area; k++) {
    for (let c = 0; c < own; c++) {
      for (let f = 0; f < filters; f++)
        data[(f * own + c) * area + k] = kernel[(k * own + c) * filters + f]!;
    }
  }
  return data;
}

const pool =
  (op: 'MaxPool' | 'AveragePool', rank: number): Translate =>
  (call) => {
    const { builder, stem } = call;
    const [x, isFirst] = channelled(call, rank);
    const sizes = eachAxis(
      call,
      'pool_size',
      rank,
      Array.from({ length: rank }, () => 2),
    );
    const strides = eachAxis(call, 'strides', rank, sizes);
    const ones = sizes.map(() => 1);
    const { attributes, spatial } = slide(call, x, windowsOf(sizes, strides, ones));
    const window = { kernel_shape: sizes, strides };
    const y = channelsFirst(call, x.name, rank, isFirst, (turned) =>
      builder.node(op, stem, [turned], { ...attributes, ...window }),
    );
    return [value(y, stored(x.dims[0]!, spatial, x.dims[rank + 1]!, isFirst))];
  };

/** Both spatial axes folded into one number for each channel. */
const globalPool2D =
  (op: 'ReduceMax' | 'ReduceMean'): Translate =>
  (call) => {
    const { builder, config, stem } = call;
    const [x, isFirst] = channelled(call, 2);
    const keepdims = Number(config.flag('keepdims', false));
    const axes = builder.ints(isFirst ? [2, 3] : [1, 2]);
    const y = builder.node(op, stem, [x.name, axes], { keepdims });
    const [batch, channels] = [x.dims[0]!, x.dims[3]!];
    return [value(y, keepdims ? stored(batch, [1, 1], channels, isFirst) : [batch, channels])];
  };

/** One number for all sides, one for each axis, or two for each axis. */
function sides2D(call: LayerCall): readonly [readonly [number, number], readonly [number, number]] {
  const raw = call.config.raw('padding') ?? 1;
  const list: unknown[] = Array.isArray(raw) ? raw : [raw, raw];
  const [rows, columns] = list.map((pair): unknown[] =>
    Array.isArray(pair) ? pair : [pair, pair],
  );
  const sizes = [...(rows ?? []), ...(columns ?? [])];
  const isSound = sizes.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
  if (list.length !== 2 || rows?.length !== 2 || columns?.length !== 2 || !isSound) {
    throw misfit(call, `got padding ${JSON.stringify(raw)}, expected sizes of an image's sides`);
  }
  const [top, bottom, left, right] = sizes as [number, number, number, number];
  return [
    [top, bottom],
    [left, right],
  ];
}

const zeroPadding2D: Translate = (call) => {
  const { builder, stem } = call;
  const [x, isFirst] = channelled(call, 2);
  const sides = sides2D(call);
  const ends = (end: 0 | 1): Dim[] =>
    stored(
      0,
      sides.map((pair) => pair[end]),
      0,
      isFirst,
    );
  const pads = builder.ints([...ends(0), ...ends(1)] as number[]);
  const y = builder.node('Pad', stem, [x.name, pads], { mode: 'constant' });
  const spatial = sides.map(([before, after], k) =>
    timeAfter(call, x, (steps) => steps + before + after, k + 1),
  );
  return [moved(x, y, stored(x.dims[0]!, spatial, x.dims[3]!, isFirst))];
};

/** Layers by class. */
export const WINDOW: Readonly<Record<string, Translate>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  MaxPooling1D: pool('MaxPool', 1),
  MaxPooling2D: pool('MaxPool', 2),
  AveragePooling1D: pool('AveragePool', 1),
  AveragePooling2D: pool('AveragePool', 2),
  GlobalMaxPooling2D: globalPool2D('ReduceMax'),
  GlobalAveragePooling2D: globalPool2D('ReduceMean'),
  ZeroPadding2D: zeroPadding2D,
};
