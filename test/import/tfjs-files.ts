// TF.js model files written by hand, for what TF.js itself would not save.
import { randomOf } from '../support/random.ts';

/** A layer as JSON. */
export interface LayerJson {
  class_name: string;
  config: Record<string, unknown>;
  name?: string;
  inbound_nodes?: unknown;
  [key: string]: unknown;
}

/** A weight; random numbers where none are given. */
export interface WeightJson {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data?: ArrayLike<number>;
}

/** The JSON of a model, for tests to bend. */
export interface ModelJson {
  format: string;
  modelTopology: {
    keras_version: string;
    model_config: { class_name: string; config: Record<string, unknown> & { layers: LayerJson[] } };
  };
  weightsManifest: { paths: string[]; weights: Record<string, unknown>[] }[];
}

/** What a hand-made model consists of. */
export interface HandMade {
  readonly layers: readonly LayerJson[];
  readonly weights: readonly WeightJson[];
  /** `2.15.0` when left out, as the Python converter writes it. */
  readonly version?: string;
  /** Makes a functional model of it. */
  readonly ends?: { readonly input_layers: unknown; readonly output_layers: unknown };
}

/** A layer of a Sequential model. */
export const layer = (className: string, config: Record<string, unknown>): LayerJson => ({
  class_name: className,
  config,
});

/** Random numbers of a weight, the same each time. */
export function randomWeight(shape: readonly number[], seed: number): Float32Array {
  return randomOf(seed).floats(
    shape.reduce((a, b) => a * b, 1),
    0.8,
  );
}

/** Writes model.json and weights.bin. */
export function writeModel({ layers, weights, version = '2.15.0', ends }: HandMade): {
  json: ModelJson;
  bytes: Uint8Array;
} {
  const numbers = weights.map(({ shape, data }, i) =>
    data ? Float32Array.from(data) : randomWeight(shape, i + 1),
  );
  const config = { name: 'hand_made', layers: [...layers], ...ends };
  return {
    json: {
      format: 'layers-model',
      modelTopology: {
        keras_version: version,
        model_config: { class_name: ends ? 'Functional' : 'Sequential', config },
      },
      weightsManifest: [
        {
          paths: ['weights.bin'],
          weights: weights.map(({ name, shape }) => ({
            name,
            shape: [...shape],
            dtype: 'float32',
          })),
        },
      ],
    },
    bytes: new Uint8Array(Float32Array.from(numbers.flatMap((part) => [...part])).buffer),
  };
}

/** The files of a model. */
export function filesOf({
  json,
  bytes,
}: {
  json: unknown;
  bytes: Uint8Array;
}): Map<string, Uint8Array> {
  return new Map([
    ['model.json', new TextEncoder().encode(JSON.stringify(json))],
    ['weights.bin', bytes],
  ]);
}
