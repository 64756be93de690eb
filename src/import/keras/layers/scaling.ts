// Layers that scale features by numbers that training has not learned.
// https://keras.io/api/layers/preprocessing_layers/numerical/normalization/,
// https://keras.io/api/layers/normalization_layers/unit_normalization/
import { tensor } from '../../../tensor.ts';
import { invalid } from './config.ts';
import { knownDim, only, unsupported } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import { takeWeight } from './weights.ts';

const EPSILON = 1e-7; // keras.config.epsilon() where nobody changes it

/** Numbers of an option: one, or a list within any lists. Keras 3 wraps arrays of NumPy. */
function numbersOf(call: LayerCall, key: string, fallback?: number): number[] {
  const raw = call.config.raw(key) ?? fallback;
  const array = typeof raw === 'object' && raw !== null && 'config' in raw ? raw.config : raw;
  const inner =
    typeof array === 'object' && array !== null && 'value' in array ? array.value : array;
  const numbers: unknown[] = Array.isArray(inner) ? (inner as unknown[]).flat(Infinity) : [inner];
  if (numbers.every((number) => typeof number === 'number')) return numbers;
  throw invalid(`${call.path}.${key}`, raw, 'numbers');
}

/** One number for all features, or one for each. */
function perFeature(call: LayerCall, x: KerasTensor, key: string, data: readonly number[]): string {
  if (data.length !== 1 && data.length !== knownDim(call, x, -1)) {
    throw invalid(`${call.path}.${key}`, data, 'one number, or one for each feature');
  }
  const dims = data.length === 1 ? [] : [data.length];
  return call.builder.constant(`${call.name}/${key}`, () => tensor(Float32Array.from(data), dims));
}

/** (x - mean) / √variance with statistics of the training data. */
const normalization: Translate = (call) => {
  const { builder, config, path, stem, weights } = call;
  const x = only(call);
  const whole = config.isNull('axis');
  const axes = whole ? [] : config.integers('axis', [-1]);
  if (!whole && (axes.length !== 1 || (axes[0] !== -1 && axes[0] !== x.dims.length - 1))) {
    throw unsupported(call, 'axis', `over axes ${axes.join(', ')}, expected the last or none`);
  }
  const statistic = (key: string, index: number): number[] =>
    config.raw(key) === undefined
      ? [...takeWeight(weights, key, index, whole ? [] : [knownDim(call, x, -1)], path)]
      : numbersOf(call, key);
  const mean = perFeature(call, x, 'mean', statistic('mean', 0));
  const deviations = statistic('variance', 1).map((v) => Math.max(Math.sqrt(v), EPSILON));
  const deviation = perFeature(call, x, 'variance', deviations);
  if (config.flag('invert', false)) {
    const wide = builder.node('Mul', `${stem}/wide`, [x.name, deviation]);
    return [{ ...x, name: builder.node('Add', stem, [wide, mean]) }];
  }
  const centred = builder.node('Sub', `${stem}/centred`, [x.name, mean]);
  return [{ ...x, name: builder.node('Div', stem, [centred, deviation]) }];
};

const rescaling: Translate = (call) => {
  const { builder, stem } = call;
  const x = only(call);
  const scale = perFeature(call, x, 'scale', numbersOf(call, 'scale'));
  const offset = perFeature(call, x, 'offset', numbersOf(call, 'offset', 0));
  const scaled = builder.node('Mul', `${stem}/scaled`, [x.name, scale]);
  return [{ ...x, name: builder.node('Add', stem, [scaled, offset]) }];
};

const unitNormalization: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = only(call);
  const axes = builder.ints(config.integers('axis', [-1]));
  const norm = builder.node('ReduceL2', `${stem}/norm`, [x.name, axes], { keepdims: 1 });
  const floor = builder.node('Max', `${stem}/floor`, [norm, builder.scalar(1e-12)]);
  return [{ ...x, name: builder.node('Div', stem, [x.name, floor]) }];
};

/** Layers by class. */
export const SCALING: Readonly<Record<string, Translate>> = {
  Normalization: normalization,
  Rescaling: rescaling,
  UnitNormalization: unitNormalization,
};
