// Keras files with one fault each, and the error that each must end with.
import type { RnnError } from '../../src/errors.ts';
import { randomOf } from '../support/random.ts';
import {
  archiveTree,
  legacyTree,
  writeH5,
  writeKeras,
  writeZip,
  type Entry,
  type Numbers,
  type Tree,
} from './keras-writer.ts';

const numbers = (...dims: number[]): Numbers => {
  const size = dims.reduce((a, b) => a * b, 1);
  return { dims, data: randomOf(size).floats(size) };
};

/** An LSTM of 3 inputs and 4 units. */
const WEIGHTS = [numbers(3, 16), numbers(4, 16), numbers(16)];

const lstm = (config: object = {}, more: object = {}): object => ({
  class_name: 'LSTM',
  config: { name: 'lstm', units: 4, ...config },
  ...more,
});

const sequential = (...layers: object[]): object => ({
  class_name: 'Sequential',
  config: {
    name: 'model',
    layers: [
      { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, 5, 3] } },
      ...layers,
    ],
  },
});

/** An .h5 file of one LSTM, with these weights. */
export const legacy = (
  names: Readonly<Record<string, Numbers>>,
  model = sequential(lstm()),
): Tree => legacyTree(model, { lstm: names }, '2.15.0');

/** The weights of that LSTM. */
export const NAMED = {
  'lstm/lstm_cell/kernel:0': WEIGHTS[0]!,
  'lstm/lstm_cell/recurrent_kernel:0': WEIGHTS[1]!,
  'lstm/lstm_cell/bias:0': WEIGHTS[2]!,
};

/** A .keras file of one LSTM. */
export const good = (): Promise<Uint8Array> =>
  writeKeras(sequential(lstm()), { 'layers/lstm/cell': WEIGHTS });

/** The entries of a good archive, some of them changed. */
export async function archive(
  changed: Readonly<Record<string, Partial<Entry>>>,
): Promise<Uint8Array> {
  const entries: Entry[] = [
    { name: 'metadata.json', bytes: '{"keras_version": "3.8.0"}' },
    { name: 'config.json', bytes: JSON.stringify(sequential(lstm())) },
    {
      name: 'model.weights.h5',
      bytes: await writeH5(archiveTree({ 'layers/lstm/cell': WEIGHTS })),
    },
  ];
  return writeZip(entries.map((entry) => ({ ...entry, ...changed[entry.name] })));
}

/** A file that cannot be read. */
export interface Broken {
  readonly what: string;
  readonly bytes: () => Uint8Array | Promise<Uint8Array>;
  readonly code: RnnError['code'];
  readonly path: string;
  readonly says: RegExp;
}

const withWeights = (weights: readonly Numbers[], ...layers: object[]): Promise<Uint8Array> =>
  writeKeras(sequential(...(layers.length > 0 ? layers : [lstm()])), {
    'layers/lstm/cell': weights,
  });

const CELL = "model.layers['lstm']";

/** What is wrong with files, and what is said of it. */
export const BROKEN: readonly Broken[] = [
  {
    what: 'a wrong number of gates',
    bytes: () => withWeights([numbers(3, 12), WEIGHTS[1]!, WEIGHTS[2]!]),
    code: 'SHAPE_MISMATCH',
    path: `${CELL}.kernel`,
    says: /got shape \[3, 12\], expected \[3, 16\]/,
  },
  {
    what: 'a missing tensor in an archive',
    bytes: () => withWeights(WEIGHTS.slice(0, 2)),
    code: 'INVALID_MODEL',
    path: `${CELL}.bias`,
    says: /no such weight, got .*layers\/lstm\/cell\/vars\/0.*, expected one of shape \[16\]/,
  },
  {
    what: 'a missing tensor in an .h5 file',
    bytes: () => writeH5(legacy({ 'lstm/kernel:0': WEIGHTS[0]!, 'lstm/bias:0': WEIGHTS[2]! })),
    code: 'INVALID_MODEL',
    path: `${CELL}.recurrent_kernel`,
    says: /no such weight/,
  },
  {
    what: 'a transposed kernel',
    bytes: () => withWeights([numbers(16, 3), WEIGHTS[1]!, WEIGHTS[2]!]),
    code: 'SHAPE_MISMATCH',
    path: `${CELL}.kernel`,
    says: /got shape \[16, 3\], expected \[3, 16\]/,
  },
  {
    what: 'weights that are integers',
    bytes: () => withWeights([{ ...WEIGHTS[0]!, dtype: '<i4' }, WEIGHTS[1]!, WEIGHTS[2]!]),
    code: 'INVALID_MODEL',
    path: 'model:model.weights.h5:layers/lstm/cell/vars/0.dtype',
    says: /got "<i4", expected floating point/,
  },
  {
    what: 'weights that no layer takes',
    bytes: () =>
      writeKeras(sequential(lstm()), {
        'layers/lstm/cell': WEIGHTS,
        'layers/dense': [numbers(4, 2)],
      }),
    code: 'INVALID_MODEL',
    path: 'model',
    says: /layers\/dense\/vars\/0; expected none/,
  },
  {
    what: 'a dataset in chunks',
    bytes: () => withWeights([{ ...WEIGHTS[0]!, chunks: [3, 4] }, WEIGHTS[1]!, WEIGHTS[2]!]),
    code: 'INVALID_MODEL',
    path: 'model:model.weights.h5:layers/lstm/cell/vars/0',
    says: /in chunks or compressed, expected one piece/,
  },
  {
    what: 'a layer that is not known',
    bytes: () =>
      withWeights(WEIGHTS, lstm(), { class_name: 'ConvLSTM1D', config: { name: 'odd' } }),
    code: 'UNSUPPORTED_OPERATOR',
    path: "model.layers['odd']",
    says: /layer 'odd' is of class ConvLSTM1D, expected one of .*LSTM/,
  },
  {
    what: 'a Lambda',
    bytes: () => withWeights(WEIGHTS, lstm(), { class_name: 'Lambda', config: { name: 'code' } }),
    code: 'UNSUPPORTED_OPERATOR',
    path: "model.layers['code']",
    says: /Python code, which is never run/,
  },
  {
    what: 'a class of somebody’s own that is called like one of Keras',
    bytes: () =>
      withWeights(WEIGHTS, lstm({}, { module: 'custom.layers', registered_name: 'custom>LSTM' })),
    code: 'UNSUPPORTED_OPERATOR',
    path: 'model.layers[1]',
    says: /custom\.layers\.LSTM is Python code/,
  },
  {
    what: 'a zip bomb that its directory owns up to',
    bytes: () =>
      archive({
        'config.json': { deflate: true, bytes: ' '.repeat(1 << 20), declared: 2 ** 32 - 2 },
      }),
    code: 'LIMIT_EXCEEDED',
    path: 'model:config.json',
    says: /too large once unpacked/,
  },
  {
    what: 'a zip bomb that its directory hides',
    bytes: () =>
      archive({ 'config.json': { deflate: true, bytes: ' '.repeat(1 << 20), declared: 100 } }),
    code: 'INVALID_MODEL',
    path: 'model:config.json',
    says: /more than the 100 bytes it declares/,
  },
  {
    what: 'an entry that promises more than deflate can give',
    bytes: () => archive({ 'config.json': { deflate: true, declared: 2 ** 30 } }),
    code: 'INVALID_MODEL',
    path: 'model:config.json',
    says: /bytes for 1073741824/,
  },
  {
    what: 'an entry named to lead out of the archive',
    bytes: () => archive({ 'config.json': { name: 'assets/../../config.json' } }),
    code: 'INVALID_MODEL',
    path: 'model',
    says: /"assets\/\.\.\/\.\.\/config\.json", expected a name that stays within/,
  },
  {
    what: 'an archive without its config',
    bytes: () => archive({ 'config.json': { name: 'other.json' } }),
    code: 'INVALID_MODEL',
    path: 'model:config.json',
    says: /missing, got metadata\.json, other\.json, model\.weights\.h5/,
  },
  {
    what: 'two entries of one name',
    bytes: () => archive({ 'metadata.json': { name: 'config.json' } }),
    code: 'INVALID_MODEL',
    path: 'model:config.json',
    says: /the name is there twice/,
  },
  {
    what: 'an archive that ends early',
    bytes: async () => (await good()).subarray(0, -40),
    code: 'INVALID_MODEL',
    path: 'model',
    says: /is the file complete/,
  },
  {
    what: 'a config that is no JSON',
    bytes: () => archive({ 'config.json': { bytes: '{"class_name": "Sequential",' } }),
    code: 'INVALID_MODEL',
    path: 'model:config.json',
    says: /damaged JSON \(Expected/,
  },
  {
    what: 'weights that are no HDF5 file',
    bytes: () => archive({ 'model.weights.h5': { bytes: 'x'.repeat(3000) } }),
    code: 'INVALID_MODEL',
    path: 'model:model.weights.h5',
    says: /damaged HDF5 file/,
  },
  {
    what: 'an .h5 file that ends early',
    bytes: async () => (await writeH5(legacy(NAMED))).subarray(0, 3000),
    code: 'INVALID_MODEL',
    path: 'model',
    says: /damaged HDF5 file \(it points beyond its end; is the file complete\?\)/,
  },
  {
    what: 'an .h5 file of weights alone',
    bytes: async () => writeH5(legacy(NAMED).groups!['model_weights']!),
    code: 'INVALID_MODEL',
    path: 'model.model_config',
    says: /perhaps of weights alone/,
  },
  {
    what: 'a model of Keras 1',
    bytes: () => writeH5(legacyTree(sequential(lstm()), { lstm: NAMED }, '1.2.2')),
    code: 'INVALID_MODEL',
    path: 'model.keras_version',
    says: /Keras 1\.2\.2, expected 2 or later/,
  },
  {
    what: 'a name of a weight that is not there',
    bytes: () => {
      const tree = legacy(NAMED);
      const weights = tree.groups!['model_weights']!;
      const layer = { ...weights.groups!['lstm']!, attrs: { weight_names: ['lstm/gone:0'] } };
      return writeH5({
        ...tree,
        groups: { model_weights: { ...weights, groups: { lstm: layer } } },
      });
    },
    code: 'INVALID_MODEL',
    path: "model:model_weights/lstm.attrs['weight_names']",
    says: /got 'lstm\/gone:0'/,
  },
];
