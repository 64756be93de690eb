// Files that are broken, hostile or of another kind: each ends with an error that says where.
import { describe, expect, it } from 'vitest';
import { RnnError, type RnnErrorCode } from '../../src/errors.ts';
import type { ImportLimits } from '../../src/import/limits.ts';
import { importTfjs } from '../../src/import/tfjs/index.ts';
import { randomOf, type Random } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { filesOf, layer, writeModel, type LayerJson, type ModelJson } from './tfjs-files.ts';

type Files = Map<string, Uint8Array>;

const sound = () =>
  writeModel({
    layers: [
      layer('Embedding', {
        input_dim: 5,
        output_dim: 3,
        name: 'e',
        batch_input_shape: [null, null],
      }),
      layer('LSTM', { units: 2, return_sequences: true, name: 'l' }),
      layer('Bidirectional', {
        layer: layer('GRU', { units: 2, name: 'g' }),
        merge_mode: 'concat',
        name: 'b',
      }),
      layer('Dense', { units: 2, activation: 'softmax', name: 'd' }),
    ],
    weights: [
      { name: 'e/embeddings', shape: [5, 3] },
      { name: 'l/lstm_cell/kernel', shape: [3, 8] },
      { name: 'l/lstm_cell/recurrent_kernel', shape: [2, 8] },
      { name: 'l/lstm_cell/bias', shape: [8] },
      ...['forward_g', 'backward_g'].flatMap((half) => [
        { name: `b/${half}/kernel`, shape: [2, 6] },
        { name: `b/${half}/recurrent_kernel`, shape: [2, 6] },
        { name: `b/${half}/bias`, shape: [6] },
      ]),
      { name: 'd/kernel', shape: [4, 2] },
      { name: 'd/bias', shape: [2] },
    ],
  });

const functional = (layers: LayerJson[], ends: [unknown, unknown]) =>
  filesOf(
    writeModel({ layers, weights: [], ends: { input_layers: ends[0], output_layers: ends[1] } }),
  );
const node = (className: string, name: string, inbound: unknown, config = {}): LayerJson => ({
  ...layer(className, { name, ...config }),
  name,
  inbound_nodes: inbound,
});
const x = node('InputLayer', 'x', [], { batch_input_shape: [null, 3] });
const from = (name: string) => [[[name, 0, 0, {}]]];

/** The sound model with its JSON changed. */
const bent = (change: (json: ModelJson) => void): Files => {
  const model = sound();
  change(model.json);
  return filesOf(model);
};
const config = (json: ModelJson, i: number) =>
  json.modelTopology.model_config.config.layers[i]!.config;
const spec = (json: ModelJson, i: number) => json.weightsManifest[0]!.weights[i]!;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

interface Broken {
  readonly files: () => Files;
  readonly code: RnnErrorCode;
  readonly path: string;
  readonly message: RegExp;
  readonly limits?: Partial<ImportLimits>;
}

const INVALID = 'INVALID_MODEL' as const;
const UNSUPPORTED = 'UNSUPPORTED_OPERATOR' as const;
const SHAPE = 'SHAPE_MISMATCH' as const;
const LIMIT = 'LIMIT_EXCEEDED' as const;

const BROKEN: Readonly<Record<string, Broken>> = {
  'no files': {
    files: () => new Map(),
    code: INVALID,
    path: 'files',
    message: /expected one model.json/,
  },
  'no model among the files': {
    files: () =>
      new Map([
        ['vocab.json', text('{"a":1}')],
        ['weights.bin', new Uint8Array(4)],
      ]),
    code: INVALID,
    path: 'files',
    message: /vocab.json/,
  },
  'two models': {
    files: () => new Map([...filesOf(sound()), ['b.json', filesOf(sound()).get('model.json')!]]),
    code: INVALID,
    path: 'files',
    message: /model.json","b.json/,
  },
  'damaged JSON': {
    files: () => new Map([['model.json', filesOf(sound()).get('model.json')!.slice(0, 500)]]),
    code: INVALID,
    path: 'model.json',
    message: /damaged JSON \(Unterminated/,
  },
  'a graph model': {
    files: () => bent((json) => (json.format = 'graph-model')),
    code: UNSUPPORTED,
    path: 'model.json.format',
    message: /output_format=tfjs_layers_model/,
  },
  'a graph model that does not say so': {
    files: () => new Map([['m.json', text('{"modelTopology":{"node":[]},"weightsManifest":[]}')]]),
    code: UNSUPPORTED,
    path: 'm.json.format',
    message: /graph model/,
  },
  'no weights at all': {
    files: () => bent((json) => delete (json as Partial<ModelJson>).weightsManifest),
    code: INVALID,
    path: 'model.json.weightsManifest',
    message: /expected the weights/,
  },
  'a missing shard': {
    files: () => new Map([...filesOf(sound())].slice(0, 1)),
    code: INVALID,
    path: 'weightsManifest[0].paths[0]',
    message: /'weights.bin' is missing, got \["model.json"\]/,
  },
  'a short shard': {
    files: () => filesOf({ ...sound(), bytes: sound().bytes.slice(0, -4) }),
    code: INVALID,
    path: 'weightsManifest[0].paths',
    message: /got \d+ bytes in weights.bin, expected \d+ for the 12 weights/,
  },
  'a long shard': {
    files: () => filesOf({ ...sound(), bytes: new Uint8Array(sound().bytes.length + 1) }),
    code: INVALID,
    path: 'weightsManifest[0].paths',
    message: /got \d+ bytes/,
  },
  'a missing weight': {
    files: () => bent((json) => (spec(json, 3)['name'] = 'l/lstm_cell/other')),
    code: INVALID,
    path: "model.layers['l'].bias",
    message: /no such weight, got l\/lstm_cell\/kernel.*expected one of shape \[8\]/,
  },
  'a weight of another shape': {
    files: () => bent((json) => (spec(json, 10)['shape'] = [2, 4])),
    code: SHAPE,
    path: "model.layers['d'].kernel",
    message: /got shape \[2, 4\], expected \[4, 2\]/,
  },
  'units that lie': {
    files: () => bent((json) => (config(json, 1)['units'] = 2 ** 40)),
    code: SHAPE,
    path: "model.layers['l'].kernel",
    message: /got shape \[3, 8\], expected \[3, 4398046511104\]/,
  },
  'units that are none': {
    files: () => bent((json) => (config(json, 1)['units'] = -2)),
    code: INVALID,
    path: "model.layers['l'].units",
    message: /got -2, expected a whole number of at least 1/,
  },
  'weights that nobody takes': {
    files: () => bent((json) => (config(json, 3)['use_bias'] = false)),
    code: INVALID,
    path: 'weightsManifest',
    message: /no layer takes: d\/bias/,
  },
  'a negative size': {
    files: () => bent((json) => (spec(json, 0)['shape'] = [-5, 3])),
    code: INVALID,
    path: "weightsManifest['e/embeddings'].dims[0]",
    message: /got -5/,
  },
  'a shape that is text': {
    files: () => bent((json) => (spec(json, 0)['shape'] = ['5', 3])),
    code: INVALID,
    path: "weightsManifest['e/embeddings'].dims[0]",
    message: /got "5", expected a whole number/,
  },
  'weights of text': {
    files: () => bent((json) => (spec(json, 0)['dtype'] = 'string')),
    code: INVALID,
    path: "weightsManifest['e/embeddings'].dtype",
    message: /got string, expected float32/,
  },
  'quantisation without a scale': {
    files: () => bent((json) => (spec(json, 0)['quantization'] = { dtype: 'uint8', min: 0 })),
    code: INVALID,
    path: 'weightsManifest[0].weights[0].quantization.scale',
    message: /got nothing, expected a number/,
  },
  'a layer that is not known': {
    files: () =>
      bent((json) => (json.modelTopology.model_config.config.layers[1]!.class_name = 'Lambda')),
    code: UNSUPPORTED,
    path: "model.layers['l']",
    message: /layer 'l' is of class Lambda, expected one of .*Bidirectional.*LSTM.*TimeDistributed/,
  },
  'a class that every object has': {
    files: () =>
      bent(
        (json) => (json.modelTopology.model_config.config.layers[1]!.class_name = 'constructor'),
      ),
    code: UNSUPPORTED,
    path: "model.layers['l']",
    message: /class constructor/,
  },
  'a cell of its own making': {
    files: () =>
      bent((json) => {
        const rnn = layer('RNN', { cell: layer('Custom>MyCell', { units: 2 }), name: 'l' });
        json.modelTopology.model_config.config.layers[1] = rnn;
      }),
    code: UNSUPPORTED,
    path: "model.layers['l'].cell",
    message: /Custom>MyCell, expected SimpleRNNCell, GRUCell, LSTMCell/,
  },
  'an activation that is not known': {
    files: () => bent((json) => (config(json, 3)['activation'] = '__proto__')),
    code: UNSUPPORTED,
    path: "model.layers['d'].activation",
    message: /expected .*softmax/,
  },
  'softmax inside a cell': {
    files: () => bent((json) => (config(json, 1)['activation'] = 'softmax')),
    code: UNSUPPORTED,
    path: "model.layers['l'].activation",
    message: /inside a recurrent cell, expected .*tanh/,
  },
  'a merge mode that is not known': {
    files: () => bent((json) => (config(json, 2)['merge_mode'] = 'max')),
    code: INVALID,
    path: "model.layers['b'].merge_mode",
    message: /got "max", expected concat or sum or mul or ave/,
  },
  'a wrapped layer without its config': {
    files: () => bent((json) => (config(json, 2)['layer'] = { class_name: 'GRU' })),
    code: INVALID,
    path: "model.layers['b'].layer.config",
    message: /expected an object/,
  },
  'a model without a shape': {
    files: () => bent((json) => json.modelTopology.model_config.config.layers.shift()),
    code: INVALID,
    path: "model.layers['l'].batch_input_shape",
    message: /the shape of the input/,
  },
  'a model without layers': {
    files: () => bent((json) => (json.modelTopology.model_config.config.layers = [])),
    code: INVALID,
    path: 'model.layers',
    message: /at least one layer/,
  },
  'two layers of one name': {
    files: () => bent((json) => (config(json, 3)['name'] = 'l')),
    code: INVALID,
    path: 'model.layers[3]',
    message: /a name that no layer before has/,
  },
  'a model of its own class': {
    files: () => bent((json) => (json.modelTopology.model_config.class_name = 'MyModel')),
    code: UNSUPPORTED,
    path: 'model',
    message: /MyModel/,
  },
  'layers in a circle': {
    files: () =>
      functional(
        [
          x,
          node('Add', 'a', [
            [
              ['x', 0, 0, {}],
              ['b', 0, 0, {}],
            ],
          ]),
          node('Dropout', 'b', from('a')),
        ],
        [[['x', 0, 0]], [['b', 0, 0]]],
      ),
    code: INVALID,
    path: "model.layers['b']",
    message: /'b' reads what depends on its own output.*without a circle/,
  },
  'a layer fed by nobody': {
    files: () =>
      functional([x, node('Dropout', 'b', from('gone'))], [[['x', 0, 0]], [['b', 0, 0]]]),
    code: INVALID,
    path: "model.layers['b'].inbound_nodes",
    message: /\["gone",0,0\]/,
  },
  'an output that the layer has not': {
    files: () => functional([x, node('Dropout', 'b', from('x'))], [[['x', 0, 0]], [['b', 0, 2]]]),
    code: INVALID,
    path: 'model.output_layers',
    message: /\["b",0,2\], expected an output/,
  },
  'an input that is no InputLayer': {
    files: () => functional([x, node('Dropout', 'b', from('x'))], [[['b', 0, 0]], [['b', 0, 0]]]),
    code: INVALID,
    path: 'input_layers',
    message: /got "b"/,
  },
  'a value handed to an argument that is not known': {
    files: () =>
      functional(
        [x, node('Dropout', 'b', [[['x', 0, 0, { value: ['x', 0, 0] }]]])],
        [[['x', 0, 0]], [['b', 0, 0]]],
      ),
    code: UNSUPPORTED,
    path: "model.layers['b'].inbound_nodes[0].value",
    message: /initial_state or mask/,
  },
  'shapes that do not go together': {
    files: () => {
      const y = node('InputLayer', 'y', [], { batch_input_shape: [null, 4] });
      const add = node('Add', 'a', [
        [
          ['x', 0, 0, {}],
          ['y', 0, 0, {}],
        ],
      ]);
      return functional(
        [x, y, add],
        [
          [
            ['x', 0, 0],
            ['y', 0, 0],
          ],
          [['a', 0, 0]],
        ],
      );
    },
    code: SHAPE,
    path: "model.layers['a']",
    message: /got sizes 3 and 4/,
  },
  'a mask that lingers over a sequence of another length': {
    files: () =>
      filesOf(
        writeModel({
          version: 'tfjs-layers 4.22.0',
          layers: [
            layer('Masking', { name: 'm', batch_input_shape: [null, 5, 2] }),
            layer('LSTM', { units: 1, name: 'p' }),
            layer('RepeatVector', { n: 3, name: 'r' }),
            layer('LSTM', { units: 1, name: 'q' }),
          ],
          weights: ['p', 'q'].flatMap((name) => [
            { name: `${name}/kernel`, shape: [name === 'p' ? 2 : 1, 4] },
            { name: `${name}/recurrent_kernel`, shape: [1, 4] },
            { name: `${name}/bias`, shape: [4] },
          ]),
        }),
      ),
    code: UNSUPPORTED,
    path: "model.layers['q'].mask",
    message: /the mask of 5 steps.*the sequence has 3/,
  },
  'brackets without end': {
    files: () =>
      new Map([
        ['model.json', text('{"modelTopology":' + '['.repeat(1e5) + ']'.repeat(1e5) + '}')],
      ]),
    code: LIMIT,
    path: 'model.json',
    message: /maxDepth/,
  },
  'too many bytes': {
    files: () => filesOf(sound()),
    limits: { maxBytes: 100 },
    code: LIMIT,
    path: "files['model.json']",
    message: /maxBytes/,
  },
  'too large a weight': {
    files: () => bent((json) => (spec(json, 0)['shape'] = [2 ** 20, 2 ** 20])),
    code: LIMIT,
    path: "weightsManifest['e/embeddings'].dims",
    message: /maxElements/,
  },
  'models within models that double each time': {
    files: () => {
      let inner: LayerJson = layer('Dropout', { rate: 0, name: 'n0' });
      for (let i = 1; i < 20; i++) {
        const first = i === 1 ? 0 : 1; // a model counts its own making as call 0
        inner = layer('Functional', {
          name: `n${i}`,
          layers: [
            x,
            {
              ...inner,
              name: `n${i - 1}`,
              inbound_nodes: [...from('x'), [[`n${i - 1}`, first, 0, {}]]],
            },
          ],
          input_layers: [['x', 0, 0]],
          output_layers: [[`n${i - 1}`, first + 1, 0]],
        });
      }
      return functional(
        [x, { ...inner, inbound_nodes: from('x') }],
        [[['x', 0, 0]], [['n19', 1, 0]]],
      );
    },
    limits: { maxDepth: 1000, maxNodes: 10_000 },
    code: LIMIT,
    path: '',
    message: /maxNodes/,
  },
};

describe('broken files', () => {
  it('the model that they are made from is sound', () => {
    expect(importTfjs(filesOf(sound())).outputs.map(({ name }) => name)).toEqual(['d']);
  });

  it.for(Object.entries(BROKEN))('%s', ([, { files, code, path, message, limits }]) => {
    let error: unknown;
    try {
      importTfjs(files(), { limits });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RnnError);
    const { code: gotCode, path: gotPath, message: gotMessage } = error as RnnError;
    expect(gotMessage).toMatch(message);
    expect({ code: gotCode, path: path === '' ? '' : gotPath }).toEqual({ code, path });
  });

  const STRANGE = [
    null,
    true,
    -1,
    0,
    1.5,
    2 ** 31,
    1e300,
    '',
    'softmax',
    'constructor',
    [],
    [[]],
    {},
    [null],
  ];

  /** Replaces, removes or doubles something anywhere in the JSON. */
  function bend(value: unknown, random: Random): unknown {
    if (typeof value !== 'object' || value === null || random.chance(0.08))
      return random.pick(STRANGE);
    if (Array.isArray(value)) {
      const i = random.int(0, Math.max(value.length - 1, 0));
      if (value.length === 0 || random.chance(0.1)) return [...value, ...value];
      return random.chance(0.1) ? value.toSpliced(i, 1) : value.with(i, bend(value[i], random));
    }
    const keys = Object.keys(value);
    const key = random.pick(keys.length > 0 ? keys : ['x']);
    const copy: Record<string, unknown> = { ...value };
    if (random.chance(0.08)) delete copy[key];
    else copy[key] = bend(copy[key], random);
    return copy;
  }

  it('whatever is changed, the result is a graph or an RnnError', () => {
    const counts = { read: 0, refused: 0 };
    for (let i = 0; i < 2000; i++) {
      const random = randomOf(SEED * 10_000 + i);
      const model = sound();
      let json: unknown = model.json;
      for (let n = random.int(1, 2); n > 0; n--) json = bend(json, random);
      try {
        importTfjs(filesOf({ json, bytes: model.bytes }));
        counts.read++;
      } catch (error) {
        if (!(error instanceof RnnError))
          throw new Error(`change ${i}: ${String(error)}`, { cause: error });
        counts.refused++;
      }
    }
    // Some changes mean nothing, such as those of an initializer; most must be noticed.
    expect(counts.read).toBeGreaterThan(20);
    expect(counts.refused).toBeGreaterThan(1000);
  });
});
