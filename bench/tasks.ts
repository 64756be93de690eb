// What the benchmarks of the CPU and of `device: 'auto'` have engines do: files with feeds.
import { tensor, type Tensor } from 'webgpu-rnn';
import { writeOnnx } from '../test/support/onnx-writer.ts';
import { randomOf } from '../test/support/random.ts';
import { hasSharedData, sharedBytes } from '../test/support/shared-data.ts';

/** Operator of ONNX and count of gates by cell. */
export const CELLS = { lstm: ['LSTM', 4], gru: ['GRU', 3], rnn: ['RNN', 1] } as const;
/** Cells that have an operator. */
export type CellName = keyof typeof CELLS;

/** One thing that all engines do: calls of a file, with a state or without. */
export interface Task {
  readonly name: string;
  readonly file: Uint8Array;
  /** What each call is fed, but for the state. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Output → input that the next call is fed it by; absent for runs, which keep no state. */
  readonly state?: Readonly<Record<string, string>>;
  /** What a call begins with, by input. */
  readonly initial?: Readonly<Record<string, Tensor>>;
  /** The output that is compared. */
  readonly output: string;
}

/** A layer whose states are inputs and outputs. */
export function layer(cell: CellName, H: number, T: number, B = 1): Task {
  const [op, G] = CELLS[cell];
  const random = randomOf(H + T);
  const numbers = (dims: readonly number[], scale: number): Tensor =>
    tensor(
      random.floats(
        dims.reduce((a, b) => a * b, 1),
        scale,
      ),
      dims,
    );
  const states = cell === 'lstm' ? ['h', 'c'] : ['h'];
  const scale = 1 / Math.sqrt(H);
  const shape = (name: string, dims: readonly number[]) =>
    ({ name, type: 'float32', dims }) as const;
  const isStep = T === 1;
  const file = writeOnnx({
    inputs: [shape('X', [T, B, H]), ...(isStep ? states.map((s) => shape(s, [1, B, H])) : [])],
    outputs: ['Y', ...(isStep ? states.map((s) => `${s}N`) : [])].map((name) => ({
      name,
      type: 'float32',
    })),
    initializers: {
      W: numbers([1, G * H, H], scale),
      R: numbers([1, G * H, H], scale),
      B: numbers([1, 2 * G * H], scale),
    },
    nodes: [
      {
        op,
        inputs: ['X', 'W', 'R', 'B', '', ...(isStep ? states : [])],
        outputs: ['Y', ...(isStep ? states.map((s) => `${s}N`) : [])],
        attributes: { hidden_size: H, ...(cell === 'gru' && { linear_before_reset: 1 }) },
      },
    ],
  });
  return {
    name: `${cell} H=${H} T=${T}${B === 1 ? '' : ` B=${B}`}`,
    file,
    feeds: { X: numbers([T, B, H], 1) },
    ...(isStep && {
      state: Object.fromEntries(states.map((s) => [`${s}N`, s])),
      initial: Object.fromEntries(
        states.map((s) => [s, tensor(new Float32Array(B * H), [1, B, H])]),
      ),
    }),
    output: 'Y',
  };
}

/** Frames of trained models, where their files are. */
export function models(): Task[] {
  if (!hasSharedData) return [];
  const zeros = (...dims: number[]): Tensor =>
    tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
  const random = randomOf(3);
  const frame = (...dims: number[]): Tensor =>
    tensor(
      random.floats(
        dims.reduce((a, b) => a * b, 1),
        0.1,
      ),
      dims,
    );
  return [
    {
      name: 'Silero VAD frame',
      file: sharedBytes('models/silero-vad/silero_vad_16k_op15.onnx'),
      feeds: { input: frame(1, 576), sr: tensor(BigInt64Array.of(16000n), []) },
      state: { stateN: 'state' },
      initial: { state: zeros(2, 1, 128) },
      output: 'output',
    },
    {
      name: 'DTLN stage 1 block',
      file: sharedBytes('models/dtln/model_1.onnx'),
      feeds: { input_2: frame(1, 1, 257) },
      state: { tf_op_layer_stack_2: 'input_3' },
      initial: { input_3: zeros(1, 2, 128, 2) },
      output: 'activation_2',
    },
    {
      name: 'DTLN stage 2 block',
      file: sharedBytes('models/dtln/model_2.onnx'),
      feeds: { input_4: frame(1, 1, 512) },
      state: { tf_op_layer_stack_5: 'input_5' },
      initial: { input_5: zeros(1, 2, 128, 2) },
      output: 'conv1d_3',
    },
  ];
}

const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    randomOf(dims.length).floats(
      dims.reduce((a, b) => a * b, 1),
      0.1,
    ),
    dims,
  );

type Steps = Parameters<typeof writeOnnx>[0]['nodes'];

/** A chain of operators on one input. */
function chain(
  name: string,
  dims: readonly number[],
  initializers: Readonly<Record<string, Tensor>>,
  nodes: Steps,
): Task {
  const X = floats(...dims);
  const file = writeOnnx({
    inputs: [{ name: 'X', type: 'float32', dims: [...dims] }],
    outputs: [{ name: 'Y', type: 'float32' }],
    initializers,
    nodes,
  });
  return { name, file, feeds: { X }, output: 'Y' };
}

/** Two dense layers of a width, for some rows. */
export const dense = (width: number, rows: number): Task =>
  chain(
    `dense ${width} B=${rows}`,
    [rows, width],
    { A: floats(width, width), C: floats(width, width) },
    [
      { op: 'MatMul', inputs: ['X', 'A'], outputs: ['h'] },
      { op: 'Relu', inputs: ['h'], outputs: ['r'] },
      { op: 'MatMul', inputs: ['r', 'C'], outputs: ['Y'] },
    ],
  );

/** One product of some rows with a square matrix. */
export const product = (rows: number, size: number): Task =>
  chain(`projection ${rows}x${size}x${size}`, [rows, size], { A: floats(size, size) }, [
    { op: 'MatMul', inputs: ['X', 'A'], outputs: ['Y'] },
  ]);

/** A convolution with 3 taps of as many filters as channels, along some places. */
export const convolutionOf = (channels: number, places: number): Task =>
  chain(
    `conv ${channels} T=${places}`,
    [1, channels, places],
    { W: floats(channels, channels, 3) },
    [{ op: 'Conv', inputs: ['X', 'W'], outputs: ['Y'], attributes: { pads: [1, 1] } }],
  );

/** An elementwise function of some numbers, then a softmax of their rows. */
export const elementwise = (rows: number, size: number): Task =>
  chain(`softmax ${rows}x${size}`, [rows, size], {}, [
    { op: 'Tanh', inputs: ['X'], outputs: ['t'] },
    { op: 'Softmax', inputs: ['t'], outputs: ['Y'], attributes: { axis: -1 } },
  ]);
