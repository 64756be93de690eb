// Small sound models of every format, from which the fuzzer makes damaged ones.
import { attention, dense, functional, input, lstm, pool } from '../../src/layers.ts';
import { saveModel } from '../../src/save-model.ts';
import { tensor } from '../../src/tensor.ts';
import { initializer, int, message, model, output, text } from '../support/proto.ts';
import { writeOnnx, type OnnxGraph } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { checkpoint } from '../import/checkpoint-files.ts';
import { archive, good, legacy, NAMED } from '../import/keras-broken-files.ts';
import { writeH5 } from '../import/keras-writer.ts';
import { writeSafetensors } from '../import/safetensors-files.ts';
import { filesOf, layer, writeModel } from '../import/tfjs-files.ts';

/** A sound model. */
export interface Seed {
  readonly format: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const branch = (name: string): OnnxGraph => ({
  nodes: [{ op: 'Mul', inputs: ['flat', 'scale'], outputs: [name] }],
  outputs: [{ name, type: 'float32' }],
});

/** Recurrence, branches, shapes made of numbers, a product and a convolution. */
function onnx(rawData: boolean, opset: number): Uint8Array {
  const random = randomOf(5);
  return writeOnnx(
    {
      nodes: [
        { op: 'Constant', inputs: [], outputs: ['scale'], attributes: { value: tensor([2]) } },
        {
          op: 'LSTM',
          name: 'layer',
          inputs: ['X', 'W', 'R', '', '', 'h0'],
          outputs: ['', 'Y_h'],
          attributes: { hidden_size: 2, activations: ['Sigmoid', 'Tanh', 'Tanh'], clip: 3.5 },
        },
        { op: 'Reshape', inputs: ['Y_h', 'shape'], outputs: ['flat'] },
        {
          op: 'If',
          inputs: ['flag'],
          outputs: ['chosen'],
          attributes: { then_branch: branch('then'), else_branch: branch('else') },
        },
        { op: 'MatMul', inputs: ['chosen', 'P'], outputs: ['product'] },
        { op: 'Softmax', inputs: ['product'], outputs: ['Y'], attributes: { axis: 1 } },
      ],
      inputs: [
        { name: 'X', type: 'float32', dims: ['T', 1, 2] },
        { name: 'h0', type: 'float32', dims: [1, 1, 2] },
      ],
      outputs: [{ name: 'Y', type: 'float32', dims: [1, 3] }],
      initializers: {
        W: tensor(random.floats(16), [1, 8, 2]),
        R: tensor(random.floats(16), [1, 8, 2]),
        P: tensor(random.floats(6), [2, 3]),
        shape: tensor(BigInt64Array.of(1n, -1n), [2]),
        flag: tensor(Uint8Array.of(1), [], 'bool'),
      },
    },
    { opset, irVersion: 6, rawData },
  );
}

const external = model(
  initializer(
    'y',
    int(1, 2),
    int(2, 1),
    int(14, 1),
    message(13, text(1, 'location'), text(2, 'w.data')),
  ),
  output('y'),
);

function safetensors(): Uint8Array {
  const random = randomOf(6);
  const weights = (dims: readonly number[]) => ({
    dims,
    data: random.floats(dims.reduce((a, b) => a * b, 1)),
  });
  return writeSafetensors({
    'lstm.weight_ih_l0': weights([16, 3]),
    'lstm.weight_hh_l0': weights([16, 4]),
    'lstm.bias_ih_l0': weights([16]),
    'lstm.bias_hh_l0': weights([16]),
    'head.weight': weights([2, 4]),
    'head.bias': { dims: [2], dtype: 'F16', bytes: Uint8Array.of(0, 60, 0, 56) },
  });
}

/**
 * A graph in the header: recurrence with states, masks, attention. Its weights are larger than the header, or nearly
 * every change would be one of the graph.
 */
function saved(): Uint8Array {
  const random = randomOf(7);
  const [I, H] = [24, 16];
  const weights = (...dims: number[]) =>
    tensor(random.floats(dims.reduce((a, b) => a * b, 1)), dims);
  const x = input('x', ['batch', 'time', I]);
  const lengths = input('lengths', ['batch'], 'int32');
  const recurrent = lstm({ W: weights(4 * H, I), R: weights(4 * H, H), clip: 3.5 });
  const { y, states } = recurrent.withStates(x, { lengths });
  const h = attention({ causal: true })({ query: y, value: y, lengths });
  const z = dense({ W: weights(3, H), b: weights(3), activation: 'softmax' })(pool('max')(h));
  return saveModel(functional({ outputs: { z, c: states[1]! } }));
}

const tfjs = () =>
  filesOf(
    writeModel({
      layers: [
        layer('LSTM', {
          name: 'l',
          units: 3,
          batch_input_shape: [null, 4, 2],
          return_sequences: true,
        }),
        layer('Dense', { name: 'd', units: 2, activation: 'softmax' }),
      ],
      weights: [
        { name: 'l/kernel', shape: [2, 12] },
        { name: 'l/recurrent_kernel', shape: [3, 12] },
        { name: 'l/bias', shape: [12] },
        { name: 'd/kernel', shape: [3, 2] },
        { name: 'd/bias', shape: [2] },
      ],
    }),
  );

/** Every seed, in an order that stays. */
export async function makeSeeds(): Promise<readonly Seed[]> {
  const one = (name: string, bytes: Uint8Array) => new Map([[name, bytes]]);
  return [
    { format: 'onnx', files: one('m.onnx', onnx(true, 11)) },
    { format: 'onnx', files: one('m.onnx', onnx(false, 17)) },
    {
      format: 'onnx',
      files: new Map([
        ['m.onnx', external],
        ['w.data', new Uint8Array(8)],
      ]),
    },
    { format: 'safetensors', files: one('m.safetensors', safetensors()) },
    { format: '.pt', files: one('m.pt', checkpoint('training.pt')) },
    { format: '.pt', files: one('m.pt', checkpoint('net-protocol4.pt')) },
    { format: '.pt', files: one('m.pth', checkpoint('net-legacy.pth')) },
    { format: 'saved', files: one('m.safetensors', saved()) },
    { format: '.keras', files: one('m.keras', await good()) },
    {
      format: '.keras',
      files: one('m.keras', await archive({ 'config.json': { deflate: true } })),
    },
    { format: '.h5', files: one('m.h5', await writeH5(legacy(NAMED))) },
    { format: '.h5', files: one('m.h5', await writeH5(legacy(NAMED), 'latest')) },
    { format: 'tfjs', files: tfjs() },
  ];
}
