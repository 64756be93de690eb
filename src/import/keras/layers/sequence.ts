// Convolution, pooling and normalisation of sequences.
// https://keras.io/api/layers/, tfjs-layers/src/layers/{convolutional,pooling,normalization}.ts
import type { Dim } from '../../../graph-builder.ts';
import type { Attribute } from '../../../graph.ts';
import { tensor } from '../../../tensor.ts';
import { activate } from './activations.ts';
import { invalid } from './config.ts';
import { knownDim, misfit, only, onlyOfRank, unsupported, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import { timeAfter } from './shape.ts';
import { takeWeight } from './weights.ts';

const PADDINGS = ['valid', 'same', 'causal'] as const;

/** How a window slides along time. */
interface Slide {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly time: Dim;
}

function slide(
  call: LayerCall,
  x: KerasTensor,
  size: number,
  stride: number,
  dilation: number,
): Slide {
  const padding = call.config.choice('padding', PADDINGS, 'valid');
  const reach = (size - 1) * dilation + 1;
  const same = padding === 'same' && stride === 1;
  const left = padding === 'causal' ? reach - 1 : same ? Math.floor((reach - 1) / 2) : 0;
  const right = same ? reach - 1 - left : 0;
  // With a stride the padding depends on the length, as auto_pad says; without, it need not.
  const fixed: Attribute = [left, right];
  const attributes = padding === 'same' && !same ? { auto_pad: 'SAME_UPPER' } : { pads: fixed };
  const after = (steps: number): number =>
    padding === 'valid' ? Math.floor((steps - reach) / stride) + 1 : Math.ceil(steps / stride);
  // A length that does not change has the same name after it.
  const kept = padding !== 'valid' && stride === 1;
  return { attributes, time: kept ? x.dims[1]! : timeAfter(call, x, after) };
}

/** Runs nodes that want channels first. */
function channelsFirst(
  { builder, stem }: LayerCall,
  x: string,
  first: boolean,
  run: (x: string) => string,
): string {
  if (first) return run(x);
  const turned = builder.node('Transpose', `${stem}/channels_first`, [x], { perm: [0, 2, 1] });
  return builder.node('Transpose', `${stem}/channels_last`, [run(turned)], { perm: [0, 2, 1] });
}

/** The input as [batch, time, channels] dims, and whether it is stored channels first. */
function channelled(call: LayerCall): readonly [KerasTensor, boolean] {
  const x = onlyOfRank(call, 3);
  const format = call.config.choice(
    'data_format',
    ['channels_last', 'channels_first'],
    'channels_last',
  );
  const first = format === 'channels_first';
  return [first ? { ...x, dims: [x.dims[0]!, x.dims[2]!, x.dims[1]!] } : x, first];
}

const stored = (dims: readonly [Dim, Dim, Dim], first: boolean): Dim[] =>
  first ? [dims[0], dims[2], dims[1]] : [...dims];

const conv1D: Translate = (call) => {
  const { builder, config, dialect, name, path, stem, weights } = call;
  const [x, first] = channelled(call);
  const [size, filters] = [config.count('kernel_size'), config.count('filters')];
  const [stride, dilation] = [config.count('strides', 1), config.count('dilation_rate', 1)];
  const groups = config.count('groups', 1);
  const channels = knownDim(call, x, 2);
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw invalid(
      `${path}.groups`,
      groups,
      `a divisor of ${channels} channels and ${filters} filters`,
    );
  }
  const own = channels / groups;
  const kernel = takeWeight(weights, 'kernel', 0, [size, own, filters], path);
  const W = builder.constant(`${name}/W`, () => {
    const data = new Float32Array(kernel.length); // [size, own, filters] → [filters, own, size]
    for (let k = 0; k < size; k++) {
      for (let c = 0; c < own; c++) {
        for (let f = 0; f < filters; f++)
          data[(f * own + c) * size + k] = kernel[(k * own + c) * filters + f]!;
      }
    }
    return tensor(data, [filters, own, size]);
  });
  const inputs = [W];
  if (config.flag('use_bias', true)) {
    const bias = takeWeight(weights, 'bias', 1, [filters], path);
    inputs.push(builder.constant(`${name}/b`, () => tensor(bias, [filters])));
  }
  const { attributes, time } = slide(call, x, size, stride, dilation);
  const y = channelsFirst(call, x.name, first, (turned) =>
    builder.node('Conv', stem, [turned, ...inputs], {
      ...attributes,
      kernel_shape: [size],
      strides: [stride],
      dilations: [dilation],
      group: groups,
    }),
  );
  const active = activate(builder, `${stem}/activation`, y, config, dialect);
  return [value(active, stored([x.dims[0]!, time, filters], first))];
};

const pool =
  (op: 'MaxPool' | 'AveragePool'): Translate =>
  (call) => {
    const { builder, config, stem } = call;
    const [x, first] = channelled(call);
    const size = config.count('pool_size', 2);
    const stride = config.count('strides', size);
    const { attributes, time } = slide(call, x, size, stride, 1);
    const y = channelsFirst(call, x.name, first, (turned) =>
      builder.node(op, stem, [turned], { ...attributes, kernel_shape: [size], strides: [stride] }),
    );
    return [value(y, stored([x.dims[0]!, time, x.dims[2]!], first))];
  };

/** All of time folded into one number for each channel. */
const globalPool =
  (op: 'ReduceMax' | 'ReduceMean'): Translate =>
  (call) => {
    const { builder, config, dialect, stem } = call;
    const [x, first] = channelled(call);
    const keepdims = Number(config.flag('keepdims', false));
    const axes = builder.ints([first ? 2 : 1]);
    const dims: readonly Dim[] = keepdims
      ? stored([x.dims[0]!, 1, x.dims[2]!], first)
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
  Conv1D: conv1D,
  MaxPooling1D: pool('MaxPool'),
  AveragePooling1D: pool('AveragePool'),
  GlobalMaxPooling1D: globalPool('ReduceMax'),
  GlobalAveragePooling1D: globalPool('ReduceMean'),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
};
