// Dense, Embedding, Masking, activations and what does nothing at inference.
// https://keras.io/api/layers/core_layers/, tfjs-layers/src/layers/core.ts and advanced_activations.ts
import { tensor } from '../../../tensor.ts';
import { activate, elementwise } from './activations.ts';
import { knownDim, misfit, only, unsupported, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import { takeWeight } from './weights.ts';

/** The input goes on as it is, with its mask. */
const pass: Translate = (call) => [only(call)];

/** A layer that maps each number by itself passes the mask on. */
const mapped =
  (map: (call: LayerCall, x: KerasTensor) => string): Translate =>
  (call) => {
    const x = only(call);
    return [{ ...x, name: map(call, x) }];
  };

const dense: Translate = (call) => {
  const { builder, config, dialect, name, path, stem, weights } = call;
  const x = only(call);
  if (x.dims.length < 2)
    throw misfit(call, `got shape [${x.dims.join(', ')}], expected 2 axes or more`);
  const units = config.count('units');
  const inputs = knownDim(call, x, -1);
  const kernel = takeWeight(weights, 'kernel', 0, [inputs, units], path);
  const W = builder.constant(`${name}/W`, () => tensor(kernel, [inputs, units]));
  const product = [x.name, W];
  let bias: string | undefined;
  if (config.flag('use_bias', true)) {
    const b = takeWeight(weights, 'bias', 1, [units], path);
    bias = builder.constant(`${name}/b`, () => tensor(b, [units]));
  }
  let y: string;
  if (bias !== undefined && x.dims.length === 2) y = builder.node('Gemm', stem, [...product, bias]);
  else {
    y = builder.node('MatMul', stem, product);
    if (bias !== undefined) y = builder.node('Add', `${stem}/bias`, [y, bias]);
  }
  y = activate(builder, `${stem}/activation`, y, config, dialect);
  return [value(y, x.dims.with(-1, units), x.mask)];
};

const embedding: Translate = (call) => {
  const { builder, config, name, path, stem, weights } = call;
  const x = only(call);
  const [rows, width] = [config.count('input_dim'), config.count('output_dim')];
  const table = takeWeight(weights, 'embeddings', 0, [rows, width], path);
  const E = builder.constant(`${name}/E`, () => tensor(table, [rows, width]));
  const ids =
    x.type === 'int32' ? x.name : builder.node('Cast', `${stem}/ids`, [x.name], { to: 'int32' });
  const y = value(builder.node('Gather', stem, [E, ids], { axis: 0 }), [...x.dims, width]);
  if (!config.flag('mask_zero', false)) return [y];
  const zero = builder.constant('int32:0', () => tensor(Int32Array.of(0), []));
  const empty = builder.node('Equal', `${stem}/empty`, [ids, zero]);
  const mask = builder.node('Not', `${stem}/mask`, [empty]);
  return [{ ...y, mask: { name: mask, type: 'bool', dims: x.dims } }];
};

const masking: Translate = (call) => {
  const { builder, config, stem } = call;
  const x = only(call);
  const masked = config.number('mask_value', 0);
  const same = builder.node('Equal', `${stem}/same`, [x.name, builder.scalar(masked)]);
  const differs = builder.node('Not', `${stem}/differs`, [same]);
  // Reductions take no booleans before opset 20, and not every backend does after.
  const numbers = builder.node('Cast', `${stem}/numbers`, [differs], { to: 'float32' });
  const axes = builder.ints([-1]);
  const any = builder.node('ReduceMax', `${stem}/any`, [numbers, axes], { keepdims: 1 });
  // A skipped step holds the masked value in every feature; behind this layer it holds zeros.
  const y = masked === 0 ? x.name : builder.node('Mul', stem, [x.name, any]);
  const flat = builder.node('Squeeze', `${stem}/flat`, [any, axes]);
  const mask = builder.node('Cast', `${stem}/mask`, [flat], { to: 'bool' });
  return [{ ...x, name: y, mask: { name: mask, type: 'bool', dims: x.dims.slice(0, -1) } }];
};

const prelu: Translate = (call) => {
  const { builder, config, name, path, stem, weights } = call;
  const x = only(call);
  const shared = config.raw('shared_axes') === undefined ? [] : config.integers('shared_axes');
  const dims = x.dims
    .slice(1)
    .map((_, i) => (shared.includes(i + 1) ? 1 : knownDim(call, x, i + 1)));
  const alpha = takeWeight(weights, 'alpha', 0, dims, path);
  const slope = builder.constant(`${name}/alpha`, () => tensor(alpha, dims));
  return [{ ...x, name: builder.node('PRelu', stem, [x.name, slope]) }];
};

// Keras 3: max_value, negative_slope and threshold; TF.js: max_value only.
const relu: Translate = mapped((call, { name: x }) => {
  const { builder, config, stem } = call;
  for (const key of ['negative_slope', 'threshold']) {
    if (config.number(key, 0) !== 0) throw unsupported(call, key, `with ${key}, expected 0`);
  }
  if (config.raw('max_value') === undefined) return builder.node('Relu', stem, [x]);
  const limits = [builder.scalar(0), builder.scalar(config.number('max_value'))];
  return builder.node('Clip', stem, [x, ...limits]);
});

const softmax: Translate = (call) => {
  const { builder, config, dialect, stem } = call;
  const x = only(call);
  const axes = config.integers('axis', [dialect.softmaxAxis]);
  if (axes.length !== 1) throw unsupported(call, 'axis', `over ${axes.length} axes, expected one`);
  if (x.mask && x.dims.length > x.mask.dims.length) {
    throw unsupported(
      call,
      'mask',
      'over the features of a masked sequence is not what Keras allows',
    );
  }
  let { name } = x;
  if (x.mask) {
    // Keras adds -1e9, which in float32 is -1e9: nothing of the masked numbers is left.
    const low = builder.scalar(-1e9);
    name = builder.node('Where', `${stem}/masked`, [x.mask.name, name, low]);
  }
  return [{ ...x, name: builder.node('Softmax', stem, [name], { axis: axes[0]! }) }];
};

// Keras 2 and TF.js say alpha, Keras 3 says negative_slope.
const leakyRelu: Translate = mapped(({ builder, config, stem }, x) => {
  const key = config.raw('negative_slope') === undefined ? 'alpha' : 'negative_slope';
  return elementwise(builder, stem, x.name, { name: 'LeakyRelu', alpha: config.number(key, 0.3) });
});

/** Layers by class. */
export const CORE: Readonly<Record<string, Translate>> = {
  Dense: dense,
  Embedding: embedding,
  Masking: masking,
  Activation: mapped(({ builder, config, dialect, stem }, x) =>
    activate(builder, stem, x.name, config, dialect),
  ),
  ReLU: relu,
  LeakyReLU: leakyRelu,
  PReLU: prelu,
  ELU: mapped(({ builder, config, stem }, x) =>
    elementwise(builder, stem, x.name, { name: 'Elu', alpha: config.number('alpha', 1) }),
  ),
  ThresholdedReLU: mapped(({ builder, config, stem }, x) =>
    elementwise(builder, stem, x.name, {
      name: 'ThresholdedRelu',
      alpha: config.number('theta', 1),
    }),
  ),
  Softmax: softmax,
  Dropout: pass,
  SpatialDropout1D: pass,
  GaussianNoise: pass,
  GaussianDropout: pass,
  AlphaDropout: pass,
  ActivityRegularization: pass,
  Identity: pass,
};
