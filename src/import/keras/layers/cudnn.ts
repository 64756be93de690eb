// Weights of CuDNNLSTM and CuDNNGRU, the layers of Keras 2 for NVIDIA's cuDNN. The block of each gate holds the
// numbers that cuDNN wants, [H, N] row by row, in an array that calls itself [N, H].
// https://github.com/keras-team/tf-keras/blob/v2.15.0/tf_keras/saving/legacy/hdf5_format.py (_convert_rnn_weights)

/** True for a layer whose weights are those of cuDNN. */
export const isCudnn = (className: string): boolean => className.startsWith('CuDNN');

/**
 * [N, G·H] → [G·H, N] in the order of the graph, for the kernel (N = I) and the recurrent kernel (N = H).
 *
 * @param order block of the source for each block of the result
 */
export function cudnnGates(
  kernel: Float32Array,
  inputs: number,
  hidden: number,
  order: readonly number[],
): Float32Array {
  const width = order.length * hidden;
  const result = new Float32Array(kernel.length);
  order.forEach((source, k) => {
    for (let row = 0; row < inputs; row++) {
      const from = row * width + source * hidden;
      result.set(kernel.subarray(from, from + hidden), (k * inputs + row) * hidden);
    }
  });
  return result;
}
