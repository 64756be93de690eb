// The activations of Keras by the names that configs use, inside a cell and as nodes.
// https://keras.io/api/layers/activations/ and tfjs-layers/src/activations.ts
import { ACTIVATIONS, type Activation, type ActivationName } from '../../../cells/index.ts';
import { RnnError } from '../../../errors.ts';
import type { GraphBuilder } from '../../../graph-builder.ts';
import type { Attribute } from '../../../graph.ts';
import { Config, isObject, show } from './config.ts';
import type { Dialect } from './dialect.ts';

/** An activation that acts on each number by itself. */
export interface Elementwise {
  readonly name: ActivationName;
  readonly alpha?: number;
  readonly beta?: number;
}

// Letters only: hard_sigmoid, hardSigmoid and HardSigmoid are one name.
const plain = (name: string): string => name.toLowerCase().replaceAll('_', '');

const ELEMENTWISE: ReadonlyMap<string, Elementwise> = new Map(
  Object.entries<Elementwise>({
    relu: { name: 'Relu' },
    relu6: { name: 'Relu6' },
    tanh: { name: 'Tanh' },
    sigmoid: { name: 'Sigmoid' },
    hardsigmoid: { name: 'HardSigmoid' },
    elu: { name: 'Elu' },
    selu: { name: 'Selu' },
    softplus: { name: 'Softplus' },
    softsign: { name: 'Softsign' },
    exponential: { name: 'Exp' },
    swish: { name: 'Swish' },
    silu: { name: 'Swish' },
    hardswish: { name: 'HardSwish' },
    hardsilu: { name: 'HardSwish' },
    mish: { name: 'Mish' },
    leakyrelu: { name: 'LeakyRelu', alpha: 0.2 },
  }),
);

/** Activations that only exist as operators of their own, with their attributes. */
const OPERATORS = new Map<string, readonly [string, Readonly<Record<string, Attribute>>]>([
  ['softmax', ['Softmax', { axis: -1 }]],
  ['logsoftmax', ['LogSoftmax', { axis: -1 }]],
  ['gelu', ['Gelu', { approximate: 'none' }]],
  ['gelunew', ['Gelu', { approximate: 'tanh' }]],
]);

/** Reads a name out of the forms in which files write an activation. */
function activationName(value: unknown, path: string): string {
  if (typeof value === 'string') return plain(value);
  if (isObject(value)) {
    const config = new Config(value, path);
    // Keras 3 writes functions as { class_name: 'function', config: 'leaky_relu' }.
    const name = config.text('class_name');
    const inner = config.raw('config');
    if (name === 'function' && typeof inner === 'string') return plain(inner);
    if (!isObject(inner) || Object.keys(inner).every((key) => key === 'name')) return plain(name);
  }
  throw new RnnError(
    'UNSUPPORTED_OPERATOR',
    path,
    `activation ${show(value)}, expected the name of one: ${SUPPORTED.join(', ')}`,
  );
}

const SUPPORTED = ['linear', ...ELEMENTWISE.keys(), ...OPERATORS.keys()];

/** `f` with the numbers that a node or a cell needs. */
function complete(found: Elementwise, dialect: Dialect): Elementwise {
  if (found.name !== 'HardSigmoid') return found;
  return { ...found, alpha: dialect.hardSigmoidSlope, beta: 0.5 };
}

/** The activation of a gate, which must act on each number by itself. */
export function cellActivation(
  config: Config,
  key: string,
  fallback: string,
  dialect: Dialect,
): Required<Elementwise> {
  const value = config.raw(key) ?? (config.isNull(key) ? 'linear' : fallback);
  const path = `${config.path}.${key}`;
  const name = activationName(value, path);
  const found: Elementwise | undefined =
    name === 'linear' ? { name: 'Affine' } : ELEMENTWISE.get(name);
  if (found === undefined) {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      path,
      `activation ${show(value)} inside a recurrent cell, expected one of linear, ` +
        [...ELEMENTWISE.keys()].join(', '),
    );
  }
  const { alpha, beta } = complete(found, dialect);
  const defaults: Activation = ACTIVATIONS[found.name];
  return {
    name: found.name,
    alpha: alpha ?? defaults.alpha ?? Number.NaN,
    beta: beta ?? defaults.beta ?? Number.NaN,
  };
}

/** Appends the activation that a layer has behind it; none for `linear`. */
export function activate(
  builder: GraphBuilder,
  stem: string,
  value: string,
  config: Config,
  dialect: Dialect,
  key = 'activation',
): string {
  const raw = config.raw(key);
  if (raw === undefined) return value;
  const path = `${config.path}.${key}`;
  const name = activationName(raw, path);
  if (name === 'linear') return value;
  const operator = OPERATORS.get(name);
  if (operator !== undefined) return builder.node(operator[0], stem, [value], operator[1]);
  const found = ELEMENTWISE.get(name);
  if (found === undefined) {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      path,
      `activation ${show(raw)}, expected one of ${SUPPORTED.join(', ')}`,
    );
  }
  return elementwise(builder, stem, value, complete(found, dialect));
}

/** Appends an activation as a node. */
export function elementwise(
  builder: GraphBuilder,
  stem: string,
  value: string,
  { name, alpha, beta }: Elementwise,
): string {
  return builder.node(name, stem, [value], {
    ...(alpha === undefined ? {} : { alpha }),
    ...(beta === undefined ? {} : { beta }),
  });
}
