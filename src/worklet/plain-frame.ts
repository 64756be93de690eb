// What is done with a block where the app does not say: samples to samples, or magnitudes to factors.
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import { formatDims, tensor, type Tensor } from '../tensor.ts';
import type { RnnFrame, RnnFrameModel, RnnProcessorDefinition } from './definition.ts';

const isSingle = ({ type }: ValueInfo): boolean => type === 'float32' || type === 'float16';

function only(
  values: readonly ValueInfo[],
  path: string,
  taken: (name: string) => boolean,
): ValueInfo {
  const left = values.filter(({ name }) => !taken(name));
  if (left.length === 1 && isSingle(left[0]!)) return left[0]!;
  const names = left.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none';
  const what = `got ${names}, expected one of float32: say the others in feeds or stream.state, or compute in frame`;
  throw new RnnError('INVALID_ARGUMENT', path, what);
}

/** The dims of an input that takes `count` numbers: free ones are 1, but for the last where it must be more. */
function dimsFor({ name, dims }: ValueInfo, count: number): number[] {
  const fixed = dims.reduce<number>(
    (size, dim) => (typeof dim === 'number' ? size * dim : size),
    1,
  );
  const last = dims.findLastIndex((dim) => typeof dim === 'string');
  const left = count / fixed;
  if (left !== 1 && (last < 0 || !Number.isInteger(left))) {
    const what = `got ${count} numbers of a block, expected ${formatDims(dims)}`;
    throw new RnnError('SHAPE_MISMATCH', `inputs.${name}`, what);
  }
  return dims.map((dim, axis) => (typeof dim === 'number' ? dim : axis === last ? left : 1));
}

/**
 * Makes the function that computes a block of a model.
 *
 * @param count numbers of a block: samples, or bins of a spectrum
 * @param state names of inputs and outputs that are state
 * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` for a model that does not go from one to the other
 */
export function plainFrame(
  model: RnnFrameModel,
  { spectrum, feeds = {} }: Pick<RnnProcessorDefinition, 'spectrum' | 'feeds'>,
  count: number,
  state: ReadonlySet<string>,
): (frame: RnnFrame) => void {
  const isTaken = (name: string): boolean => state.has(name) || Object.hasOwn(feeds, name);
  const input = only(model.inputs, 'model.inputs', isTaken);
  const output = model.outputs.find((value) => !state.has(value.name) && isSingle(value));
  if (!output) {
    throw new RnnError('INVALID_ARGUMENT', 'model.outputs', 'got none but state, expected one');
  }
  const numbers = new Float32Array(count);
  // The step copies what it is fed, so that one tensor serves all of them.
  const all = {
    ...feeds,
    [input.name]: { ...tensor(numbers, dimsFor(input, count)), type: input.type } as Tensor,
  };
  return ({ samples, re, im }) => {
    if (spectrum) for (let k = 0; k < count; k++) numbers[k] = Math.hypot(re[k]!, im[k]!);
    else numbers.set(samples);
    const { data, dims } = model.step(all)[output.name]!;
    if (data.length !== count) {
      const what = `got ${formatDims(dims)}, expected ${count} numbers for a block`;
      throw new RnnError('SHAPE_MISMATCH', `outputs.${output.name}`, what);
    }
    const results = data as Float32Array;
    if (!spectrum) return samples.set(results);
    for (let k = 0; k < count; k++) {
      re[k]! *= results[k]!;
      im[k]! *= results[k]!;
    }
  };
}
