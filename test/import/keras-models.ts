// Random recurrent models of Keras: the same layer as a .keras file, as an .h5 file, and as cells
// for the formulas.
import { sizeOf } from '../../src/tensor.ts';
import type { Random } from '../support/random.ts';
import { FUNCTIONS, GATES, type Cell, type Kind } from './keras-formulas.ts';
import {
  legacyTree,
  writeH5,
  writeKeras,
  type NamedWeights,
  type Numbers,
  type PlacedWeights,
} from './keras-writer.ts';

/** Which of the two layouts. */
export type Format = '.keras' | '.h5';

/** Both of them. */
export const FORMATS: readonly Format[] = ['.keras', '.h5'];

/** What makes arrays of random numbers in [-0.8, 0.8). */
export const numbersOf =
  (random: Random) =>
  (...dims: number[]): Numbers => ({ dims, data: random.floats(sizeOf(dims), 0.8) });

/** A layer of a functional model. */
export interface LayerJson {
  readonly class_name: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Layers that it is called with, or outputs of theirs. */
  readonly from: readonly (string | readonly [string, number])[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
}

/** A model that has not been written yet. */
export interface ModelJson {
  readonly inputs: Readonly<Record<string, readonly (number | null)[]>>;
  readonly layers: readonly LayerJson[];
  readonly outputs: readonly (string | readonly [string, number])[];
}

const refOf = (from: string | readonly [string, number]): readonly [string, number, number] =>
  typeof from === 'string' ? [from, 0, 0] : [from[0], 0, from[1]];

/** The config of a functional model as Keras 3 or Keras 2 writes it. */
export function functional({ inputs, layers, outputs }: ModelJson, format: Format): object {
  const given = Object.entries(inputs).map(([name, dims]) => ({
    class_name: 'InputLayer',
    name,
    config:
      format === '.keras'
        ? { batch_shape: dims, dtype: 'float32', name }
        : { batch_input_shape: dims, dtype: 'float32', sparse: false, name },
    inbound_nodes: [],
  }));
  const called = layers.map(({ class_name, name, config, from, kwargs = {} }) => {
    const tensors = from.map((source) => ({
      class_name: '__keras_tensor__',
      config: { shape: [null], dtype: 'float32', keras_history: refOf(source) },
    }));
    const inbound =
      format === '.keras'
        ? { args: tensors.length === 1 ? tensors : [tensors], kwargs }
        : from.map((source) => [...refOf(source), kwargs]);
    return { class_name, name, config: { name, ...config }, inbound_nodes: [inbound] };
  });
  const module = (raw: { class_name: string }): object =>
    format === '.keras' ? { ...raw, module: 'keras.layers', registered_name: null } : raw;
  const config = {
    name: 'functional',
    layers: [...given, ...called].map(module),
    input_layers: Object.keys(inputs).map(refOf),
    output_layers: outputs.map(refOf),
  };
  return format === '.keras'
    ? { module: 'keras', class_name: 'Functional', config, registered_name: 'Functional' }
    : { class_name: 'Model', config };
}

/** Weights in both layouts. */
export interface BothWeights {
  readonly placed: PlacedWeights;
  readonly named: Readonly<Record<string, NamedWeights>>;
}

/** Writes a model. */
export function writeModel(model: ModelJson, weights: BothWeights, format: Format) {
  const json = functional(model, format);
  if (format === '.keras') return writeKeras(json, weights.placed);
  const layers = [...Object.keys(model.inputs), ...model.layers.map(({ name }) => name)];
  const named = layers.map((name) => [name, weights.named[name] ?? {}] as const);
  return writeH5(legacyTree(json, Object.fromEntries(named), '2.15.0'));
}

/** A random cell, and its config without a name. */
export interface RandomCell {
  readonly cell: Cell;
  readonly config: Readonly<Record<string, unknown>>;
  /** kernel, recurrent_kernel, bias. */
  readonly weights: readonly Numbers[];
}

/** Makes a cell; activations that stay near one, so that float32 keeps its digits. */
export function randomCell(
  random: Random,
  kind: Kind,
  inputs: number,
  format: Format,
  change: { units?: number; resetAfter?: boolean } = {},
): RandomCell {
  const units = change.units ?? random.int(1, 6);
  const activation = random.pick(['tanh', 'sigmoid', 'softsign', 'relu']);
  const gate = random.pick(['sigmoid', 'hard_sigmoid']);
  const resetAfter = kind === 'GRU' && (change.resetAfter ?? random.chance(0.5));
  const width = GATES[kind] * units;
  const numbers = (...dims: number[]): Numbers => {
    const data = random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.7,
    );
    return { dims, data };
  };
  const useBias = random.chance(0.8);
  const kernel = numbers(inputs, width);
  const recurrent = numbers(units, width);
  const bias = resetAfter ? numbers(2, width) : numbers(width);
  const gateFunction = `${gate}_${format === '.keras' ? 3 : 2}`;
  return {
    cell: {
      kind,
      inputs,
      units,
      activation: FUNCTIONS[activation]!,
      gate: FUNCTIONS[gate] ?? FUNCTIONS[gateFunction]!,
      resetAfter,
      kernel: kernel.data,
      recurrent: recurrent.data,
      bias: useBias ? bias.data : undefined,
    },
    config: {
      units,
      activation,
      use_bias: useBias,
      ...(kind !== 'SimpleRNN' && { recurrent_activation: gate }),
      ...(kind === 'GRU' && { reset_after: resetAfter }),
    },
    weights: useBias ? [kernel, recurrent, bias] : [kernel, recurrent],
  };
}

const NAMES = ['kernel', 'recurrent_kernel', 'bias'];

/** The weights of a cell under a path, as Keras 2 names them. */
export function namesOf(path: string, weights: readonly Numbers[]): NamedWeights {
  return Object.fromEntries(weights.map((numbers, i) => [`${path}/${NAMES[i]}:0`, numbers]));
}

/** Sequences [B][T][I]; where `masked`, some steps are zeros, which Masking leaves out. */
export function randomSequences(
  random: Random,
  [batch, steps, features]: readonly [number, number, number],
  masked: boolean,
): { x: number[][][]; mask: boolean[][] | undefined } {
  const counts = (): boolean => !masked || random.chance(0.6);
  const mask = Array.from({ length: batch }, () => Array.from({ length: steps }, counts));
  const x = mask.map((row) =>
    row.map((kept) => (kept ? [...random.floats(features)] : Array<number>(features).fill(0))),
  );
  return { x, mask: masked ? mask : undefined };
}

/** The model of one recurrent layer, behind a Masking layer where there is a mask. */
export function around(
  main: Omit<LayerJson, 'from'>,
  dims: readonly number[],
  masked: boolean,
  outputs: number,
): ModelJson {
  const masking: LayerJson = {
    class_name: 'Masking',
    name: 'masking',
    config: { mask_value: 0 },
    from: ['x'],
  };
  return {
    inputs: { x: [null, ...dims] },
    layers: [...(masked ? [masking] : []), { ...main, from: [masked ? 'masking' : 'x'] }],
    outputs: Array.from({ length: outputs }, (_, i) => [main.name, i] as const),
  };
}
