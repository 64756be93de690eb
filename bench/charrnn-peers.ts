// charRNN in the other engines, one call a token: what an app does that has no `generate`.
import * as tf from '@tensorflow/tfjs';
import type * as OnnxRuntime from 'onnxruntime-node';
import * as ortWeb from 'onnxruntime-web/wasm';
import { tensor, type Tensor } from 'webgpu-rnn/node';
import type { CharRnn } from '../test/support/charrnn.ts';
import { writeOnnx, type OnnxNode } from '../test/support/onnx-writer.ts';

/** What gives the scores of the token after this one, and keeps its state. */
export interface Stepper {
  readonly name: string;
  /** Back to the initial state. */
  readonly reset: () => void;
  readonly step: (token: number) => Promise<Float32Array>;
  readonly dispose: () => void;
}

/** A model of TF.js in its file. */
interface LayersFile {
  readonly modelTopology: {
    readonly config: {
      readonly layers: { readonly class_name: string; readonly config: Record<string, unknown> }[];
    };
  };
  readonly weightsManifest: { readonly weights: tf.io.WeightsManifestEntry[] }[];
}

const layersFileOf = ({ files }: CharRnn): LayersFile =>
  JSON.parse(new TextDecoder().decode(files['model.json'])) as LayersFile;

const bytesOf = ({ files }: CharRnn): ArrayBuffer => Uint8Array.from(files['weights.bin']!).buffer;

/** TF.js with the file as it is, but that layers are stateful and have one row: how it goes on from call to call. */
export async function tfjsStepper(charRnn: CharRnn): Promise<Stepper> {
  await tf.setBackend('cpu');
  const { modelTopology, weightsManifest } = layersFileOf(charRnn);
  for (const { class_name: kind, config } of modelTopology.config.layers) {
    if (kind === 'Embedding') config['batch_input_shape'] = [1, 1];
    if (kind === 'LSTM') config['stateful'] = true;
  }
  const artifacts: tf.io.ModelArtifacts = {
    modelTopology,
    weightSpecs: weightsManifest.flatMap(({ weights }) => weights),
    weightData: bytesOf(charRnn),
  };
  const model = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  return {
    name: 'tfjs-cpu',
    reset: () => model.resetStates(),
    step: async (token) => {
      const scores = tf.tidy(() => model.predict(tf.tensor2d([[token]])) as tf.Tensor);
      const data = (await scores.data()) as Float32Array;
      scores.dispose();
      return data;
    },
    dispose: () => model.dispose(),
  };
}

/** The weights of the file by name. */
function weightsOf(charRnn: CharRnn): (name: string) => Tensor<'float32'> {
  const bytes = bytesOf(charRnn);
  const found = new Map<string, Tensor<'float32'>>();
  let at = 0;
  for (const { name, shape } of layersFileOf(charRnn).weightsManifest.flatMap((g) => g.weights)) {
    const size = shape.reduce((n, dim) => n * dim, 1);
    found.set(name, tensor(new Float32Array(bytes, at, size), shape));
    at += size * 4;
  }
  return (name) => found.get(name)!;
}

/** Columns i, f, c, o of Keras as rows i, o, f, c of ONNX. */
function rowsOf({ data, dims }: Tensor<'float32'>): Tensor<'float32'> {
  const [width, height] = dims.length === 1 ? [1, dims[0]!] : [dims[0]!, dims[1]!];
  const H = height / 4;
  const rows = new Float32Array(data.length);
  [0, 3, 1, 2].forEach((gate, k) => {
    for (let unit = 0; unit < H; unit++) {
      for (let i = 0; i < width; i++) {
        rows[(k * H + unit) * width + i] = data[i * height + gate * H + unit]!;
      }
    }
  });
  return tensor(rows, [1, height, width]);
}

const LAYERS = [0, 1];
const STATES = LAYERS.flatMap((layer) => [`h${layer}`, `c${layer}`]);
const HIDDEN = 128;

/** One step of the model as an ONNX file, with its states as inputs and outputs. */
function onnxStep(charRnn: CharRnn): Uint8Array {
  const weight = weightsOf(charRnn);
  const nodes: OnnxNode[] = [
    { op: 'Gather', inputs: ['E', 'token'], outputs: ['x0'], attributes: { axis: 0 } },
  ];
  const initializers: Record<string, Tensor> = {
    E: weight('embedding/embeddings'),
    K: weight('softmax/kernel'),
    b: weight('softmax/bias'),
    axis: tensor(BigInt64Array.of(1n)),
  };
  for (const k of LAYERS) {
    const bias = rowsOf(weight(`lstm_${k}/bias`)).data;
    const both = new Float32Array(2 * bias.length);
    both.set(bias);
    initializers[`W${k}`] = rowsOf(weight(`lstm_${k}/kernel`));
    initializers[`R${k}`] = rowsOf(weight(`lstm_${k}/recurrent_kernel`));
    initializers[`B${k}`] = tensor(both, [1, both.length]);
    nodes.push(
      {
        op: 'LSTM',
        inputs: [`x${k}`, `W${k}`, `R${k}`, `B${k}`, '', `h${k}`, `c${k}`],
        outputs: [`y${k}`, `h${k}N`, `c${k}N`],
        attributes: { hidden_size: HIDDEN },
      },
      { op: 'Squeeze', inputs: [`y${k}`, 'axis'], outputs: [`x${k + 1}`], attributes: {} },
    );
  }
  nodes.push(
    { op: 'MatMul', inputs: ['x2', 'K'], outputs: ['product'], attributes: {} },
    { op: 'Add', inputs: ['product', 'b'], outputs: ['scores'], attributes: {} },
  );
  return writeOnnx({
    inputs: [
      { name: 'token', type: 'int64', dims: [1, 1] },
      ...STATES.map((name) => ({ name, type: 'float32', dims: [1, 1, HIDDEN] }) as const),
    ],
    outputs: ['scores', ...STATES.map((name) => `${name}N`)].map(
      (name) => ({ name, type: 'float32' }) as const,
    ),
    initializers,
    nodes,
  });
}

/** What either package of ONNX Runtime has, as far as it is used. */
type Runtime = Pick<typeof OnnxRuntime, 'InferenceSession' | 'Tensor'>;

/** ONNX Runtime with one of its providers; `wasm` is that of the web package, on one thread. */
export async function ortStepper(charRnn: CharRnn, provider: 'cpu' | 'wasm'): Promise<Stepper> {
  ortWeb.env.logLevel = 'error';
  ortWeb.env.wasm.numThreads = 1; // in Node its bundle has no more
  const runtime =
    provider === 'wasm' ? (ortWeb as unknown as Runtime) : await import('onnxruntime-node');
  const session = await runtime.InferenceSession.create(onnxStep(charRnn), {
    executionProviders: [provider],
    logSeverityLevel: 3,
    // Its threads would otherwise spin after each run and take the cores from the next engine.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
  const feeds: Record<string, OnnxRuntime.Tensor> = {};
  const reset = (): void => {
    for (const name of STATES) {
      feeds[name] = new runtime.Tensor('float32', new Float32Array(HIDDEN), [1, 1, HIDDEN]);
    }
  };
  reset();
  return {
    name: `ort-${provider}`,
    reset,
    step: async (token) => {
      feeds['token'] = new runtime.Tensor('int64', BigInt64Array.of(BigInt(token)), [1, 1]);
      const results = await session.run(feeds);
      for (const name of STATES) feeds[name] = results[`${name}N`]!;
      return results['scores']!.data as Float32Array;
    },
    dispose: () => void session.release(),
  };
}
