// Finds the tokens among the inputs of a model and the scores among its outputs, and which axes they have.
import { RnnError } from '../errors.ts';
import type { Graph, ValueInfo } from '../graph.ts';
import type { Tensors } from '../backends/backend.ts';
import type { StreamedGraph } from '../backends/stateful-graph.ts';
import { StreamFeeds } from '../backends/stream-feeds.ts';
import { allocate, formatDims, isFloat, sizeOf, type Tensor } from '../tensor.ts';

/** How a model takes tokens. */
export interface TokenInput {
  readonly info: ValueInfo;
  /** Axis of time; undefined where the input is one step. */
  readonly timeAxis: number | undefined;
  /** Whether any number of steps may be fed at once. */
  readonly takesSequences: boolean;
  /** Whether a token is a row of zeros with a one; else it is its number. */
  readonly oneHot: boolean;
}

/** How a model gives scores. */
export interface ScoreOutput {
  /** The value of the graph to read: the output, or what goes into its softmax. */
  readonly value: string;
  /** Whether the value holds probabilities. */
  readonly isProbability: boolean;
  /** Axis of time; undefined where there is one row of scores for each sequence. */
  readonly timeAxis: number | undefined;
  readonly vocabulary: number;
}

const listed = (infos: readonly ValueInfo[]): string =>
  infos.map(({ name, type, dims }) => `${name} ${type} ${formatDims(dims)}`).join(', ') || 'none';

/** The value with this name, or the only one there is. */
export function chosenOf(
  infos: readonly ValueInfo[],
  name: string | undefined,
  option: string,
  what: string,
): ValueInfo {
  const found = name === undefined ? infos : infos.filter((info) => info.name === name);
  if (found.length === 1) return found[0]!;
  const got = name === undefined ? `${found.length} candidates` : `'${String(name)}'`;
  const expected = name === undefined ? `the name of the ${what}` : `one`;
  throw new RnnError(
    'INVALID_ARGUMENT',
    `options.${option}`,
    `${what}, got ${got}, expected ${expected} of: ${listed(infos)}`,
  );
}

/** A tensor of zeros for an input, at `batch` rows and `steps`. */
function zeros(input: TokenInput, batch: number, steps: number): Tensor {
  const dims = tokenDims(input, batch, steps);
  return { type: input.info.type, dims, data: allocate(input.info.type, sizeOf(dims)) } as Tensor;
}

/** The shape in which tokens are fed. */
export function tokenDims(
  { info, timeAxis, oneHot }: TokenInput,
  batch: number,
  steps: number,
): number[] {
  const { dims } = info;
  const rank = dims.length - (oneHot ? 1 : 0);
  const axes = dims.map((dim, axis) => {
    if (axis >= rank) return dim as number;
    return axis === timeAxis ? steps : 1;
  });
  const batchAxis = [...dims.keys()].find((axis) => axis < rank && axis !== timeAxis);
  return batchAxis === undefined ? axes : axes.with(batchAxis, batch);
}

/** Names of free dimensions that say that they are time. */
const TIME_NAME = /^(?:t|time.*|seq.*|steps?|frames?)$/i;

/** The axis of time by the names of the dimensions; the second where they say nothing. */
export const namedTimeAxis = (dims: ValueInfo['dims']): number =>
  TIME_NAME.test(String(dims[0])) && !TIME_NAME.test(String(dims[1])) ? 0 : 1;

/**
 * Reads the layout of the token input.
 *
 * @param time axis of time by name of the input, where it is known
 */
export function tokenInput(
  info: ValueInfo,
  time: ReadonlyMap<string, number>,
  batch: number,
): TokenInput {
  const { name, type, dims } = info;
  const last = dims.at(-1);
  const oneHot = isFloat(type) && dims.length >= 2 && typeof last === 'number' && last > 1;
  const rank = dims.length - (oneHot ? 1 : 0);
  const path = `options.tokens`;
  if (rank > 2 || rank === 0) {
    const what = `'${name}' is ${type} ${formatDims(dims)}, expected token numbers [B, T], [T, B] or [B], or rows `;
    throw new RnnError('INVALID_ARGUMENT', path, `${what}of zeros with a one [B, T, V]`);
  }
  const known = time.get(name);
  const timeAxis = rank === 2 ? (known ?? namedTimeAxis(dims)) : known === 0 ? 0 : undefined;
  if (rank === 1 && timeAxis === 0 && batch > 1) {
    const what = `got ${batch} prompts, expected one: '${name}' ${formatDims(dims)} has no axis for a batch`;
    throw new RnnError('INVALID_ARGUMENT', 'options.prompt', what);
  }
  const size = timeAxis === undefined ? 1 : dims[timeAxis]!;
  if (typeof size === 'number' && size !== 1) {
    const what = `'${name}' ${formatDims(dims)} takes ${size} steps at once, expected one, or any number`;
    throw new RnnError('INVALID_ARGUMENT', path, what);
  }
  const takesSequences = timeAxis !== undefined && typeof size === 'string';
  const found: TokenInput = { info, timeAxis, takesSequences, oneHot };
  dims.forEach((dim, axis) => {
    if (axis >= rank || axis === timeAxis || typeof dim !== 'number' || dim === batch) return;
    const what = `got ${batch} prompts, expected ${dim}: '${name}' is ${formatDims(dims)}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.prompt', what);
  });
  return found;
}

/** The node that makes a value, looked for behind nodes that only rename it. */
function makerOf({ nodes }: Graph, name: string) {
  let at = nodes.find(({ outputs }) => outputs.includes(name));
  while (at?.op === 'Identity') {
    const [source = ''] = at.inputs;
    at = nodes.find(({ outputs }) => outputs.includes(source));
  }
  return at;
}

/** The shape of a value of the streamed graph, for tokens of `steps`. */
function dimsOf(
  streamed: StreamedGraph,
  name: string,
  input: TokenInput,
  batch: number,
  steps: number,
  feeds: Tensors,
): readonly number[] {
  const unlimited = { maxUnrolled: Infinity, maxLiveElements: Infinity }; // the session has its limits
  const checker = new StreamFeeds(streamed, batch, unlimited);
  const { call } = checker.check({ ...feeds, [input.info.name]: zeros(input, batch, steps) });
  const { dims } = call.specialized.value(name)!;
  call.release();
  return dims;
}

/**
 * Reads the layout of the output with the scores.
 *
 * @param says what the caller says of them
 */
export function scoreOutput(
  streamed: StreamedGraph,
  output: ValueInfo,
  input: TokenInput,
  batch: number,
  feeds: Tensors,
  says: 'logits' | 'probabilities' | undefined,
): ScoreOutput {
  const { name } = output;
  const at = (steps: number): readonly number[] =>
    dimsOf(streamed, name, input, batch, steps, feeds);
  const one = at(1);
  const two = input.takesSequences ? at(2) : one;
  const differing = [...one.keys()].filter((axis) => one[axis] !== two[axis]);
  const [timeAxis] = differing;
  const vocabulary = one.at(-1) ?? 0;
  const isRow = sizeOf(one) === batch * vocabulary && timeAxis !== one.length - 1;
  if (!isRow || differing.length > 1 || vocabulary < 1 || one.length === two.length - 1) {
    const what = `'${name}', got ${formatDims(one)} for one step and ${formatDims(two)} for two`;
    const expected = `a row of scores for each of ${batch} sequences, as [B, T, V] or [B, V]`;
    throw new RnnError('SHAPE_MISMATCH', 'options.logits', `${what}, expected ${expected}`);
  }
  const maker = makerOf(streamed.graph, name);
  const axis = Number(maker?.attributes['axis'] ?? -1);
  const isSoftmax = maker?.op === 'Softmax' && (axis === -1 || axis === one.length - 1);
  if (isSoftmax && says !== 'logits') {
    return { value: maker.inputs[0]!, isProbability: false, timeAxis, vocabulary };
  }
  return { value: name, isProbability: says === 'probabilities', timeAxis, vocabulary };
}

/**
 * Tokens as the model takes them.
 *
 * @param rows equally many for each row
 * @throws RnnError `INVALID_ARGUMENT` for a token that a row of zeros with a one has no place for
 */
export function tokenTensor(input: TokenInput, rows: readonly (readonly number[])[]): Tensor {
  const { info, timeAxis, oneHot } = input;
  const [batch, steps] = [rows.length, rows[0]!.length];
  const isTimeFirst = timeAxis === 0;
  const flat = isTimeFirst
    ? Array.from({ length: steps }, (_, at) => rows.map((row) => row[at]!)).flat()
    : rows.flat();
  const result = zeros(input, batch, steps);
  if (!oneHot) {
    const { data } = result;
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      flat.forEach((token, i) => (data[i] = BigInt(token)));
    } else (data as Float32Array).set(flat);
    return result;
  }
  const width = info.dims.at(-1) as number;
  flat.forEach((token, i) => {
    if (token >= width) {
      const what = `token, got ${token}, expected 0 to ${width - 1}`;
      throw new RnnError('INVALID_ARGUMENT', 'options.prompt', what);
    }
    result.data[i * width + token] = 1;
  });
  return result;
}
