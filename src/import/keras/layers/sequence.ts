// Pooling of whole sequences, and normalisation.
// https://keras.io/api/layers/, tfjs-layers/src/layers/{pooling,normalization}.ts
import type { Dim } from '../../../graph-builder.ts';
import { tensor } from '../../../tensor.ts';
import { knownDim, misfit, only, unsupported, value } from './layer.ts';
import type { Translate } from './layer.ts';
import { takeWeight } from './weights.ts';
import { channelled, stored } from './window.ts';

/** All of time folded into one number for each channel. */
const globalPool =
  (op: 'ReduceMax' | 'ReduceMean'): Translate =>
  (call) => {
    const { builder, config, dialect, stem } = call;
    const [x, first] = channelled(call, 1);
    const keepdims = Number(config.flag('keepdims', false));
    const axes = builder.ints([first ? 2 : 1]);
    const dims: readonly Dim[] = keepdims
      ? stored(x.dims[0]!, [1], x.dims[2]!, first)
      : [x.dims[0]!, x.dims[2]!];
    if (op === 'ReduceMean' && dialect.maskedMean && x.mask && !first) {
      // Keras counts only the steps that the mask lets through.
      const kept = builder.node('Cast', `${stem}/kept`, [x.mask.name], { to: 'float32' });
      const wide = builder.node('Unsqueeze', `${stem}/kept_wide`, [kept, builder.ints([2])]);
      const masked = builder.node('Mul', `${stem}/masked`, [x.name, wide]);
      const sum = builder.node('ReduceSum', `${stem}/sum`, [masked, axes], { keepdims });
      const count = builder.node('ReduceSum', `${stem}/count`, [wide, axes], { keepdims });
      return [value(builder.node('Div', stem, [sum, count]), dims)];
    }
    return [value(builder.node(op, stem, [x.name, axes], { keepdims }), dims)];
  };

/** gamma · (x - mean) / √(variance + ε) + beta, with everything but x known: one product, one sum. */
const batchNormalization: Translate = (call) => {
  const { builder, config, name, path, stem, weights } = call;
  const x = only(call);
  const rank = x.dims.length;
  const [given, ...more] = config.integers('axis', [-1]);
  const axis = given! < 0 ? given! + rank : given!;
  if (more.length > 0 || !(axis >= 1 && axis < rank)) {
    throw unsupported(
      call,
      'axis',
      `over axis ${[given, ...more].join(', ')}, expected one behind the batch`,
    );
  }
  const size = knownDim(call, x, axis);
  let index = 0;
  const take = (weight: string): Float32Array => takeWeight(weights, weight, index++, [size], path);
  const gamma = config.flag('scale', true) ? take('gamma') : undefined;
  const beta = config.flag('center', true) ? take('beta') : undefined;
  const [mean, variance] = [take('moving_mean'), take('moving_variance')];
  const epsilon = config.number('epsilon', 1e-3);
  const factor = (c: number): number => (gamma?.[c] ?? 1) / Math.sqrt(variance[c]! + epsilon);
  const dims = x.dims.slice(axis).map((_, k) => (k === 0 ? size : 1));
  const scale = builder.constant(`${name}/scale`, () =>
    tensor(
      Float32Array.from(mean, (_, c) => factor(c)),
      dims,
    ),
  );
  const shift = builder.constant(`${name}/shift`, () =>
    tensor(
      Float32Array.from(mean, (m, c) => (beta?.[c] ?? 0) - m * factor(c)),
      dims,
    ),
  );
  const scaled = builder.node('Mul', stem, [x.name, scale]);
  return [{ ...x, name: builder.node('Add', `${stem}/shift`, [scaled, shift]) }];
};

const layerNormalization: Translate = (call) => {
  const { builder, config, name, path, stem, weights } = call;
  const x = only(call);
  const rank = x.dims.length;
  const axes = config.integers('axis', [-1]).map((axis) => (axis < 0 ? axis + rank : axis));
  const from = Math.min(...axes);
  if (from < 1 || axes.toSorted((a, b) => a - b).join() !== trailing(from, rank).join()) {
    throw unsupported(call, 'axis', `over axes ${axes.join(', ')}, expected the last ones`);
  }
  if (config.flag('rms_scaling', false)) throw unsupported(call, 'rms_scaling', 'with rms_scaling');
  // Weights stand in the order of `axis`, the data in the order of the axes.
  if (axes.some((axis, i) => axis !== from + i))
    throw misfit(call, `got axes ${axes.join(', ')}, expected ascending`);
  const dims = axes.map((axis) => knownDim(call, x, axis));
  const size = dims.reduce((product, dim) => product * dim, 1);
  const scales = config.flag('scale', true);
  const gamma = scales ? takeWeight(weights, 'gamma', 0, dims, path) : undefined;
  const inputs = [
    x.name,
    builder.constant(`${name}/gamma`, () => tensor(gamma ?? new Float32Array(size).fill(1), dims)),
  ];
  if (config.flag('center', true)) {
    const beta = takeWeight(weights, 'beta', Number(scales), dims, path);
    inputs.push(builder.constant(`${name}/beta`, () => tensor(beta, dims)));
  }
  const epsilon = config.number('epsilon', 1e-3);
  return [
    { ...x, name: builder.node('LayerNormalization', stem, inputs, { axis: from, epsilon }) },
  ];
};

const trailing = (from: number, rank: number): number[] =>
  Array.from({ length: rank - from }, (_, i) => from + i);

/** Layers by class. */
export const SEQUENCE: Readonly<Record<string, Translate>> = {
  GlobalMaxPooling1D: globalPool('ReduceMax'),
  GlobalAveragePooling1D: globalPool('ReduceMean'),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
};
