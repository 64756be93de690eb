// Reads models of Keras: .keras archives, and .h5 files of Keras 2 and 3. What the layers mean is in
// ./layers. https://keras.io/guides/serialization_and_saving/
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import {
  Config,
  dialectOf,
  layerConfig,
  parseJson,
  translateModel,
  type LayerConfig,
} from './layers/index.ts';
import { isZip } from '../format.ts';
import { Budget, importLimits, type ImportLimits } from '../limits.ts';
import { archiveWeights } from './archive-weights.ts';
import { openHdf5, type H5Group } from './hdf5.ts';
import { legacyWeights } from './legacy-weights.ts';
import type { WeightStore } from './weight-store.ts';
import { readZip, type ZipEntry } from '../zip.ts';

/** How a Keras model is read. */
export interface KerasOptions {
  /** Caps for files that are not trusted. */
  readonly limits?: Partial<ImportLimits> | undefined;
  /** What errors call the file; `model` when left out. */
  readonly name?: string | undefined;
  /** What `model.to_json()` wrote, for an `.h5` file that holds the weights alone. */
  readonly json?: Uint8Array | undefined;
}

/**
 * Turns a Keras model into a graph: a `.keras` archive, an `.h5` file that holds the whole model, or one
 * that holds its weights, with the JSON of its layers.
 * Inputs and outputs are named as for TensorFlow.js models, see `importTfjs`. A layer with
 * `stateful: true` is that layer with a state of zeros: a stream of the model carries the state from
 * call to call, in any direction, and then that of no other layer.
 *
 * @throws RnnError `INVALID_MODEL` where the file is damaged or does not fit together,
 *   `UNSUPPORTED_OPERATOR` for a layer that is not offered, `LIMIT_EXCEEDED` beyond `limits`
 * @example
 * ```ts
 * const graph = await importKeras(new Uint8Array(await (await fetch('model.keras')).arrayBuffer()));
 * ```
 */
export async function importKeras(bytes: Uint8Array, options: KerasOptions = {}): Promise<Graph> {
  const { name = 'model', json } = options;
  const total = bytes.length + (json?.length ?? 0);
  const budget = new Budget(importLimits(options.limits), total);
  budget.check('maxBytes', total, name, 'too many bytes');
  const { model, version, weights } = isZip(bytes)
    ? await readArchive(bytes, budget, name)
    : readHdf5Model(bytes, json, budget, name);
  if (/^[01]\./.test(version)) {
    throw new RnnError(
      'INVALID_MODEL',
      `${name}.keras_version`,
      `got a model of Keras ${version}, expected 2 or later: load and save it with Keras 2`,
    );
  }
  const graph = translateModel({ model, weights, dialect: dialectOf(version), budget });
  const unused = weights.unused();
  if (unused.length > 0) {
    throw new RnnError(
      'INVALID_MODEL',
      name,
      `got weights that no layer takes: ${unused.slice(0, 8).join(', ')}; expected none`,
    );
  }
  return graph;
}

/** The parts of a file. */
interface Parts {
  readonly model: LayerConfig;
  readonly version: string;
  readonly weights: WeightStore;
}

async function readArchive(bytes: Uint8Array, budget: Budget, name: string): Promise<Parts> {
  const entries = readZip(bytes, budget, name);
  const entry = (wanted: string, why = ''): ZipEntry => {
    const found = entries.get(wanted);
    if (found) return found;
    const names = [...entries.keys()].slice(0, 8).join(', ');
    throw new RnnError(
      'INVALID_MODEL',
      `${name}:${wanted}`,
      `the entry is missing, got ${names}${why}`,
    );
  };
  const json = async (wanted: string): Promise<unknown> =>
    parseJson(new TextDecoder().decode(await entry(wanted).bytes()), budget, `${name}:${wanted}`);
  const model = layerConfig(await json('config.json'), 'model');
  const metadata = new Config(await json('metadata.json'), `${name}:metadata.json`);
  const version = metadata.text('keras_version');
  const why = entries.has('model.weights.npz') ? '; save with weights_format="h5"' : '';
  const file = 'model.weights.h5';
  const root = openHdf5(await entry(file, why).bytes(), budget, `${name}:${file}`);
  return { model, version, weights: archiveWeights(root, model) };
}

function readHdf5Model(
  bytes: Uint8Array,
  json: Uint8Array | undefined,
  budget: Budget,
  name: string,
): Parts {
  const root = openHdf5(bytes, budget, name);
  const group = root.groups.get('model_weights');
  const config = only(root, 'model_config');
  if (config !== undefined && group !== undefined) {
    const version = only(root, 'keras_version') ?? only(group, 'keras_version') ?? '2.0.0';
    const parsed = parseJson(config, budget, `${name}.model_config`);
    return { model: layerConfig(parsed, 'model'), version, weights: legacyWeights(group) };
  }
  if (json === undefined) {
    const what =
      'got a file without a model, perhaps of weights alone; expected one that model.save() wrote, or ' +
      'the .json file that model.to_json() gives next to it';
    throw new RnnError('INVALID_MODEL', `${name}.model_config`, what);
  }
  const text = new TextDecoder().decode(json);
  const parsed = parseJson(text, budget, 'model.json');
  const model = layerConfig(parsed, 'model');
  const said = new Config(parsed, 'model.json').raw('keras_version');
  // Keras 3 writes the JSON without its version, and the places of weights in place of their names.
  const isPlaced = root.groups.has('layers') || root.groups.has('_layer_checkpoint_dependencies');
  const version = only(root, 'keras_version') ?? (isPlaced ? '3.0.0' : '2.0.0');
  return {
    model,
    version: typeof said === 'string' ? said : version,
    weights: isPlaced ? archiveWeights(root, model) : legacyWeights(root),
  };
}

const only = (group: H5Group, name: string): string | undefined => group.strings(name)?.[0];
