// What stands around recurrent layers in Keras files, against its formulas in float64, and the ways
// in which files name the weights of layers.
import { describe, expect, it } from 'vitest';
import { importKeras } from '../../src/import/keras/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { layer as rnn, multiply, type Rows } from './keras-formulas.ts';
import { FORMATS, functional, namesOf, numbersOf } from './keras-models.ts';
import { randomCell, randomSequences, writeModel } from './keras-models.ts';
import type { BothWeights, ModelJson } from './keras-models.ts';
import { runModel } from './keras-run.ts';
import { writeH5, writeKeras, writeZip, type Numbers } from './keras-writer.ts';

const random = randomOf(SEED);
const numbers = numbersOf(random);

const matrix = ({ dims, data }: Numbers): Rows =>
  Array.from({ length: dims[0]! }, (_, i) =>
    Array.from({ length: dims[1]! }, (__, j) => data[i * dims[1]! + j]!),
  );

const NONE: BothWeights = { placed: {}, named: {} };

describe.each(FORMATS)('other layers in %s files', (format) => {
  it('normalisations, a convolution and a dense layer, each step by itself', async () => {
    const [gamma, beta, mean] = [numbers(3), numbers(3), numbers(3)];
    const variance = { dims: [3], data: random.floats(3).map((x) => x * x + 0.1) };
    const [kernel, bias] = [numbers(2, 3, 4), numbers(4)];
    const [scale, shift] = [numbers(4), numbers(4)];
    const [W, b] = [numbers(4, 2), numbers(2)];
    const model: ModelJson = {
      inputs: { x: [null, 5, 3] },
      layers: [
        { class_name: 'BatchNormalization', name: 'bn', config: { epsilon: 0.01 }, from: ['x'] },
        {
          class_name: 'Conv1D',
          name: 'conv',
          config: { filters: 4, kernel_size: [2], padding: 'causal', activation: 'relu' },
          from: ['bn'],
        },
        { class_name: 'LayerNormalization', name: 'ln', config: { axis: [-1] }, from: ['conv'] },
        {
          class_name: 'TimeDistributed',
          name: 'td',
          config: { layer: { class_name: 'Dense', config: { name: 'inner', units: 2 } } },
          from: ['ln'],
        },
        { class_name: 'Rescaling', name: 'rs', config: { scale: 2, offset: -1 }, from: ['td'] },
        { class_name: 'UnitNormalization', name: 'un', config: { axis: -1 }, from: ['rs'] },
      ],
      outputs: ['un'],
    };
    const weights: BothWeights = {
      placed: {
        'layers/batch_normalization': [gamma, beta, mean, variance],
        'layers/conv1d': [kernel, bias],
        'layers/layer_normalization': [scale, shift],
        'layers/time_distributed/layer': [W, b],
      },
      named: {
        bn: {
          'bn/gamma:0': gamma,
          'bn/beta:0': beta,
          'bn/moving_mean:0': mean,
          'bn/moving_variance:0': variance,
        },
        conv: { 'conv/kernel:0': kernel, 'conv/bias:0': bias },
        ln: { 'ln/gamma:0': scale, 'ln/beta:0': shift },
        td: { 'td/kernel:0': W, 'td/bias:0': b },
      },
    };
    const { x } = randomSequences(random, [2, 5, 3], false);
    const expected = x.map((row) => {
      const normal = row.map((step) =>
        step.map(
          (value, c) =>
            (gamma.data[c]! * (value - mean.data[c]!)) / Math.sqrt(variance.data[c]! + 0.01) +
            beta.data[c]!,
        ),
      );
      return normal.map((step, t) => {
        const window = [...(normal[t - 1] ?? [0, 0, 0]), ...step];
        const flat = matrix({ dims: [6, 4], data: kernel.data });
        const conv = multiply([window], flat)[0]!.map((v, f) => Math.max(0, v + bias.data[f]!));
        const average = conv.reduce((a, v) => a + v, 0) / 4;
        const spread = conv.reduce((a, v) => a + (v - average) ** 2, 0) / 4;
        const level = conv.map(
          (v, f) => ((v - average) / Math.sqrt(spread + 1e-3)) * scale.data[f]! + shift.data[f]!,
        );
        const y = multiply([level], matrix(W))[0]!.map((v, f) => 2 * (v + b.data[f]!) - 1);
        const length = Math.sqrt(y.reduce((a, v) => a + v * v, 0));
        return y.map((v) => v / length);
      });
    });
    const [got] = await runModel(model, weights, format, { x });
    expectClose(got!, expected.flat(2), { atol: 1e-6 });
  });

  it('an Embedding whose zeros a recurrent layer leaves out, and a model within a model', async () => {
    const { cell, config, weights } = randomCell(random, 'GRU', 3, format, { resetAfter: true });
    const table = numbers(5, 3);
    const inner = functional(
      {
        inputs: { ids: [null, null] },
        layers: [
          {
            class_name: 'Embedding',
            name: 'e',
            config: { input_dim: 5, output_dim: 3, mask_zero: true },
            from: ['ids'],
          },
          { class_name: 'GRU', name: 'g', config, from: ['e'] },
        ],
        outputs: ['g'],
      },
      format,
    ) as { class_name: string; config: Record<string, unknown> };
    const model: ModelJson = {
      inputs: { x: [null, null] },
      layers: [{ class_name: inner.class_name, name: 'inside', config: inner.config, from: ['x'] }],
      outputs: ['inside'],
    };
    const both: BothWeights = {
      placed: {
        'layers/functional/layers/embedding': [table],
        'layers/functional/layers/gru/cell': weights,
        // Seeds are stored next to the weights and are none.
        'layers/functional/layers/gru/cell/seed_generator': [
          { dims: [2], data: [7, 9], dtype: '<i4' },
        ],
      },
      named: { inside: { 'e/embeddings:0': table, ...namesOf('g/gru_cell', weights) } },
    };
    const ids = [
      [1, 0, 4, 2, 0],
      [0, 0, 3, 0, 1],
    ];
    const graph = await importKeras(await writeModel(model, both, format));
    const name = graph.inputs[0]!.name;
    const feed =
      graph.inputs[0]!.type === 'int32'
        ? tensor(Int32Array.from(ids.flat()), [2, 5])
        : tensor(Float32Array.from(ids.flat()), [2, 5]);
    const [y] = [...runReference(graph, { [name]: feed }).values()];
    const rows = matrix(table);
    const expected = ids.flatMap(
      (row) =>
        rnn(
          [cell],
          row.map((id) => rows[id]!),
          { mask: row.map((id) => id !== 0) },
        ).last,
    );
    expectClose(y!.data, expected, { atol: 1e-6 });
  });

  it('statistics of the training data, from the config or from the file', async () => {
    const [mean, variance] = [numbers(3), { dims: [3], data: [0.5, 2, 0] }];
    const { x } = randomSequences(random, [1, 2, 3], false);
    const scaled = x.flat(2).map((value, i) => {
      const c = i % 3;
      return (value - mean.data[c]!) / Math.max(Math.sqrt(variance.data[c]!), 1e-7);
    });
    for (const given of [false, true]) {
      const config = given
        ? { axis: [-1], mean: [Array.from(mean.data)], variance: [variance.data] }
        : { axis: [-1], mean: null, variance: null };
      const model: ModelJson = {
        inputs: { x: [null, 2, 3] },
        layers: [{ class_name: 'Normalization', name: 'n', config, from: ['x'] }],
        outputs: ['n'],
      };
      const count: Numbers = { dims: [1], data: [12], dtype: '<i4' };
      const weights: BothWeights = {
        placed: { 'layers/normalization': [mean, variance, count] },
        named: { n: { 'mean:0': mean, 'variance:0': variance, 'count:0': count } },
      };
      const [got] = await runModel(model, given ? NONE : weights, format, { x });
      // Where the variance is zero the numbers are of order 10^7.
      expectClose(got!, scaled, { atol: 1e-6, rtol: 1e-6 });
    }
  });
});

describe('names of weights', () => {
  const { cell, config, weights } = randomCell(random, 'LSTM', 3, '.h5', { units: 2 });
  const second = randomCell(random, 'LSTM', 2, '.h5', { units: 2 });
  const json = {
    class_name: 'Sequential',
    config: {
      name: 'm',
      layers: [
        { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, 4, 3] } },
        // Names that count as if there were a layer before them: places do not care.
        { class_name: 'LSTM', config: { name: 'lstm_1', ...config, return_sequences: true } },
        { class_name: 'LSTM', config: { name: 'lstm', ...second.config } },
      ],
    },
  };
  const { x } = randomSequences(random, [1, 4, 3], false);
  const expected = rnn([second.cell], rnn([cell], x[0]!).sequence).last;

  const expectNumbers = async (bytes: Uint8Array): Promise<void> => {
    const graph = await importKeras(bytes);
    const X = tensor(Float32Array.from(x.flat(2)), [1, 4, 3]);
    const [y] = [...runReference(graph, { x: X }).values()];
    expectClose(y!.data, expected, { atol: 1e-6 });
  };

  it('layers of an archive are counted by class, not called by name', async () => {
    const placed = { 'layers/lstm/cell': weights, 'layers/lstm_1/cell': second.weights };
    await expectNumbers(await writeKeras(json, placed, '2.15.0'));
  });

  it('TensorFlow 2.12 has another folder, and gaps in its numbers', async () => {
    const folder = '_layer_checkpoint_dependencies';
    const placed = { [`${folder}/lstm/cell`]: weights, [`${folder}/lstm_2/cell`]: second.weights };
    await expectNumbers(await writeKeras(json, placed, '2.12.0'));
  });

  it('lists of names may be spread over several attributes', async () => {
    const list = (layer: string, path: string, all: readonly Numbers[]) => ({
      attrs: Object.fromEntries(
        Object.keys(namesOf(path, all)).map((name, i) => [`weight_names${i}`, [name]]),
      ),
      groups: {
        [layer]: {
          datasets: Object.fromEntries(
            Object.entries(namesOf('', all)).map(([name, w]) => [name.slice(1), w]),
          ),
        },
      },
    });
    const tree = {
      attrs: { model_config: JSON.stringify(json), keras_version: '2.15.0' },
      groups: {
        model_weights: {
          attrs: { layer_names0: ['lstm_1'], layer_names1: ['lstm'] },
          groups: {
            lstm_1: list('lstm_1', 'lstm_1', weights),
            lstm: list('lstm', 'lstm', second.weights),
          },
        },
      },
    };
    await expectNumbers(await writeH5(tree));
  });

  it('weights in another format than HDF5 are refused with the way out', async () => {
    const bytes = writeZip([
      { name: 'metadata.json', bytes: '{"keras_version": "3.8.0"}' },
      { name: 'config.json', bytes: JSON.stringify(json) },
      { name: 'model.weights.npz', bytes: '' },
    ]);
    await expect(importKeras(bytes)).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'model:model.weights.h5',
      message: expect.stringMatching(/weights_format="h5"/) as string,
    });
  });
});
