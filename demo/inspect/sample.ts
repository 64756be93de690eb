// A model made in code, for visitors without a file.
import { dense, lstm, sequential, tensor, type Tensor } from 'webgpu-rnn';

/** Two LSTMs of 64 units over 40 features, and 10 classes; weights that a formula makes. */
export function stackOfLstms() {
  const weight = (rows: number, columns: number): Tensor<'float32'> => {
    const values = Float32Array.from(
      { length: rows * columns },
      (_, k) => Math.sin(12.9898 * (k + rows)) / Math.sqrt(columns),
    );
    return tensor(values, columns === 1 ? [rows] : [rows, columns]);
  };
  const layer = (inputs: number) =>
    lstm({ W: weight(4 * 64, inputs), R: weight(4 * 64, 64), B: weight(2 * 4 * 64, 1) });
  return sequential([
    layer(40),
    layer(64),
    dense({ W: weight(10, 64), b: weight(10, 1), activation: 'softmax' }),
  ]);
}
