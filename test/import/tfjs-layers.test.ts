// Layers around the recurrent ones, and models of every shape, as TF.js computes them.
import { beforeAll, describe, expect, it } from 'vitest';
import { importTfjs } from '../../src/import/tfjs/index.ts';
import { streamGraph } from '../../src/backends/stateful-graph.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { expectClose } from '../support/close.ts';
import {
  edited,
  expectSame,
  randomize,
  reference,
  save,
  tf,
  useTfjs,
  type Fed,
} from './tfjs-oracle.ts';

beforeAll(useTfjs);

const random = randomOf(SEED);
const numbers = (...dims: number[]): Fed => ({
  data: random.floats(
    dims.reduce((a, b) => a * b, 1),
    2,
  ),
  dims,
});
const L = tf.layers;

/** A layer and the shape of its input, the batch left out. */
const LAYERS: Readonly<Record<string, readonly [() => tf.layers.Layer, readonly number[]]>> = {
  dense: [() => L.dense({ units: 4, activation: 'tanh' }), [3]],
  'dense without bias': [() => L.dense({ units: 4, useBias: false, activation: 'selu' }), [3]],
  'dense over time': [() => L.dense({ units: 4, activation: 'softmax' }), [5, 3]],
  'dense over two axes': [() => L.dense({ units: 2, activation: 'hardSigmoid' }), [2, 5, 3]],
  flatten: [() => L.flatten(), [2, 5, 3]],
  reshape: [() => L.reshape({ targetShape: [3, 10] }), [2, 5, 3]],
  'reshape with a free size': [() => L.reshape({ targetShape: [5, null as never] }), [10, 3]],
  permute: [() => L.permute({ dims: [3, 1, 2] }), [2, 5, 3]],
  repeatVector: [() => L.repeatVector({ n: 4 }), [3]],
  dropout: [() => L.dropout({ rate: 0.5 }), [3]],
  spatialDropout1d: [() => L.spatialDropout1d({ rate: 0.5 }), [5, 3]],
  gaussianNoise: [() => L.gaussianNoise({ stddev: 1 }), [3]],
  gaussianDropout: [() => L.gaussianDropout({ rate: 0.5 }), [3]],
  alphaDropout: [() => L.alphaDropout({ rate: 0.5 }), [3]],
  reLU: [() => L.reLU(), [6]],
  'reLU with a limit': [() => L.reLU({ maxValue: 1 }), [6]],
  leakyReLU: [() => L.leakyReLU(), [6]],
  'leakyReLU with alpha': [() => L.leakyReLU({ alpha: 0.1 }), [6]],
  elu: [() => L.elu(), [6]],
  prelu: [() => L.prelu(), [5, 3]],
  'prelu shared over time': [() => L.prelu({ sharedAxes: [1] }), [5, 3]],
  thresholdedReLU: [() => L.thresholdedReLU({ theta: 0.5 }), [6]],
  softmax: [() => L.softmax({ axis: -1 }), [5, 3]],
  'softmax by default': [() => L.softmax(), [5]],
  batchNormalization: [() => L.batchNormalization(), [5, 3]],
  'batchNormalization with epsilon': [() => L.batchNormalization({ epsilon: 0.1 }), [5, 3]],
  'batchNormalization plain': [() => L.batchNormalization({ scale: false, center: false }), [3]],
  layerNormalization: [() => L.layerNormalization(), [5, 3]],
  'layerNormalization plain': [() => L.layerNormalization({ scale: false, center: false }), [3]],
  'layerNormalization over two axes': [() => L.layerNormalization({ axis: [1, 2] }), [5, 3]],
  conv2d: [() => L.conv2d({ filters: 4, kernelSize: 3 }), [6, 7, 3]],
  'conv2d of a wide window': [
    () => L.conv2d({ filters: 2, kernelSize: [3, 2], dilationRate: [2, 1], activation: 'relu' }),
    [7, 6, 3],
  ],
  'conv2d same': [
    () => L.conv2d({ filters: 2, kernelSize: [4, 3], padding: 'same', useBias: false }),
    [6, 7, 3],
  ],
  'conv2d same with stride': [
    () => L.conv2d({ filters: 2, kernelSize: 3, padding: 'same', strides: [2, 1] }),
    [6, 7, 3],
  ],
  'conv2d channels first': [
    () => L.conv2d({ filters: 4, kernelSize: 2, dataFormat: 'channelsFirst' }),
    [3, 6, 7],
  ],
  maxPooling2d: [() => L.maxPooling2d({}), [6, 7, 3]],
  'maxPooling2d of one axis': [() => L.maxPooling2d({ poolSize: [2, 1] }), [6, 7, 3]],
  'maxPooling2d same with stride': [
    () => L.maxPooling2d({ poolSize: 3, strides: [2, 3], padding: 'same' }),
    [6, 7, 3],
  ],
  averagePooling2d: [() => L.averagePooling2d({ poolSize: [2, 3], strides: 1 }), [6, 7, 3]],
  globalMaxPooling2d: [() => L.globalMaxPooling2d({}), [6, 7, 3]],
  globalAveragePooling2d: [() => L.globalAveragePooling2d({}), [6, 7, 3]],
  zeroPadding2d: [
    () =>
      L.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 3],
        ] as never,
      }),
    [4, 5, 2],
  ],
  'batchNormalization of an image': [() => L.batchNormalization(), [4, 5, 3]],
  'conv2d over time': [
    () => L.timeDistributed({ layer: L.conv2d({ filters: 2, kernelSize: 2 }) }),
    [3, 4, 5, 2],
  ],
  'maxPooling2d over time': [
    () => L.timeDistributed({ layer: L.maxPooling2d({}) as never }),
    [3, 4, 5, 2],
  ],
  conv1d: [() => L.conv1d({ filters: 4, kernelSize: 3 }), [7, 3]],
  'conv1d same': [
    () => L.conv1d({ filters: 4, kernelSize: 4, padding: 'same', activation: 'relu' }),
    [7, 3],
  ],
  'conv1d same with stride': [
    () => L.conv1d({ filters: 4, kernelSize: 4, padding: 'same', strides: 2 }),
    [7, 3],
  ],
  'conv1d with stride': [
    () => L.conv1d({ filters: 4, kernelSize: 3, strides: 2, useBias: false }),
    [8, 3],
  ],
  'conv1d dilated': [() => L.conv1d({ filters: 4, kernelSize: 3, dilationRate: 2 }), [7, 3]],
  'conv1d dilated same': [
    () => L.conv1d({ filters: 2, kernelSize: 3, dilationRate: 2, padding: 'same' }),
    [7, 3],
  ],
  maxPooling1d: [() => L.maxPooling1d({ poolSize: 2 }), [7, 3]],
  'maxPooling1d same': [() => L.maxPooling1d({ poolSize: 3, strides: 2, padding: 'same' }), [7, 3]],
  'maxPooling1d overlapping': [() => L.maxPooling1d({ poolSize: 3, strides: 1 }), [7, 3]],
  averagePooling1d: [() => L.averagePooling1d({ poolSize: 3 }), [7, 3]],
  'averagePooling1d same': [
    () => L.averagePooling1d({ poolSize: 3, strides: 2, padding: 'same' }),
    [8, 3],
  ],
  globalMaxPooling1d: [() => L.globalMaxPooling1d(), [5, 3]],
  globalAveragePooling1d: [() => L.globalAveragePooling1d(), [5, 3]],
  'timeDistributed dense': [() => L.timeDistributed({ layer: L.dense({ units: 2 }) }), [5, 3]],
  'timeDistributed activation': [
    () => L.timeDistributed({ layer: L.activation({ activation: 'relu' }) }),
    [5, 3],
  ],
  'timeDistributed flatten': [() => L.timeDistributed({ layer: L.flatten() }), [5, 2, 3]],
  'timeDistributed conv1d': [
    () => L.timeDistributed({ layer: L.conv1d({ filters: 2, kernelSize: 2 }) }),
    [3, 5, 2],
  ],
  'timeDistributed lstm': [
    () => L.timeDistributed({ layer: L.lstm({ units: 2, returnSequences: true }) }),
    [3, 5, 2],
  ],
  'timeDistributed gru': [() => L.timeDistributed({ layer: L.gru({ units: 2 }) }), [3, 5, 2]],
  'timeDistributed bidirectional': [
    () =>
      L.timeDistributed({
        layer: L.bidirectional({ layer: L.gru({ units: 2 }) as tf.RNN, mergeMode: 'concat' }),
      }),
    [3, 5, 2],
  ],
  masking: [() => L.masking({ maskValue: 1 }), [5, 3]],
};

describe('layers compute as in TF.js', () => {
  it.for(Object.entries(LAYERS))('%s', async ([, [make, shape]]) => {
    const x = tf.input({ shape: [...shape] });
    const model = tf.model({ inputs: x, outputs: make().apply(x) as tf.SymbolicTensor });
    randomize(model, random);
    await expectSame(model, [numbers(2, ...shape)]);
  });

  it.for([
    'elu',
    'selu',
    'relu',
    'relu6',
    'linear',
    'sigmoid',
    'hardSigmoid',
    'softplus',
    'softsign',
    'tanh',
    'softmax',
    'logSoftmax',
    'swish',
    'mish',
    'gelu',
    'gelu_new',
  ] as const)('activation %s', async (activation) => {
    const model = tf.sequential({
      layers: [L.activation({ activation: activation as 'relu', inputShape: [4, 3] })],
    });
    // TF.js approximates erf to 1.5e-7.
    await expectSame(model, [numbers(2, 4, 3)]);
  });

  it.for(['conv1d', 'maxPooling1d', 'timeDistributed lstm', 'globalAveragePooling1d', 'masking'])(
    '%s over a free length',
    async (name) => {
      const [make, [time, ...rest]] = LAYERS[name]!;
      const x = tf.input({ shape: [null, ...rest] });
      const model = tf.model({ inputs: x, outputs: make().apply(x) as tf.SymbolicTensor });
      randomize(model, random);
      await expectSame(model, [numbers(3, time! + 2, ...rest)]);
    },
  );
});

describe('joining layers compute as in TF.js', () => {
  const JOINS = {
    add: () => L.add(),
    multiply: () => L.multiply(),
    average: () => L.average(),
    maximum: () => L.maximum(),
    minimum: () => L.minimum(),
    concatenate: () => L.concatenate(),
    'concatenate over time': () => L.concatenate({ axis: 1 }),
  };
  it.for(Object.entries(JOINS))('%s', async ([, make]) => {
    const inputs = [0, 1, 2].map(() => tf.input({ shape: [5, 3] }));
    const model = tf.model({ inputs, outputs: make().apply(inputs) as tf.SymbolicTensor });
    await expectSame(model, [numbers(2, 5, 3), numbers(2, 5, 3), numbers(2, 5, 3)]);
  });

  it('add, with shapes that broadcast', async () => {
    const inputs = [tf.input({ shape: [5, 3] }), tf.input({ shape: [3] })];
    const model = tf.model({ inputs, outputs: L.add().apply(inputs) as tf.SymbolicTensor });
    await expectSame(model, [numbers(2, 5, 3), numbers(2, 3)]);
  });

  it.for([
    [[3], [3], 1, false],
    [[3], [3], -1, true],
    [[5, 3], [4, 3], 2, false],
    [[5, 3], [3, 4], [2, 1], false],
    [[3, 5], [3, 4], 1, true],
    [[5, 3], [3], [2, 1], false],
    [[3], [5, 3], [1, 2], false],
  ] as const)('dot of %j and %j over %j, normalised %s', async ([a, b, axes, normalize]) => {
    const inputs = [tf.input({ shape: [...a] }), tf.input({ shape: [...b] })];
    const layer = L.dot({ axes: axes as never, normalize });
    const model = tf.model({ inputs, outputs: layer.apply(inputs) as tf.SymbolicTensor });
    await expectSame(model, [numbers(2, ...a), numbers(2, ...b)]);
  });
});

describe('models', () => {
  it('share layers between calls, and keep one copy of the weights', async () => {
    const [a, b] = [tf.input({ shape: [5, 3], name: 'a' }), tf.input({ shape: [5, 3], name: 'b' })];
    const shared = L.lstm({ units: 4 });
    const both = [shared.apply(a), shared.apply(b)] as tf.SymbolicTensor[];
    const model = tf.model({
      inputs: [a, b],
      outputs: [L.add().apply(both) as tf.SymbolicTensor, ...both],
    });
    randomize(model, random);
    const graph = await expectSame(model, [numbers(2, 5, 3), numbers(2, 5, 3)]);
    expect(graph.nodes.filter(({ op }) => op === 'Recurrent')).toHaveLength(2);
    expect([...graph.constants.keys()].filter((name) => name.endsWith('/R'))).toHaveLength(1);
  });

  it('stand within one another', async () => {
    const inner = tf.sequential({
      layers: [
        L.gru({ units: 3, inputShape: [5, 2], returnSequences: true }),
        L.dense({ units: 2 }),
      ],
    });
    const x = tf.input({ shape: [5, 2] });
    const once = inner.apply(x) as tf.SymbolicTensor;
    const twice = inner.apply(once) as tf.SymbolicTensor;
    const middle = tf.model({ inputs: x, outputs: [twice, once] });
    const y = tf.input({ shape: [5, 2], name: 'y' });
    const [p, q] = middle.apply(y) as tf.SymbolicTensor[];
    const end = L.simpleRNN({ units: 3 }).apply(
      L.concatenate().apply([p!, q!]),
    ) as tf.SymbolicTensor;
    const model = tf.model({ inputs: y, outputs: end });
    randomize(model, random);
    await expectSame(model, [numbers(2, 5, 2)]);
  });

  it('begin with a model', async () => {
    const inner = tf.sequential({ layers: [L.lstm({ units: 3, inputShape: [5, 2] })] });
    const model = tf.sequential({ layers: [inner, L.dense({ units: 2 })] });
    randomize(model, random);
    await expectSame(model, [numbers(2, 5, 2)], { shards: 4 });
  });

  it('give an input back, and one value twice', async () => {
    const x = tf.input({ shape: [3], name: 'x' });
    const y = L.dense({ units: 2, name: 'y' }).apply(x) as tf.SymbolicTensor;
    const model = tf.model({
      inputs: x,
      outputs: [y, L.dropout({ rate: 0.1, name: 'z' }).apply(y) as never],
    });
    randomize(model, random);
    const graph = await expectSame(model, [numbers(2, 3)]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['y', 'z']);
  });

  it('leave to a stream the state of their own layers only', async () => {
    const model = tf.sequential({
      layers: [
        L.timeDistributed({ layer: L.lstm({ units: 2 }), inputShape: [null, 5, 2] as never }),
        L.gru({ units: 3, name: 'outer', returnSequences: true }),
      ],
    });
    const graph = importTfjs(await save(model));
    // What TimeDistributed wraps begins anew with every step.
    expect(streamGraph(graph, {}).slots.map(({ input }) => input)).toEqual(['outer.h']);
  });

  it('keep the batch size that a stateful layer fixes', async () => {
    const model = tf.sequential({
      layers: [
        L.gru({ units: 3, batchInputShape: [2, 4, 3], stateful: true, returnSequences: true }),
      ],
    });
    randomize(model, random);
    const graph = await expectSame(model, [numbers(2, 4, 3)]);
    expect(graph.inputs[0]!.dims).toEqual([2, 4, 3]);
    expect(graph.outputs[0]!.dims).toEqual([2, 4, 3]);
  });

  it('read ids as integers wherever only an Embedding sees them', async () => {
    const ids = tf.input({ shape: [null as never], name: 'ids' });
    const other = tf.input({ shape: [4], name: 'other' });
    const table = L.embedding({ inputDim: 6, outputDim: 3 });
    const a = L.gru({ units: 2 }).apply(table.apply(ids)) as tf.SymbolicTensor;
    const b = L.flatten().apply(table.apply(other)) as tf.SymbolicTensor;
    const outputs = L.concatenate().apply([a, b, other]) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [ids, other], outputs });
    randomize(model, random);
    const fed = [5, 4].map((steps) => ({
      data: Array.from({ length: 2 * steps }, () => random.int(0, 5)),
      dims: [2, steps],
    }));
    const graph = await expectSame(model, fed);
    expect(graph.inputs.map(({ type }) => type)).toEqual(['int32', 'float32']);
    expect(graph.inputs[0]!.dims).toEqual(['batch', 'ids_time']);
  });
});

describe('weights', () => {
  const ENCODINGS = {
    uint8: [2 ** 8 - 1, (codes: number[]) => Uint8Array.from(codes)],
    uint16: [2 ** 16 - 1, (codes: number[]) => Uint16Array.from(codes)],
  } as const;

  it.for(['uint8', 'uint16'] as const)('are read from %s', async (dtype) => {
    const model = tf.sequential({ layers: [L.lstm({ units: 3, inputShape: [4, 2] })] });
    randomize(model, random);
    const [max, pack] = ENCODINGS[dtype];
    const [scale, min] = [2 / max, -1];
    const codes = model.weights.map(({ shape }) =>
      Array.from({ length: (shape as number[]).reduce((a, b) => a * b, 1) }, () =>
        random.int(0, max),
      ),
    );
    model.setWeights(
      model.weights.map(({ shape }, i) =>
        tf.tensor(
          codes[i]!.map((c) => c * scale + min),
          shape as number[],
        ),
      ),
    );
    const files = edited(await save(model), ({ weightsManifest: [group] }) => {
      for (const spec of group!.weights) spec['quantization'] = { dtype, scale, min };
    });
    const bytes = new Uint8Array(pack(codes.flat()).buffer);
    files.set('group1-shard1of1.bin', bytes);
    const input = numbers(2, 4, 2);
    const want = model.predict(tf.tensor(Float32Array.from(input.data), [2, 4, 2])) as tf.Tensor;
    expectClose(reference(importTfjs(files), [input])[0]!.data, want.dataSync());
  });

  it('are read from half precision', async () => {
    const model = tf.sequential({ layers: [L.dense({ units: 3, inputShape: [2] })] });
    const bits = [0x3c00, 0xc000, 0x3800, 0x3555, 0x8001, 0x0000, 0x4248, 0xbc00, 0x3c01]; // 1, -2, 0.5 …
    const values = [1, -2, 0.5, 0.333251953125, -(2 ** -24), 0, 3.140625, -1, 1.0009765625];
    const files = edited(await save(model), ({ weightsManifest: [group] }) => {
      for (const spec of group!.weights)
        spec['quantization'] = { dtype: 'float16', original_dtype: 'float32' };
    });
    files.set('group1-shard1of1.bin', new Uint8Array(Uint16Array.from(bits).buffer));
    const graph = importTfjs(files);
    const constants = [...graph.constants.values()].map(({ data }) => [...(data as Float32Array)]);
    expect(constants.flat()).toEqual(values);
  });

  it('are found in a file that lies at an odd place in memory', async () => {
    const model = tf.sequential({ layers: [L.dense({ units: 3, inputShape: [2] })] });
    randomize(model, random);
    const files = await save(model);
    const name = 'group1-shard1of1.bin';
    const bytes = files.get(name)!;
    const shifted = new Uint8Array(bytes.length + 1).subarray(1);
    shifted.set(bytes);
    const constants = (map: Map<string, Uint8Array>) =>
      [...importTfjs(map).constants.values()].flatMap(({ data }) => [...(data as Float32Array)]);
    expect(constants(new Map(files).set(name, shifted))).toEqual(constants(files));
  });
});

describe('convolutions before a recurrent layer', () => {
  it('an image whose columns are read as a sequence', async () => {
    const model = tf.sequential({
      layers: [
        L.conv2d({ filters: 4, kernelSize: 3, padding: 'same', inputShape: [8, 10, 1] }),
        L.batchNormalization(),
        L.reLU(),
        L.maxPooling2d({ poolSize: 2 }),
        L.permute({ dims: [2, 1, 3] }),
        L.reshape({ targetShape: [5, 16] }),
        L.bidirectional({
          layer: L.gru({ units: 3, returnSequences: true }) as never,
          mergeMode: 'concat',
        }),
        L.dense({ units: 4, activation: 'softmax' }),
      ],
    });
    randomize(model, random);
    await expectSame(model, [numbers(2, 8, 10, 1)]);
  });

  it('a film whose pictures are steps', async () => {
    const model = tf.sequential({
      layers: [
        L.timeDistributed({
          layer: L.conv2d({ filters: 2, kernelSize: 3, activation: 'relu' }),
          inputShape: [4, 6, 6, 1],
        }),
        L.timeDistributed({ layer: L.globalAveragePooling2d({}) as never }),
        L.lstm({ units: 3 }),
      ],
    });
    randomize(model, random);
    await expectSame(model, [numbers(2, 4, 6, 6, 1)]);
  });
});
