// Embedding and dense layers.
import { formatDims, tensor, type Tensor } from '../tensor.ts';
import { expectDims, expectWidth, mismatch, readActivation, readWeights } from './layer.ts';
import type { Layer, Weights } from './layer.ts';

/** Options of `embedding`. N ids, F features. */
export interface EmbeddingOptions {
  /** [N, F], a row for each id. */
  readonly weights: Weights;
  /** What its nodes are called after; by default its kind and its place. */
  readonly name?: string | undefined;
}

/**
 * Looks up a row of weights for each id: int32 [B, T] → [B, T, F]. It stands first.
 *
 * @example
 * ```ts
 * const graph = sequential([embedding({ weights: tensor(table, [65, 128]) }), lstm({ W, R, B })]);
 * ```
 */
export function embedding({ weights, name }: EmbeddingOptions): Layer {
  return {
    kind: 'embedding',
    name,
    wants: () => ({ type: 'int32' }),
    append: ({ builder, x, stem, path }) => {
      const E = readWeights(weights, `${path}.weights`);
      const [rows = 0, width = 0] = E.dims;
      expectDims(E, [rows, width], 'N × F', `${path}.weights`);
      if (x.type !== 'int32')
        throw mismatch(path, `${x.type} ${formatDims(x.dims)}`, 'ids, as first layer');
      const table = builder.constant(`${stem}/E`, () => E);
      const y = builder.node('Gather', stem, [table, x.name], { axis: 0 });
      return { name: y, type: 'float32', dims: [...x.dims, width] };
    },
  };
}

/** Options of `dense`. I inputs, O outputs. */
export interface DenseOptions {
  /** [O, I], as in PyTorch; Keras keeps the transpose. */
  readonly W: Weights;
  /** [O]; zeros when left out. */
  readonly b?: Weights | undefined;
  /** softmax, logSoftmax, or an activation of the recurrent layers, in any case; none by default. */
  readonly activation?: string | undefined;
  /** What its nodes are called after; by default its kind and its place. */
  readonly name?: string | undefined;
}

const SOFTMAXES: ReadonlyMap<string, string> = new Map([
  ['softmax', 'Softmax'],
  ['logsoftmax', 'LogSoftmax'],
]);

/**
 * activation(W·x + b) of each step or row: [B, T, I] → [B, T, O], [B, I] → [B, O].
 *
 * @example
 * ```ts
 * dense({ W: [[0.1, 0.2, 0.3]], b: [0.5], activation: 'sigmoid' }); // 3 inputs, 1 output
 * ```
 */
export function dense({ W, b, activation, name }: DenseOptions): Layer {
  const read = (path: string): Tensor<'float32'> => {
    const weights = readWeights(W, `${path}.W`);
    const [outputs = 0, inputs = 0] = weights.dims;
    expectDims(weights, [outputs, inputs], 'O × I', `${path}.W`);
    return weights;
  };
  return {
    kind: 'dense',
    name,
    wants: (path) => ({ type: 'float32', features: read(path).dims[1]! }),
    append: (place) => {
      const { builder, x, stem, path } = place;
      const weights = read(path);
      const [outputs, inputs] = weights.dims as [number, number];
      expectWidth(place, inputs);
      const columns = builder.constant(`${stem}/W`, () => transposed(weights, outputs, inputs));
      const bias = b === undefined ? undefined : readWeights(b, `${path}.b`);
      if (bias) expectDims(bias, [outputs], 'O', `${path}.b`);
      const offsets = bias ? [builder.constant(`${stem}/b`, () => bias)] : [];
      // Gemm adds the bias itself but knows rows only.
      const rows = x.dims.length === 2;
      const product = [x.name, columns, ...(rows ? offsets : [])];
      let y = builder.node(rows ? 'Gemm' : 'MatMul', stem, product);
      if (!rows && bias) y = builder.node('Add', `${stem}/bias`, [y, ...offsets]);
      if (activation !== undefined) {
        const softmax = SOFTMAXES.get(String(activation).toLowerCase());
        const op = softmax ?? readActivation(activation, `${path}.activation`);
        y = builder.node(op, `${stem}/activation`, [y], softmax ? { axis: -1 } : {});
      }
      return { name: y, type: 'float32', dims: x.dims.with(-1, outputs) };
    },
  };
}

/** [O, I] → [I, O]. */
function transposed({ data }: Tensor<'float32'>, outputs: number, inputs: number): Tensor {
  const result = new Float32Array(data.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) result[i * outputs + o] = data[o * inputs + i]!;
  }
  return tensor(result, [inputs, outputs]);
}
