// TensorFlow.js with the same weights, in the layout of Keras.
import * as tf from '@tensorflow/tfjs';
import type { Workload } from '../../../bench/shapes.ts';
import { Incapable } from './engine.ts';
import type { Prepare } from './engine.ts';

// ONNX orders the gates of an LSTM i, o, f, c; Keras i, f, c, o.
const GATES = [0, 2, 3, 1] as const;

/** Rows [4·H, width] of ONNX as columns [width, 4·H] of Keras. */
function columns(rows: Float32Array, H: number, width: number): tf.Tensor2D {
  const out = new Float32Array(rows.length);
  GATES.forEach((gate, k) => {
    for (let unit = 0; unit < H; unit++) {
      for (let i = 0; i < width; i++) {
        out[i * 4 * H + k * H + unit] = rows[(gate * H + unit) * width + i]!;
      }
    }
  });
  return tf.tensor2d(out, [width, 4 * H]);
}

/** The two biases of ONNX as the one of Keras, which is their sum. */
function biasOf(both: Float32Array, H: number): tf.Tensor1D {
  const out = new Float32Array(4 * H);
  GATES.forEach((gate, k) => {
    for (let unit = 0; unit < H; unit++) {
      const at = gate * H + unit;
      out[k * H + unit] = both[at]! + both[4 * H + at]!;
    }
  });
  return tf.tensor1d(out);
}

function weightsOf({ shape: { H, bidirectional }, weights }: Workload, layer: number): tf.Tensor[] {
  return (bidirectional ? [0, 1] : [0]).flatMap((direction) => {
    const part = (name: string, size: number): Float32Array =>
      (weights[`${name}${layer}`]!.data as Float32Array).subarray(
        direction * size,
        (direction + 1) * size,
      );
    const width = weights[`W${layer}`]!.dims[2]!;
    return [
      columns(part('W', 4 * H * width), H, width),
      columns(part('R', 4 * H * H), H, H),
      biasOf(part('B', 8 * H), H),
    ];
  });
}

/** Swaps the first two axes of [a, b, c]. */
function swap(data: Float32Array, a: number, b: number, c: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      const from = (i * b + j) * c;
      out.set(data.subarray(from, from + c), (j * a + i) * c);
    }
  }
  return out;
}

/** TensorFlow.js on its WebGPU backend. */
export const prepare: Prepare = async (workload) => {
  const { cell, H, B, T, layers, bidirectional } = workload.shape;
  if (cell === 'gru') throw new Incapable('cannot: reset after the product');
  await import('@tensorflow/tfjs-backend-webgpu'); // which registers itself
  if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend does not start');
  const model = tf.sequential();
  for (let layer = 0; layer < layers; layer++) {
    const width = bidirectional && layer > 0 ? 2 * H : H;
    const lstm = tf.layers.lstm({
      units: H,
      returnSequences: true,
      recurrentActivation: 'sigmoid',
      kernelInitializer: 'zeros', // the orthogonal matrices of the default take seconds to make
      recurrentInitializer: 'zeros',
      inputShape: [T, width],
    });
    const made = bidirectional
      ? tf.layers.bidirectional({ layer: lstm, mergeMode: 'concat', inputShape: [T, width] })
      : lstm;
    model.add(made);
    const weights = weightsOf(workload, layer);
    made.setWeights(weights);
    tf.dispose(weights);
  }
  const X = swap(workload.X.data, T, B, H); // it wants batch before time
  return {
    name: 'tfjs',
    run: async () => {
      const Y = tf.tidy(() => model.predict(tf.tensor3d(X, [B, T, H])) as tf.Tensor);
      const data = (await Y.data()) as Float32Array;
      Y.dispose();
      return data;
    },
    arrange: (Y) => swap(Y, B, T, Y.length / (B * T)),
    dispose: () => {
      model.dispose();
    },
  };
};
