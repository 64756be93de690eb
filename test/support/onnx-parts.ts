// Short words for the parts of ONNX graphs that tests write by hand.
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import type { OnnxNode, OnnxValue } from './onnx-writer.ts';
import type { Random } from './random.ts';

type Size = number | string;

/** A float32 value. */
export const float = (name: string, ...dims: Size[]): OnnxValue => ({
  name,
  type: 'float32',
  dims,
});

/** An int64 value. */
export const int = (name: string, ...dims: Size[]): OnnxValue => ({ name, type: 'int64', dims });

/** A bool value. */
export const bool = (name: string, ...dims: Size[]): OnnxValue => ({ name, type: 'bool', dims });

/** A node. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ op, inputs, outputs, attributes });

/** A list of int64. */
export const long = (...values: number[]): Tensor => tensor(values, [values.length], 'int64');

/** One number. */
export const scalar = (value: number, type: 'int64' | 'bool' | 'float32'): Tensor =>
  tensor([value], [], type);

/** What makes tensors of random numbers. */
export const floatsOf =
  (random: Random) =>
  (...dims: number[]): Tensor =>
    tensor(random.floats(sizeOf(dims)), dims);

/** The first inputs of the body of a Loop. */
export const COUNTER: readonly OnnxValue[] = [int('i'), bool('go_in')];

/** A body that leaves the trip count to decide; its first output is `go_out`. */
export const GOES_ON: OnnxNode = node('Identity', ['go_in'], ['go_out']);
