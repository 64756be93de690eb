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
}

/**
 * Turns a Keras model into a graph: a `.keras` archive, or an `.h5` file that holds the whole model.
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
  const { name = 'model' } = options;
  const budget = new Budget(importLimits(options.limits), bytes.length);
  budget.check('maxBytes', bytes.length, name, 'too many bytes');
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b; // PK
  const { model, version, weights } = isZip
    ? await readArchive(bytes, budget, name)
    : readLegacy(bytes, budget, name);
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

function readLegacy(bytes: Uint8Array, budget: Budget, name: string): Parts {
  const root = openHdf5(bytes, budget, name);
  const group = root.groups.get('model_weights');
  const config = only(root, 'model_config');
  if (config === undefined || group === undefined) {
    throw new RnnError(
      'INVALID_MODEL',
      `${name}.model_config`,
      'got a file without a model, perhaps of weights alone; expected one that model.save() wrote',
    );
  }
  const version = only(root, 'keras_version') ?? only(group, 'keras_version') ?? '2.0.0';
  const json = parseJson(config, budget, `${name}.model_config`);
  return { model: layerConfig(json, 'model'), version, weights: legacyWeights(group) };
}

const only = (group: H5Group, name: string): string | undefined => group.strings(name)?.[0];
