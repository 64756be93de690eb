// The shapes that are measured: stacks of recurrent layers as ONNX files, so that every engine gets the same bytes.
import { tensor, type Tensor } from 'webgpu-rnn';
import { writeOnnx, type OnnxNode } from '../test/support/onnx-writer.ts';
import { randomOf } from '../test/support/random.ts';

/** A stack of layers with as many inputs as units. */
export interface Shape {
  readonly cell: 'lstm' | 'gru';
  /** Hidden units and inputs. */
  readonly H: number;
  /** Batch rows. */
  readonly B: number;
  /** Time steps. */
  readonly T: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  /**
   * A GRU that resets the state before the product with its weights, as TensorFlow.js does it; PyTorch,
   * Keras and this benchmark otherwise reset the product.
   */
  readonly resetBefore?: boolean;
}

/** A model file of a shape and one input, X [T, B, H] → Y [T, B, D·H]. */
export interface Workload {
  readonly shape: Shape;
  readonly file: Uint8Array;
  readonly X: Tensor<'float32'>;
  /** What the file holds, by name: W0 [D, G·H, inputs], R0 [D, G·H, H], B0 [D, 2·G·H], W1 … */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Floating point operations of one run: two for each weight and row and step. */
  readonly flops: number;
}

/** `lstm-h128-b16-t64`, with `-l3`, `-bi` and `-before` where they apply. */
export function nameOf({ cell, H, B, T, layers, bidirectional, resetBefore }: Shape): string {
  const bi = bidirectional ? '-bi' : '';
  const more = `${layers > 1 ? `-l${layers}` : ''}${bi}${resetBefore ? '-before' : ''}`;
  return `${cell}-h${H}-b${B}-t${T}${more}`;
}

/** The shape of a name. @throws Error for another name */
export function shapeOf(name: string): Shape {
  const found = /^(lstm|gru)-h(\d+)-b(\d+)-t(\d+)(?:-l(\d+))?(-bi)?(-before)?$/.exec(name);
  if (!found) throw new Error(`no shape: ${name}; for example lstm-h128-b16-t64-l3-bi`);
  const [, cell, H, B, T, layers, bi, before] = found;
  return {
    cell: cell as Shape['cell'],
    H: Number(H),
    B: Number(B),
    T: Number(T),
    layers: Number(layers ?? 1),
    bidirectional: bi !== undefined,
    ...(before !== undefined && { resetBefore: true }),
  };
}

/** Random weights of a size that keeps gates at order one, and a random input. */
export function workloadOf(shape: Shape, seed = 1): Workload {
  const { cell, H, B, T, layers, bidirectional, resetBefore } = shape;
  const random = randomOf(seed);
  const D = bidirectional ? 2 : 1;
  const G = cell === 'lstm' ? 4 : 3;
  const initializers: Record<string, Tensor> = {};
  const nodes: OnnxNode[] = [];
  let flops = 0;
  let [from, width] = ['X', H];
  for (let layer = 0; layer < layers; layer++) {
    const make = (name: string, dims: number[], scale: number): string => {
      const size = dims.reduce((n, dim) => n * dim, 1);
      initializers[`${name}${layer}`] = tensor(random.floats(size, scale), dims);
      return `${name}${layer}`;
    };
    const inputs = [
      from,
      make('W', [D, G * H, width], 1 / Math.sqrt(width)),
      make('R', [D, G * H, H], 1 / Math.sqrt(H)),
      make('B', [D, 2 * G * H], 0.3),
    ];
    const attributes = {
      hidden_size: H,
      direction: bidirectional ? 'bidirectional' : 'forward',
      ...(cell === 'gru' && !resetBefore && { linear_before_reset: 1 }),
    };
    const y = `Y${layer}`;
    nodes.push({ op: cell.toUpperCase(), name: `layer${layer}`, inputs, outputs: [y], attributes });
    const to = layer === layers - 1 ? 'Y' : `X${layer + 1}`;
    if (bidirectional) {
      // [T, 2, B, H] → [T, B, 2, H] → [T, B, 2·H]
      nodes.push({
        op: 'Transpose',
        inputs: [y],
        outputs: [`${y}t`],
        attributes: { perm: [0, 2, 1, 3] },
      });
      initializers[`shape${layer}`] = tensor(BigInt64Array.of(0n, 0n, -1n), [3]);
      nodes.push({ op: 'Reshape', inputs: [`${y}t`, `shape${layer}`], outputs: [to] });
    } else {
      initializers[`axes${layer}`] = tensor(BigInt64Array.of(1n), [1]);
      nodes.push({ op: 'Squeeze', inputs: [y, `axes${layer}`], outputs: [to] });
    }
    flops += 2 * T * B * D * G * H * (width + H);
    [from, width] = [to, D * H];
  }
  const file = writeOnnx(
    {
      inputs: [{ name: 'X', type: 'float32', dims: ['T', 'B', H] }],
      outputs: [{ name: 'Y', type: 'float32', dims: ['T', 'B', D * H] }],
      initializers,
      nodes,
    },
    { opset: 14, irVersion: 8 },
  );
  const X = tensor(random.floats(T * B * H, 1), [T, B, H]);
  return { shape, file, X, weights: initializers, flops };
}

/**
 * Minimum bytes that one run reads and writes where no kernel holds weights in registers: recurrent weights and
 * state once a time step; inputs, their weights, gates written and read, and outputs once. A kernel that does hold
 * them can exceed the bandwidth of the memory by this count.
 */
export function trafficOf({ cell, H, B, T, layers, bidirectional }: Shape): number {
  const D = bidirectional ? 2 : 1;
  const gateRows = D * H * (cell === 'lstm' ? 4 : 3);
  const states = cell === 'lstm' ? 2 : 1;
  let numbers = 0;
  for (let layer = 0; layer < layers; layer++) {
    const width = layer === 0 ? H : D * H;
    const once = T * B * width + gateRows * width + 2 * T * B * gateRows + T * B * D * H;
    numbers += once + T * (gateRows * H + 2 * states * B * D * H);
  }
  return 4 * numbers;
}

const HIDDEN = [32, 64, 128, 256, 512, 1024];
const BATCH = [1, 4, 16, 64, 128];
const STEPS = [1, 16, 64, 256, 1000];

/** Every shape of the full table. */
export function allShapes(): Shape[] {
  const shapes: Shape[] = [];
  for (const cell of ['lstm', 'gru'] as const) {
    for (const layers of [1, 3]) {
      for (const bidirectional of [false, true]) {
        for (const H of HIDDEN) {
          for (const B of BATCH) {
            for (const T of STEPS) shapes.push({ cell, H, B, T, layers, bidirectional });
          }
        }
      }
    }
  }
  return shapes;
}

/** The shapes measured by default: each axis moves on its own from a few centres. */
export const DEFAULT_SHAPES: readonly Shape[] = [
  'lstm-h32-b1-t64',
  'lstm-h64-b1-t256',
  'lstm-h128-b1-t1',
  'lstm-h128-b1-t64',
  'lstm-h256-b1-t64',
  'lstm-h512-b1-t16',
  'lstm-h1024-b1-t16',
  'lstm-h64-b16-t64',
  'lstm-h128-b16-t64',
  'lstm-h256-b16-t16',
  'lstm-h64-b64-t16',
  'lstm-h256-b64-t16',
  'lstm-h128-b4-t64-bi',
  'lstm-h128-b1-t64-l3',
  'gru-h32-b1-t64',
  'gru-h64-b1-t256',
  'gru-h128-b1-t64',
  'gru-h256-b1-t64',
  'gru-h512-b1-t16',
  'gru-h128-b16-t64',
  'gru-h256-b64-t16',
  'gru-h128-b4-t64-bi',
  'gru-h64-b1-t64-l3',
].map(shapeOf);
