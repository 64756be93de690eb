// Reads layers models of TensorFlow.js: model.json and its weight files. What the layers mean is in
// ../keras/layers. https://www.tensorflow.org/js/guide/save_load
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import {
  Config,
  dialectOf,
  isObject,
  layerConfig,
  parseJson,
  show,
} from '../keras/layers/index.ts';
import { translateModel, type Json } from '../keras/layers/index.ts';
import { Budget, importLimits, type ImportLimits } from '../limits.ts';
import { readWeights, type Files } from './manifest.ts';
import { weightStore } from './weights.ts';

/** How a TF.js model is read. */
export interface TfjsOptions {
  /** Caps for files that are not trusted. */
  readonly limits?: Partial<ImportLimits> | undefined;
}

/**
 * Turns a TensorFlow.js layers model into a graph. Inputs are named as in Keras: after an
 * InputLayer, or `lstm_input` where a Sequential model begins with the layer `lstm`. Outputs are
 * named after the layers that make them; the second output of a layer `lstm` is `lstm_1`. What only
 * feeds an Embedding is int32.
 *
 * A model saved by TF.js computes as TF.js does, one converted from Keras as that version of Keras.
 * A layer with `stateful: true` is that layer with a state of zeros: a stream of the model carries
 * the state from call to call, in any direction, and then that of no other layer.
 *
 * @param files `model.json` under any name, and the weight files that it lists, by name or path
 * @throws RnnError `INVALID_MODEL` where files disagree, `UNSUPPORTED_OPERATOR` for a layer that is
 *   not offered, `LIMIT_EXCEEDED` for a file beyond `limits`
 * @example
 * ```ts
 * const read = async (name: string) => new Uint8Array(await (await fetch(name)).arrayBuffer());
 * const names = ['model.json', 'weights.bin'];
 * const files = new Map(await Promise.all(names.map(async (name) => [name, await read(name)] as const)));
 * const graph = importTfjs(files);
 * ```
 */
export function importTfjs(
  files: ReadonlyMap<string, Uint8Array>,
  options: TfjsOptions = {},
): Graph {
  const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  const budget = new Budget(importLimits(options.limits), total);
  for (const [name, bytes] of files) {
    budget.spend('maxBytes', bytes.length, `files['${name}']`, 'too many bytes');
  }
  const [name, json] = findModel(files, budget);
  if (
    json['format'] === 'graph-model' ||
    (isObject(json['modelTopology']) && 'node' in json['modelTopology'])
  ) {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      `${name}.format`,
      'got a graph model, expected a layers model: save it from Keras and convert with ' +
        'tensorflowjs_converter --input_format=keras --output_format=tfjs_layers_model, or ' +
        'export it to ONNX',
    );
  }
  const topology = new Config(json['modelTopology'] ?? json, 'modelTopology');
  // The Python converter wraps the model with the Keras version and the training config; TF.js does not.
  const wrapped = topology.raw('model_config');
  const raw =
    typeof wrapped === 'string'
      ? parseJson(wrapped, budget, 'modelTopology.model_config')
      : wrapped;
  const model = layerConfig(raw ?? json['modelTopology'], 'model');
  const version =
    topology.raw('keras_version') ?? (isObject(raw) ? raw['keras_version'] : undefined);
  if (json['weightsManifest'] === undefined) {
    throw new RnnError(
      'INVALID_MODEL',
      `${name}.weightsManifest`,
      'got nothing, expected the weights',
    );
  }
  const weights = weightStore(readWeights(json['weightsManifest'], finder(files, name), budget));
  const dialect = dialectOf(typeof version === 'string' ? version : undefined);
  const graph = translateModel({ model, weights, dialect, budget });
  const unused = weights.unused();
  if (unused.length > 0) {
    throw new RnnError(
      'INVALID_MODEL',
      'weightsManifest',
      `got weights that no layer takes: ${unused.slice(0, 8).join(', ')}; expected none`,
    );
  }
  return graph;
}

/** The one file that is JSON and describes a model. */
function findModel(
  files: ReadonlyMap<string, Uint8Array>,
  budget: Budget,
): readonly [string, Json] {
  // Weights may begin with a brace by chance, so a name that says JSON goes before.
  const likely = [...files].filter(([, bytes]) => looksLikeJson(bytes));
  const named = likely.filter(([name]) => /\.json$/i.test(name));
  const found: (readonly [string, Json])[] = [];
  let fault: unknown;
  for (const [name, bytes] of named.length > 0 ? named : likely) {
    try {
      // What one file holds must not count against the next.
      const json = parseJson(new TextDecoder().decode(bytes), new Budget(budget.limits), name);
      if (isObject(json) && ('modelTopology' in json || 'weightsManifest' in json)) {
        found.push([name, json]);
      }
    } catch (error) {
      fault ??= error; // matters only when no file is the model
    }
  }
  if (found.length === 1) return found[0]!;
  if (found.length === 0 && fault !== undefined) throw fault;
  const names = (found.length > 0 ? found.map(([name]) => name) : [...files.keys()]).slice(0, 8);
  throw new RnnError(
    'INVALID_MODEL',
    'files',
    `got ${show(names)}, expected one model.json with modelTopology and weightsManifest`,
  );
}

function looksLikeJson(bytes: Uint8Array): boolean {
  // A byte order mark and white space may come before the brace.
  const first = bytes
    .subarray(0, 64)
    .find((byte) => ![0xef, 0xbb, 0xbf, 9, 10, 13, 32].includes(byte));
  return first === '{'.charCodeAt(0);
}

/** Finds weight files: in the folder of the model, by the path as it is, or by a name that only one has. */
function finder(files: ReadonlyMap<string, Uint8Array>, model: string): Files {
  const folder = model.slice(0, model.lastIndexOf('/') + 1);
  const plain = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  return (path, where) => {
    const found = files.get(folder + path) ?? files.get(path);
    if (found) return found;
    const same = [...files].filter(([name]) => plain(name) === plain(path));
    if (same.length === 1) return same[0]![1];
    throw new RnnError(
      'INVALID_MODEL',
      where,
      `the file '${path}' is missing, got ${show([...files.keys()].slice(0, 8))}`,
    );
  };
}
