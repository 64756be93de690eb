// Files of Keras that hold more than the layers need, or less: weights without their layers, variables of metrics
// and optimizers, and layers of cuDNN.
import { describe, expect, it } from 'vitest';
import { importModel } from '../../src/import/index.ts';
import { importKeras } from '../../src/import/keras/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { GATES, layer as formula, FUNCTIONS, type Kind } from './keras-formulas.ts';
import { functional, numbersOf, type ModelJson } from './keras-models.ts';
import { archiveTree, legacyTree, writeH5, writeZip, type Numbers } from './keras-writer.ts';

const random = randomOf(13);
const numbers = numbersOf(random);
const [I, H, T] = [3, 4, 5];

/** One layer, of Keras 2. */
const modelOf = (className: string, name: string, config: object = {}): ModelJson => ({
  inputs: { x: [null, T, I] },
  layers: [{ class_name: className, name, config: { units: H, ...config }, from: ['x'] }],
  outputs: [name],
});
const lstm = modelOf('LSTM', 'lstm');
const weights = [numbers(I, 4 * H), numbers(H, 4 * H), numbers(4 * H)] as const;
const x = random.floats(T * I);
const rows = Array.from({ length: T }, (_, t) => [...x.subarray(t * I, (t + 1) * I)]);

/** The last output of a layer with weights of Keras. */
const expected = (kind: Kind, [kernel, recurrent, bias]: readonly Numbers[]): number[] => {
  const cell = {
    kind,
    inputs: I,
    units: H,
    activation: FUNCTIONS['tanh']!,
    gate: FUNCTIONS['sigmoid']!,
    resetAfter: true,
    kernel: kernel!.data,
    recurrent: recurrent!.data,
    bias: bias!.data,
  };
  return formula([cell], rows).last;
};

async function run(files: Readonly<Record<string, Uint8Array>>): Promise<ArrayLike<number>> {
  const graph = await importModel(new Map(Object.entries(files)));
  return [...runReference(graph, { x: tensor(x, [1, T, I]) }).values()][0]!.data;
}

const named = Object.fromEntries(
  ['kernel', 'recurrent_kernel', 'bias'].map((name, i) => [
    `lstm/lstm_cell/${name}:0`,
    weights[i]!,
  ]),
);
const json = (model: ModelJson, more: object = {}): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ ...functional(model, '.h5'), ...more }));

/** What save_weights of Keras 2 writes: the group of the weights as the root. */
const legacyWeights = () =>
  writeH5(legacyTree({}, { x: {}, lstm: named }).groups!['model_weights']!);

describe('weights without their layers', () => {
  it('of Keras 2, with the JSON of the model', async () => {
    const given = json(lstm, { keras_version: '2.15.0', backend: 'tensorflow' });
    const y = await run({ 'model.json': given, 'weights.h5': await legacyWeights() });
    expectClose(y, expected('LSTM', weights), { atol: 1e-6 });
  });

  it('of Keras 3, which names places', async () => {
    const file = await writeH5(archiveTree({ 'layers/lstm/cell': weights }));
    const given = new TextEncoder().encode(JSON.stringify(functional(lstm, '.keras')));
    const y = await run({ 'model.weights.h5': file, 'config.json': given });
    expectClose(y, expected('LSTM', weights), { atol: 1e-6 });
  });

  it('alone are refused, with what is missing', async () => {
    await expect(run({ 'weights.h5': await legacyWeights() })).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'weights.h5.model_config',
      message: expect.stringMatching(/the \.json file that model\.to_json\(\) gives/),
    });
  });

  it('with the JSON of something else are refused', async () => {
    const file = await legacyWeights();
    const other = new TextEncoder().encode('{"a": 1}');
    await expect(run({ 'weights.h5': file, 'a.json': other })).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'model.class_name',
    });
  });
});

describe('an archive with variables of the training', () => {
  const places = { 'layers/lstm/cell': weights };
  const archive = async (more: Readonly<Record<string, readonly Numbers[]>>, version = '2.15.0') =>
    writeZip([
      { name: 'metadata.json', bytes: JSON.stringify({ keras_version: version }) },
      { name: 'config.json', bytes: JSON.stringify(functional(lstm, '.keras')) },
      { name: 'model.weights.h5', bytes: await writeH5(archiveTree({ ...places, ...more })) },
    ]);

  it('of metrics and an optimizer is the model that it would be without', async () => {
    const scalars = [numbers(1), numbers(1)];
    const file = await archive({
      'metrics/mean': scalars,
      'metrics/mean_1': scalars,
      optimizer: weights,
    });
    expectClose(await run({ 'm.keras': file }), expected('LSTM', weights), { atol: 1e-6 });
  });

  it('of a layer that the model does not have is refused', async () => {
    const file = await archive({ 'layers/dense': [numbers(2, 2)] });
    await expect(importKeras(file)).rejects.toThrow(/got weights that no layer takes/);
  });
});

describe('layers of cuDNN', () => {
  /** [N, G·H] → the same numbers as cuDNN has them: those of each gate as [H, N], in an array [N, G·H]. */
  const forCudnn = ({ dims, data }: Numbers): Numbers => {
    const [N, width] = dims as [number, number];
    const result = new Float32Array(data.length);
    for (let gate = 0; gate * H < width; gate++) {
      const own = new Float32Array(N * H);
      for (let n = 0; n < N; n++)
        for (let h = 0; h < H; h++) own[h * N + n] = data[n * width + gate * H + h]!;
      own.forEach((value, i) => {
        result[Math.floor(i / H) * width + gate * H + (i % H)] = value;
      });
    }
    return { dims, data: result };
  };

  it.each([
    ['CuDNNLSTM', 'LSTM'],
    ['CuDNNGRU', 'GRU'],
  ] as const)('%s is a %s of its weights in another order', async (className, kind) => {
    const width = GATES[kind] * H;
    const [kernel, recurrent, bias] = [numbers(I, width), numbers(H, width), numbers(2 * width)];
    const both = { dims: [2, width], data: bias.data };
    // An LSTM has one bias, the sum of both.
    const sum = Float32Array.from(
      { length: width },
      (_, i) => bias.data[i]! + bias.data[width + i]!,
    );
    const plain = [kernel, recurrent, kind === 'GRU' ? both : { dims: [width], data: sum }];
    const name = 'rnn';
    const file = await writeH5(
      legacyTree(
        functional(modelOf(className, name), '.h5'),
        {
          x: {},
          [name]: {
            [`${name}/kernel:0`]: forCudnn(kernel),
            [`${name}/recurrent_kernel:0`]: forCudnn(recurrent),
            [`${name}/bias:0`]: bias,
          },
        },
        '2.2.4',
      ),
    );
    expectClose(await run({ 'm.h5': file }), expected(kind, plain), { atol: 1e-6 });
  });
});
