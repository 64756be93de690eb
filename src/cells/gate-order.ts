// Gate blocks of other frameworks brought into the order and layout of the graph, which is that of
// ONNX: rows [G·H, I], LSTM i o f c, GRU z r h. Past this file nobody thinks about gate order.
import type { CellName } from './index.ts';
import { RnnError } from '../errors.ts';

/** For each block of the graph, the number of the block in the source that holds it. */
export type GateOrder = readonly number[];

/**
 * The order of the gates in each framework. Block k of the graph is block `order[k]` of the source.
 * Keras 2, Keras 3 and TF.js: LSTM i f c o, GRU z r h
 * (https://github.com/keras-team/keras/blob/master/keras/src/layers/rnn/lstm.py).
 * PyTorch: LSTM i f g o, GRU r z n (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html).
 */
export const GATE_ORDER = {
  onnx: { rnn: [0], lstm: [0, 1, 2, 3], gru: [0, 1, 2] },
  keras: { rnn: [0], lstm: [0, 3, 1, 2], gru: [0, 1, 2] },
  pytorch: { rnn: [0], lstm: [0, 3, 1, 2], gru: [1, 0, 2] },
} as const satisfies Record<string, Record<CellName, GateOrder>>;

/**
 * Gates that are blocks of rows, [G·H, N] or [G·H] → the same shape in the order of the graph.
 *
 * @param data G blocks, one after the other, of any equal size
 * @param order block of the source for each block of the result
 * @param path what an error calls the data
 */
export function permuteGates(
  data: Float32Array,
  order: GateOrder,
  path = 'weights',
): Float32Array<ArrayBuffer> {
  const block = data.length / order.length;
  if (!Number.isInteger(block)) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `got ${data.length} numbers, expected a multiple of the ${order.length} gates`,
    );
  }
  const result = new Float32Array(data.length);
  order.forEach((source, k) => {
    result.set(data.subarray(source * block, (source + 1) * block), k * block);
  });
  return result;
}

/**
 * Gates that are blocks of columns, as Keras stores them: [N, G·H] → [G·H, N] in the order of the
 * graph. Serves the kernel (N = I) and the recurrent kernel (N = H).
 *
 * @param kernel row-major [N, G·H]
 * @param inputs N
 * @param hidden H
 * @param order block of the source for each block of the result
 * @param path what an error calls the kernel
 */
export function gatesFromColumns(
  kernel: Float32Array,
  inputs: number,
  hidden: number,
  order: GateOrder,
  path = 'kernel',
): Float32Array<ArrayBuffer> {
  const width = order.length * hidden;
  expectLength(kernel, inputs * width, `[${inputs}, ${order.length}·${hidden}]`, path);
  const result = new Float32Array(kernel.length);
  order.forEach((source, k) => {
    for (let j = 0; j < hidden; j++) {
      const row = (k * hidden + j) * inputs;
      const column = source * hidden + j;
      for (let i = 0; i < inputs; i++) result[row + i] = kernel[i * width + column]!;
    }
  });
  return result;
}

/**
 * The B of one direction, [2·G·H]: input biases, then recurrent biases. Zeros where one is absent,
 * so a framework with a single bias gives it as `input`.
 *
 * @param input [G·H] in the order of the source
 * @param recurrent [G·H] in the order of the source
 * @param hidden H
 * @param order block of the source for each block of the result
 * @param path what an error calls the biases
 */
export function gateBiases(
  input: Float32Array | undefined,
  recurrent: Float32Array | undefined,
  hidden: number,
  order: GateOrder,
  path = 'bias',
): Float32Array<ArrayBuffer> {
  const width = order.length * hidden;
  const result = new Float32Array(2 * width);
  for (const [half, bias] of [input, recurrent].entries()) {
    if (bias === undefined) continue;
    expectLength(bias, width, `[${order.length}·${hidden}]`, path);
    result.set(permuteGates(bias, order, path), half * width);
  }
  return result;
}

function expectLength(data: Float32Array, length: number, shape: string, path: string): void {
  if (data.length !== length) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `got ${data.length} numbers, expected ${length} for ${shape}`,
    );
  }
}
