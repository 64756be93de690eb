// Recurrences that people export as Scan or Loop: the body of each, with its weights.
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import { COUNTER, bool, float, GOES_ON, long, node, scalar } from './onnx-parts.ts';
import type { OnnxGraph, OnnxNode, OnnxValue } from './onnx-writer.ts';
import { randomOf } from './random.ts';

/** A recurrence over x [T, B, I]. */
export interface ScanBody {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  /** Shapes of the states. */
  readonly states: Readonly<Record<string, readonly number[]>>;
  /** The result of an iteration. */
  readonly y: OnnxValue;
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly sizes: ScanSizes;
}

/** Sizes of a recurrence: batch rows, features of x, units or states of a feature. */
export interface ScanSizes {
  readonly rows: number;
  readonly features: number;
  readonly units: number;
}

/** Sizes for tests. */
export const SMALL: ScanSizes = { rows: 2, features: 6, units: 4 };

/** Weights up to 1 / √(the second dimension): states of thousands of steps stay finite. */
const small = (seed: number, ...dims: number[]): Tensor => {
  const scale = 1 / Math.sqrt(dims.at(-1)!);
  return tensor(randomOf(seed).floats(sizeOf(dims), scale), dims);
};

/** A Mamba block: h = exp(Δ·A)·h + Δ·B·u, y = Σ C·h + D·u, with Δ, B and C from u. */
export const selectiveScan = (sizes: ScanSizes): ScanBody => ({
  name: 'selective scan',
  nodes: [
    node('MatMul', ['x', 'Wdelta'], ['raw']),
    node('Add', ['raw', 'bdelta'], ['biased']),
    node('Softplus', ['biased'], ['delta']),
    node('MatMul', ['x', 'Wb'], ['b']),
    node('MatMul', ['x', 'Wc'], ['c']),
    node('Unsqueeze', ['delta', 'last'], ['delta3']),
    node('Mul', ['delta3', 'A'], ['rate']),
    node('Exp', ['rate'], ['decay']),
    node('Unsqueeze', ['b', 'middle'], ['b3']),
    node('Mul', ['delta', 'x'], ['du']),
    node('Unsqueeze', ['du', 'last'], ['du3']),
    node('Mul', ['du3', 'b3'], ['added']),
    node('Mul', ['decay', 'h'], ['kept']),
    node('Add', ['kept', 'added'], ['h_next']),
    node('Unsqueeze', ['c', 'middle'], ['c3']),
    node('Mul', ['h_next', 'c3'], ['read']),
    node('ReduceSum', ['read', 'last'], ['sum'], { keepdims: 0 }),
    node('Mul', ['x', 'D'], ['skipped']),
    node('Add', ['sum', 'skipped'], ['y']),
  ],
  states: { h: [sizes.rows, sizes.features, sizes.units] },
  y: float('y', sizes.rows, sizes.features),
  weights: {
    Wdelta: small(1, sizes.features, sizes.features),
    bdelta: small(2, sizes.features),
    Wb: small(3, sizes.features, sizes.units),
    Wc: small(4, sizes.features, sizes.units),
    A: tensor(
      Array.from({ length: sizes.features * sizes.units }, (_, i) => -1 - (i % sizes.units)),
      [sizes.features, sizes.units],
    ),
    D: small(6, sizes.features),
    last: long(-1),
    middle: long(1),
  },
  sizes,
});

/** Gated linear attention: S = diag(α)·S + kᵀ·v, o = q·S, with q, k, v and α from x. */
export const gatedLinearAttention = (sizes: ScanSizes): ScanBody => ({
  name: 'gated linear attention',
  nodes: [
    node('MatMul', ['x', 'Wq'], ['q']),
    node('MatMul', ['x', 'Wk'], ['k']),
    node('MatMul', ['x', 'Wv'], ['v']),
    node('MatMul', ['x', 'Wa'], ['gate']),
    node('Sigmoid', ['gate'], ['alpha']),
    node('Unsqueeze', ['alpha', 'last'], ['alpha3']),
    node('Unsqueeze', ['k', 'last'], ['k3']),
    node('Unsqueeze', ['v', 'middle'], ['v3']),
    node('Unsqueeze', ['q', 'middle'], ['q3']),
    node('MatMul', ['k3', 'v3'], ['outer']),
    node('Mul', ['alpha3', 'S'], ['kept']),
    node('Add', ['kept', 'outer'], ['S_next']),
    node('MatMul', ['q3', 'S_next'], ['o3']),
    node('Squeeze', ['o3', 'middle'], ['y']),
  ],
  states: { S: [sizes.rows, sizes.units, sizes.units + 1] },
  y: float('y', sizes.rows, sizes.units + 1),
  weights: {
    Wq: small(7, sizes.features, sizes.units),
    Wk: small(8, sizes.features, sizes.units),
    Wv: small(9, sizes.features, sizes.units + 1),
    Wa: small(10, sizes.features, sizes.units),
    last: long(-1),
    middle: long(1),
  },
  sizes,
});

/** An LSTM whose gates and cell are normalised (Ba et al. 2016, https://arxiv.org/abs/1607.06450). */
export const layerNormLstm = (sizes: ScanSizes): ScanBody => ({
  name: 'LayerNorm-LSTM',
  nodes: [
    node('Gemm', ['x', 'W'], ['wx'], { transB: 1 }),
    node('LayerNormalization', ['wx', 'gx'], ['nx'], { axis: -1, epsilon: 1e-5 }),
    node('Gemm', ['h', 'R'], ['rh'], { transB: 1 }),
    node('LayerNormalization', ['rh', 'gh', 'bias'], ['nh'], { axis: -1, epsilon: 1e-5 }),
    node('Add', ['nx', 'nh'], ['gates']),
    node('Split', ['gates'], ['i0', 'o0', 'f0', 'g0'], { axis: -1, num_outputs: 4 }),
    node('Sigmoid', ['i0'], ['ig']),
    node('Sigmoid', ['o0'], ['o']),
    node('Sigmoid', ['f0'], ['f']),
    node('Tanh', ['g0'], ['g']),
    node('Mul', ['f', 'c'], ['kept']),
    node('Mul', ['ig', 'g'], ['added']),
    node('Add', ['kept', 'added'], ['c_next']),
    node('LayerNormalization', ['c_next', 'gc'], ['nc'], { axis: -1, epsilon: 1e-5 }),
    node('Tanh', ['nc'], ['tc']),
    node('Mul', ['o', 'tc'], ['h_next']),
    node('Identity', ['h_next'], ['y']),
  ],
  states: { h: [sizes.rows, sizes.units], c: [sizes.rows, sizes.units] },
  y: float('y', sizes.rows, sizes.units),
  weights: {
    W: small(11, 4 * sizes.units, sizes.features),
    R: small(12, 4 * sizes.units, sizes.units),
    gx: small(13, 4 * sizes.units),
    gh: small(14, 4 * sizes.units),
    bias: small(15, 4 * sizes.units),
    gc: small(16, sizes.units),
  },
  sizes,
});

/** minGRU (Feng et al. 2024, https://arxiv.org/abs/2410.01201): h = (1 - z)·h + z·h̃, with z and h̃ from x. */
export const minGru = (sizes: ScanSizes): ScanBody => ({
  name: 'minGRU',
  nodes: [
    node('MatMul', ['x', 'Wz'], ['z0']),
    node('Sigmoid', ['z0'], ['z']),
    node('MatMul', ['x', 'Wh'], ['candidate']),
    node('Sub', ['one', 'z'], ['rest']),
    node('Mul', ['rest', 'h'], ['kept']),
    node('Mul', ['z', 'candidate'], ['added']),
    node('Add', ['kept', 'added'], ['h_next']),
    node('Identity', ['h_next'], ['y']),
  ],
  states: { h: [sizes.rows, sizes.units] },
  y: float('y', sizes.rows, sizes.units),
  weights: {
    Wz: small(17, sizes.features, sizes.units),
    Wh: small(18, sizes.features, sizes.units),
    one: scalar(1, 'float32'),
  },
  sizes,
});

/** All of them. */
export const scanBodies = (sizes: ScanSizes = SMALL): readonly ScanBody[] =>
  [selectiveScan, gatedLinearAttention, layerNormLstm, minGru].map((make) => make(sizes));

/** How a recurrence is written down. */
export interface ScanForm {
  readonly op: 'Scan' | 'Loop';
  /** Whether the states begin as inputs of the model, `h0`, or as zeros of the file. */
  readonly begins?: 'inputs' | 'zeros';
}

/** The names of the states before and after a run. */
export const statePairs = ({ states }: ScanBody): Record<string, string> =>
  Object.fromEntries(Object.keys(states).map((name) => [`${name}N`, `${name}0`]));

/** A file with a recurrence over x [T, B, I]: ys [T, …], and its last states. */
export function scanGraph(body: ScanBody, { op, begins = 'zeros' }: ScanForm): OnnxGraph {
  const names = Object.keys(body.states);
  const states = names.map((name) => float(name, ...body.states[name]!));
  const nexts = states.map(({ name, dims = [] }) => float(`${name}_next`, ...dims));
  const inner: OnnxGraph =
    op === 'Scan'
      ? {
          nodes: body.nodes,
          inputs: [...states, float('x', body.sizes.rows, body.sizes.features)],
          outputs: [...nexts, body.y],
        }
      : {
          nodes: [GOES_ON, node('Gather', ['xs', 'i'], ['x'], { axis: 0 }), ...body.nodes],
          inputs: [...COUNTER, ...states],
          outputs: [bool('go_out'), ...nexts, body.y],
        };
  const given = names.map((name) => `${name}0`);
  const outputs = [...names.map((name) => `${name}N`), 'ys'];
  const loop =
    op === 'Scan'
      ? [node('Scan', [...given, 'xs'], outputs, { body: inner, num_scan_inputs: 1 })]
      : [
          node('Shape', ['xs'], ['shape']),
          node('Gather', ['shape', 'zero'], ['T']),
          node('Loop', ['T', '', ...given], outputs, { body: inner }),
        ];
  const zeros = names.map((name): [string, Tensor] => {
    const dims = body.states[name]!;
    const size = dims.reduce((a, b) => a * b, 1);
    return [`${name}0`, { type: 'float32', dims, data: new Float32Array(size) }];
  });
  return {
    nodes: loop,
    inputs: [
      float('xs', 'T', body.sizes.rows, body.sizes.features),
      ...(begins === 'inputs'
        ? states.map(({ name, dims = [] }) => float(`${name}0`, ...dims))
        : []),
    ],
    outputs: [
      float('ys', 'T', ...(body.y.dims ?? [])),
      ...states.map(({ name, dims = [] }) => float(`${name}N`, ...dims)),
    ],
    initializers: {
      ...body.weights,
      ...(begins === 'zeros' && Object.fromEntries(zeros)),
      zero: scalar(0, 'int64'),
    },
  };
}
