// Normalisation layers, as in inference.
import { formatDims, sizeOf } from '../tensor.ts';
import { define, expectDims, invalid, mismatch, unsupported, type Call } from './define.ts';
import { broadcastDims, broadcastTo } from './indexing.ts';
import { axisOf, sameDims } from './shapes.ts';

/** Mean and 1/√(variance + ε) of some numbers. */
function moments(values: Float64Array, epsilon: number): readonly [number, number] {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return [mean, 1 / Math.sqrt(variance + epsilon)];
}

const layerNormalization = define('LayerNormalization', [2, 3], (call) => {
  const { dims } = call.input(0, 'float');
  const axis = axisOf(call.int('axis', -1), dims.length, `${call.path}.axis`);
  const epsilon = call.float('epsilon', 1e-5);
  const inner = dims.slice(axis);
  const size = sizeOf(inner);
  for (const slot of [1, 2]) {
    const shape = call.optional(slot, 'float')?.dims ?? (slot === 1 ? call.input(1).dims : []);
    if (!sameDims(broadcastDims([dims, shape], call.at(slot)), dims)) {
      throw mismatch(call.at(slot), 'shape', shape, `one that broadcasts to ${formatDims(dims)}`);
    }
  }
  const parameter = (slot: number): Float64Array | undefined =>
    call.optional(slot) && broadcastTo(call.data(slot), call.input(slot).dims, dims);
  const group = (i: number): readonly [number, number] =>
    moments(call.data(0).subarray(i * size, (i + 1) * size), epsilon);
  const fill = (out: Float64Array): void => {
    const [x, scale, bias] = [call.data(0), parameter(1)!, parameter(2)];
    for (let i = 0; i * size < x.length; i++) {
      const [mean, inverse] = group(i);
      for (let k = i * size; k < (i + 1) * size; k++) {
        out[k] = (x[k]! - mean) * inverse * scale[k]! + (bias?.[k] ?? 0);
      }
    }
  };
  const reduced = [...dims.slice(0, axis), ...inner.map(() => 1)];
  return {
    params: { axis, epsilon },
    outputs: [
      { dims, fill },
      { dims: reduced, fill: (out) => out.forEach((_, i) => (out[i] = group(i)[0])) },
      { dims: reduced, fill: (out) => out.forEach((_, i) => (out[i] = group(i)[1])) },
    ],
  };
});

/** Sizes of an input [batch, channels, …]; the parameters `slots` are checked to be [channels]. */
function channelSizes(call: Call, slots: readonly number[]) {
  const { dims } = call.input(0, 'float');
  if (dims.length < 2) throw mismatch(call.at(0), 'shape', dims, '[batch, channels, …]');
  const channels = dims[1]!;
  for (const slot of slots) {
    expectDims(call.at(slot), call.input(slot, 'float').dims, [channels], 'one for each channel');
  }
  return {
    dims,
    channels,
    area: sizeOf(dims.slice(2)),
    epsilon: call.float('epsilon', 1e-5),
  };
}

const batchNormalization = define('BatchNormalization', [5, 5], (call) => {
  const { dims, channels, area, epsilon } = channelSizes(call, [1, 2, 3, 4]);
  if (call.flag('training_mode', false)) {
    throw unsupported(`${call.path}.training_mode`, 'BatchNormalization in training', 1, 0);
  }
  const fill = (out: Float64Array): void => {
    const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((slot) => call.data(slot));
    out.forEach((_, i) => {
      const c = Math.floor(i / area) % channels;
      out[i] = ((x![i]! - mean![c]!) / Math.sqrt(variance![c]! + epsilon)) * scale![c]! + bias![c]!;
    });
  };
  return { params: { epsilon }, outputs: [{ dims, fill }] };
});

/** Group normalisation; instance normalisation is that with one channel per group. */
function groupNormalization(call: Call, groupsOf: (channels: number) => number) {
  const { dims, channels, area, epsilon } = channelSizes(call, [1, 2]);
  const groups = groupsOf(channels);
  if (groups < 1 || channels % groups !== 0) {
    throw invalid(`${call.path}.num_groups`, `groups of ${channels} channels`, groups, 'a divisor');
  }
  const size = (channels / groups) * area;
  const fill = (out: Float64Array): void => {
    const [x, scale, bias] = [call.data(0), call.data(1), call.data(2)];
    for (let i = 0; i < out.length; i += size) {
      const [mean, inverse] = moments(x.subarray(i, i + size), epsilon);
      for (let k = i; k < i + size; k++) {
        const c = Math.floor(k / area) % channels;
        out[k] = (x[k]! - mean) * inverse * scale[c]! + bias[c]!;
      }
    }
  };
  return { params: { groups, epsilon }, outputs: [{ dims, fill }] };
}

/** Normalisation operators. */
export const normalizations = [
  layerNormalization,
  batchNormalization,
  define('InstanceNormalization', [3, 3], (call) =>
    groupNormalization(call, (channels) => channels),
  ),
  define('GroupNormalization', [3, 3], (call) =>
    groupNormalization(call, () => call.int('num_groups')),
  ),
];
