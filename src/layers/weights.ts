// How the weights of layers in code are given: as tensors, arrays or lists, in the axes of a framework.
import { formatDims, isFloat, sizeOf, tensor, type Tensor } from '../tensor.ts';
import { expectDims, invalid, mismatch, readChoice } from './layer.ts';

/** An array of floating point numbers. */
export type FloatArray = Float32Array | Float64Array;

/** A number, an array of numbers or a tensor, or a list of these of equal shape. */
export type NestedNumbers = number | FloatArray | Tensor | readonly NestedNumbers[];

/**
 * Weights: a tensor, or numbers within brackets, `[[1, 2], [3, 4]]` is [2, 2]. Lists of arrays or tensors are
 * stacked along a new first axis. A flat array takes its shape from its layer, where that tells.
 */
export type Weights = Tensor | FloatArray | readonly NestedNumbers[];

/**
 * Which framework's axes and gate blocks weights have. Matrices are [outputs, inputs] in ONNX and PyTorch, and
 * [inputs, outputs] in Keras. Gates of an LSTM: ONNX i o f c, PyTorch i f g o, Keras i f c o; of a GRU: ONNX
 * z r h, PyTorch r z n, Keras z r h.
 */
export type WeightOrder = 'onnx' | 'pytorch' | 'keras';

/** An option that says the order of the weights of a layer. */
export interface OrderOption {
  /** The framework whose axes and gate blocks the weights have; `'onnx'` by default. */
  readonly order?: WeightOrder | undefined;
}

/** The order of a layer. */
export const readOrder = (order: unknown, path: string): WeightOrder =>
  readChoice(order ?? 'onnx', ['onnx', 'pytorch', 'keras'] as const, `${path}.order`);

const isArray = (value: unknown): value is FloatArray =>
  value instanceof Float32Array || value instanceof Float64Array;

/** Whether weights have no shape of their own. */
export const isFlat = (weights: unknown): boolean =>
  isArray(weights) || (Array.isArray(weights) && typeof weights[0] === 'number');

/** Reads weights as float32, in the shape that was given. */
export function readWeights(weights: unknown, path: string): Tensor<'float32'> {
  if (Array.isArray(weights)) return nested(weights, path);
  if (isArray(weights)) return tensor(toFloat32(weights), [weights.length]);
  const { type, dims, data } = (weights ?? {}) as Partial<Tensor>;
  if (type === undefined || !Array.isArray(dims) || !ArrayBuffer.isView(data)) {
    throw invalid(path, typeof weights, 'a tensor, or numbers within brackets');
  }
  if (!isFloat(type)) throw invalid(path, `a tensor of ${type}`, 'float32');
  return tensor(toFloat32(data as FloatArray), dims);
}

const toFloat32 = (data: FloatArray): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data);

/** Reads weights of a known shape; a flat array takes it. */
export function readShaped(
  weights: unknown,
  dims: readonly number[],
  meaning: string,
  path: string,
): Tensor<'float32'> {
  const read = readWeights(weights, path);
  const fits = isFlat(weights) && read.data.length === sizeOf(dims);
  const shaped = fits ? { ...read, dims } : read;
  expectDims(shaped, dims, meaning, path);
  return shaped;
}

/**
 * Reads a matrix as [outputs, inputs].
 *
 * @param known sizes that are known, for a flat array and for the check
 * @param letters of the outputs and the inputs, for messages
 */
export function readMatrix(
  weights: unknown,
  order: WeightOrder,
  known: { readonly outputs?: number | undefined; readonly inputs?: number | undefined },
  letters: readonly [string, string],
  path: string,
): Tensor<'float32'> {
  const read = readWeights(weights, path);
  const isColumns = order === 'keras';
  const [o, i] = isColumns ? [1, 0] : [0, 1];
  const shown = isColumns ? letters.toReversed() : letters;
  let { dims } = read;
  if (dims.length === 1 && isFlat(weights)) {
    const inputs = known.inputs ?? dims[0]! / (known.outputs ?? Number.NaN);
    const outputs = known.outputs ?? dims[0]! / inputs;
    if (!Number.isSafeInteger(inputs) || !Number.isSafeInteger(outputs)) {
      const what = `${dims[0]} numbers without a shape`;
      throw mismatch(path, what, `[${shown.join(', ')}], as a tensor or within brackets`);
    }
    dims = isColumns ? [inputs, outputs] : [outputs, inputs];
  }
  const [outputs, inputs] = [known.outputs ?? dims[o] ?? 0, known.inputs ?? dims[i] ?? 0];
  const wanted = isColumns ? [inputs, outputs] : [outputs, inputs];
  const shaped = tensorOf(read.data, dims, path, shown);
  expectDims(shaped, wanted, shown.join(' × '), path);
  return isColumns ? transposed(shaped) : shaped;
}

function tensorOf(
  data: Float32Array,
  dims: readonly number[],
  path: string,
  letters: readonly string[],
): Tensor<'float32'> {
  if (sizeOf(dims) === data.length) return tensor(data, dims);
  throw mismatch(path, `${data.length} numbers`, `${formatDims(dims)} (${letters.join(' × ')})`);
}

/** [R, C] → [C, R]. */
export function transposed({ data, dims }: Tensor<'float32'>): Tensor<'float32'> {
  const [rows, columns] = dims as [number, number];
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!;
  }
  return tensor(result, [columns, rows]);
}

/** The shape of the first things in nested lists. */
function shapeOf(weights: unknown): number[] {
  if (Array.isArray(weights)) return [weights.length, ...shapeOf(weights[0])];
  if (isArray(weights)) return [weights.length];
  const { dims } = (weights ?? {}) as Partial<Tensor>;
  return Array.isArray(dims) ? [...(dims as number[])] : [];
}

function nested(weights: readonly unknown[], path: string): Tensor<'float32'> {
  const dims = shapeOf(weights);
  const result = new Float32Array(sizeOf(dims));
  let count = 0;
  const fill = (at: unknown, axis: number): void => {
    if (Array.isArray(at)) {
      if (at.length === dims[axis]) return at.forEach((item) => fill(item, axis + 1));
    } else if (typeof at === 'number') {
      if (axis === dims.length) return void (result[count++] = at);
    } else if (at !== null && typeof at === 'object') {
      const { data, dims: own } = readWeights(at, path);
      if (formatDims(own) === formatDims(dims.slice(axis))) {
        result.set(data, count);
        count += data.length;
        return;
      }
    }
    const expected = `numbers within brackets, all ${formatDims(dims)}`;
    throw invalid(path, 'lists of different lengths', expected);
  };
  fill(weights, 0);
  return tensor(result, dims);
}
