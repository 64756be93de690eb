// Activations, inside cells and as layers.
import {
  ACTIVATIONS,
  findActivation,
  type Activation,
  type ActivationName,
} from '../cells/index.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { Attribute, ValueInfo } from '../graph.ts';
import { invalid, makeLayer, mismatch, show, type Layer, type LayerOptions } from './layer.ts';

/** Names of Keras and PyTorch for activations of ONNX. */
const ALIASES: ReadonlyMap<string, ActivationName> = new Map([
  ['linear', 'Affine'],
  ['identity', 'Affine'],
  ['silu', 'Swish'],
  ['exponential', 'Exp'],
]);

/** Activations that are operators and not a function inside a cell. */
const OPERATORS: ReadonlyMap<string, readonly [string, Readonly<Record<string, Attribute>>]> =
  new Map([
    ['softmax', ['Softmax', { axis: -1 }]],
    ['logsoftmax', ['LogSoftmax', { axis: -1 }]],
    ['gelu', ['Gelu', { approximate: 'none' }]],
  ]);

const plain = (name: string): string => name.toLowerCase().replaceAll('_', '');

/** An activation of a cell by its name, in any case and with or without underscores. */
export function readActivation(name: unknown, path: string): ActivationName {
  const text = typeof name === 'string' ? plain(name) : undefined;
  const found = text === undefined ? undefined : (ALIASES.get(text) ?? findActivation(text));
  if (found === undefined) throw invalid(path, name, 'the name of an activation, such as tanh');
  return found;
}

/** Options of `activation`. */
export interface ActivationOptions extends LayerOptions {
  /** First parameter: slope of leakyRelu and hardSigmoid, scale of elu, and so on; that of ONNX by default. */
  readonly alpha?: number | undefined;
  /** Second parameter: offset of hardSigmoid, and so on; that of ONNX by default. */
  readonly beta?: number | undefined;
}

/** `f(x)` along the last axis, or of each number. */
export function appendActivation(
  builder: GraphBuilder,
  x: ValueInfo,
  name: unknown,
  { alpha, beta }: ActivationOptions,
  { stem, path }: { readonly stem: string; readonly path: string },
): ValueInfo {
  if (x.type !== 'float32') throw mismatch(path, `an input ${show(x)}`, 'float32');
  const operator = typeof name === 'string' ? OPERATORS.get(plain(name)) : undefined;
  const op = operator?.[0] ?? readActivation(name, path);
  const defaults: Activation | undefined = operator ? undefined : ACTIVATIONS[op as ActivationName];
  const given = Object.entries({ alpha, beta }).flatMap(([key, value]): [string, number][] => {
    if (value === undefined) return [];
    if (defaults?.[key as 'alpha' | 'beta'] === undefined) {
      throw invalid(`${path}.${key}`, value, `none for ${String(name)}`);
    }
    if (!Number.isFinite(value)) throw invalid(`${path}.${key}`, value, 'a finite number');
    // The ONNX operator calls it so.
    return [[key === 'beta' && op === 'Selu' ? 'gamma' : key, value]];
  });
  const attributes = { ...operator?.[1], ...Object.fromEntries(given) };
  return { ...x, name: builder.node(op, stem, [x.name], attributes) };
}

/**
 * An activation of each number, or `softmax` and `logSoftmax` over the features: any shape → the same.
 *
 * @param name `tanh`, `sigmoid`, `relu`, `leakyRelu`, `elu`, `gelu`, `silu` …, in any case and with or without
 *   underscores. The slope of `hardSigmoid` is 0.2, as in ONNX and Keras 2; Keras 3 and PyTorch: `alpha: 1 / 6`
 * @throws RnnError `INVALID_ARGUMENT` where it is put into a model, for a name that is not known, and for a
 *   parameter that it has not
 * @example
 * ```ts
 * activation('leakyRelu', { alpha: 0.1 });
 * ```
 */
export function activation(name: string, options: ActivationOptions = {}): Layer {
  return makeLayer({
    kind: 'activation',
    name: options.name,
    wants: () => undefined,
    append: ({ builder, x, stem, path }) =>
      appendActivation(builder, x, name, options, { stem, path }),
  });
}

/** Options of `softmax`. */
export interface SoftmaxOptions extends LayerOptions {
  /** The axis that sums to one; the last by default. Negative from the end. */
  readonly axis?: number | undefined;
}

/**
 * exp(x) / Σ exp(x) along an axis, the features by default: any shape → the same.
 *
 * @throws RnnError `INVALID_ARGUMENT` where it is put into a model, for an axis that the input has not
 * @example
 * ```ts
 * sequential([lstm({ W, R, B }), dense({ W: V, b }), softmax()]);
 * ```
 */
export function softmax({ axis = -1, name }: SoftmaxOptions = {}): Layer {
  return makeLayer({
    kind: 'softmax',
    name,
    wants: () => undefined,
    append: ({ builder, x, stem, path }) => {
      const at = readAxis(axis, x, `${path}.axis`);
      if (x.type !== 'float32') throw mismatch(path, `an input ${show(x)}`, 'float32');
      return { ...x, name: builder.node('Softmax', stem, [x.name], { axis: at }) };
    },
  });
}

/** An axis of a value, counted from the front. */
export function readAxis(axis: unknown, { dims }: Pick<ValueInfo, 'dims'>, path: string): number {
  const rank = dims.length;
  const at = (axis as number) < 0 ? (axis as number) + rank : (axis as number);
  if (Number.isSafeInteger(at) && at >= 0 && at < rank) return at;
  throw invalid(path, axis, `an axis of ${rank}, negative from the end`);
}
