// One small model, an LSTM with a dense layer behind it, as a file of each format that the package reads.
import { tensor } from 'webgpu-rnn';
import { writeKeras } from '../../test/import/keras-writer.ts';
import { writeSafetensors } from '../../test/import/safetensors-files.ts';
import { writeOnnx } from '../../test/support/onnx-writer.ts';
import { randomOf } from '../../test/support/random.ts';

/** Files of a model by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

const [I, H, O] = [3, 4, 2]; // inputs, hidden units, outputs
const random = randomOf(3);
const floats = (...dims: number[]) => ({
  dims,
  data: random.floats(
    dims.reduce((size, dim) => size * dim, 1),
    0.5,
  ),
});
const tensorOf = ({ dims, data }: ReturnType<typeof floats>) => tensor(data, dims);

function onnx(): Files {
  const file = writeOnnx({
    inputs: [{ name: 'X', type: 'float32', dims: ['T', 1, I] }],
    outputs: [{ name: 'Y', type: 'float32', dims: ['T', 1, 1, O] }],
    initializers: {
      W: tensorOf(floats(1, 4 * H, I)),
      R: tensorOf(floats(1, 4 * H, H)),
      V: tensorOf(floats(H, O)),
    },
    nodes: [
      {
        op: 'LSTM',
        inputs: ['X', 'W', 'R'],
        outputs: ['hidden'],
        attributes: { hidden_size: H },
      },
      { op: 'MatMul', inputs: ['hidden', 'V'], outputs: ['logits'] },
      { op: 'Softmax', inputs: ['logits'], outputs: ['Y'], attributes: { axis: -1 } },
    ],
  });
  return { 'model.onnx': file };
}

const LSTM = { name: 'lstm', units: H, return_sequences: true };
const DENSE = { name: 'dense', units: O, activation: 'softmax' };
const kernels = { lstm: [floats(I, 4 * H), floats(H, 4 * H), floats(4 * H)] };
const dense = [floats(H, O), floats(O)];

function tfjs(): Files {
  const names = ['lstm/kernel', 'lstm/recurrent_kernel', 'lstm/bias', 'dense/kernel', 'dense/bias'];
  const weights = [...kernels.lstm, ...dense];
  const json = {
    format: 'layers-model',
    modelTopology: {
      keras_version: 'tfjs-layers 4.22.0',
      model_config: {
        class_name: 'Sequential',
        config: {
          name: 'model',
          layers: [
            { class_name: 'LSTM', config: { ...LSTM, batch_input_shape: [null, null, I] } },
            { class_name: 'Dense', config: DENSE },
          ],
        },
      },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: weights.map(({ dims }, i) => ({
          name: names[i],
          shape: dims,
          dtype: 'float32',
        })),
      },
    ],
  };
  const numbers = Float32Array.from(weights.flatMap(({ data }) => [...data]));
  return {
    'model.json': new TextEncoder().encode(JSON.stringify(json)),
    'weights.bin': new Uint8Array(numbers.buffer),
  };
}

async function keras(): Promise<Files> {
  const layer = (class_name: string, config: object): object => ({
    module: 'keras.layers',
    class_name,
    config,
    registered_name: null,
  });
  const model = {
    module: 'keras',
    class_name: 'Sequential',
    config: {
      name: 'sequential',
      layers: [
        layer('InputLayer', { name: 'x', batch_shape: [null, null, I], dtype: 'float32' }),
        layer('LSTM', LSTM),
        layer('Dense', DENSE),
      ],
    },
    registered_name: 'Sequential',
  };
  const file = await writeKeras(model, { 'layers/lstm/cell': kernels.lstm, 'layers/dense': dense });
  return { 'model.keras': file };
}

function pytorch(): Files {
  const file = writeSafetensors({
    'lstm.weight_ih_l0': floats(4 * H, I),
    'lstm.weight_hh_l0': floats(4 * H, H),
    'lstm.bias_ih_l0': floats(4 * H),
    'lstm.bias_hh_l0': floats(4 * H),
    'fc.weight': floats(O, H),
    'fc.bias': floats(O),
  });
  return { 'model.safetensors': file };
}

/** The files by format. */
export const modelFiles = async (): Promise<Readonly<Record<string, Files>>> => ({
  ONNX: onnx(),
  'TensorFlow.js': tfjs(),
  Keras: await keras(),
  PyTorch: pytorch(),
});
