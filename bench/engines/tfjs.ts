// TensorFlow.js with the same weights, in the layout of Keras.
import * as tf from '@tensorflow/tfjs';
import type { Workload } from '../shapes.ts';
import { Incapable } from './engine.ts';
import type { Prepare } from './engine.ts';

// Where Keras finds its gates in ONNX: i, f, c, o among i, o, f, c; z, r, h are the same.
const ORDERS = { lstm: [0, 2, 3, 1], gru: [0, 1, 2] } as const;
type Order = (typeof ORDERS)[keyof typeof ORDERS];

/** Rows [G·H, width] of ONNX as columns [width, G·H] of Keras. */
function columns(rows: Float32Array, order: Order, H: number, width: number): tf.Tensor2D {
  const out = new Float32Array(rows.length);
  const G = order.length;
  order.forEach((gate, k) => {
    for (let unit = 0; unit < H; unit++) {
      for (let i = 0; i < width; i++) {
        out[i * G * H + k * H + unit] = rows[(gate * H + unit) * width + i]!;
      }
    }
  });
  return tf.tensor2d(out, [width, G * H]);
}

/** The two biases of ONNX as the one of Keras, which is their sum. */
function biasOf(both: Float32Array, order: Order, H: number): tf.Tensor1D {
  const G = order.length;
  const out = new Float32Array(G * H);
  order.forEach((gate, k) => {
    for (let unit = 0; unit < H; unit++) {
      const at = gate * H + unit;
      out[k * H + unit] = both[at]! + both[G * H + at]!;
    }
  });
  return tf.tensor1d(out);
}

function weightsOf({ shape, weights }: Workload, layer: number): tf.Tensor[] {
  const { cell, H, bidirectional } = shape;
  const order = ORDERS[cell];
  const G = order.length;
  return (bidirectional ? [0, 1] : [0]).flatMap((direction) => {
    const part = (name: string, size: number): Float32Array =>
      (weights[`${name}${layer}`]!.data as Float32Array).subarray(
        direction * size,
        (direction + 1) * size,
      );
    const width = weights[`W${layer}`]!.dims[2]!;
    return [
      columns(part('W', G * H * width), order, H, width),
      columns(part('R', G * H * H), order, H, H),
      biasOf(part('B', 2 * G * H), order, H),
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
  const { cell, H, B, T, layers, bidirectional, resetBefore } = workload.shape;
  if (cell === 'gru' && !resetBefore) throw new Incapable('cannot: reset after the product');
  await import('@tensorflow/tfjs-backend-webgpu'); // which registers itself
  if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend does not start');
  const model = tf.sequential();
  for (let layer = 0; layer < layers; layer++) {
    const width = bidirectional && layer > 0 ? 2 * H : H;
    const single = tf.layers[cell]({
      units: H,
      returnSequences: true,
      recurrentActivation: 'sigmoid',
      kernelInitializer: 'zeros', // the orthogonal matrices of the default take seconds to make
      recurrentInitializer: 'zeros',
      inputShape: [T, width],
    });
    const made = bidirectional
      ? tf.layers.bidirectional({ layer: single, mergeMode: 'concat', inputShape: [T, width] })
      : single;
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
