// Runs a model with random numbers, times it, and compares it with float64.
import { type DataType, loadModel, type LoadOptions, tensor, type Tensor } from 'webgpu-rnn';
import type { Given } from './files.ts';

/** Numbers are the same for the same shapes. */
const SEED = 0x2545_f491;
/** Calls that are timed, after the first. */
const ROUNDS = 10;

/** What a trial needs of an input. */
export interface PlannedInput {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
}

/** One output of a trial. */
export interface TrialOutput {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly first: readonly string[];
  /** Largest difference from the float64 reference; undefined for what is no float. */
  readonly error: number | undefined;
}

/** What a trial found. */
export interface Trial {
  readonly backend: string;
  readonly reason: string;
  readonly loadMs: number;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly outputs: readonly TrialOutput[];
}

/** Random feeds: floats between -1 and 1, zeros and ones of every other type. */
export function randomFeeds(inputs: readonly PlannedInput[]): Record<string, Tensor> {
  let state = SEED;
  const next = (): number => {
    state ^= state << 13; // xorshift32, https://doi.org/10.18637/jss.v008.i14
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return Object.fromEntries(
    inputs.map(({ name, type, dims }) => {
      const size = dims.reduce((product, dim) => product * dim, 1);
      const isFloat = type.startsWith('float');
      const numbers = Array.from({ length: size }, () =>
        isFloat ? 2 * next() - 1 : Math.round(next()),
      );
      return [name, tensor(numbers, dims, type)];
    }),
  );
}

/**
 * Loads and runs a model on a device, once for its answer and {@link ROUNDS} times for the clock.
 *
 * @throws RnnError as `loadModel` and `run`
 */
export async function tryModel(
  { source }: Given,
  inputs: readonly PlannedInput[],
  values: Readonly<Record<string, readonly number[]>>,
  options: Pick<LoadOptions, 'device' | 'architecture'>,
): Promise<Trial> {
  const feeds = randomFeeds(inputs);
  for (const { name, type, dims } of inputs) {
    if (values[name]) feeds[name] = tensor([...values[name]], dims, type);
  }
  const began = performance.now();
  const model = await loadModel(source, options);
  try {
    const loaded = performance.now();
    const results = await model.run(feeds);
    const ran = performance.now();
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await model.run(feeds);
      times.push(performance.now() - start);
    }
    const expected = await referenceResults(source, feeds, options);
    return {
      backend: model.backend,
      reason: model.reason,
      loadMs: loaded - began,
      firstMs: ran - loaded,
      medianMs: times.toSorted((a, b) => a - b)[ROUNDS / 2]!,
      outputs: Object.entries(results).map(([name, result]) =>
        outputOf(name, result, expected[name]!),
      ),
    };
  } finally {
    model.dispose();
  }
}

async function referenceResults(
  source: Given['source'],
  feeds: Record<string, Tensor>,
  { architecture }: Pick<LoadOptions, 'architecture'>,
): Promise<Record<string, Tensor>> {
  const model = await loadModel(source, {
    device: 'reference',
    ...(architecture && { architecture }),
  });
  try {
    return await model.run(feeds);
  } finally {
    model.dispose();
  }
}

function outputOf(name: string, { type, dims, data }: Tensor, expected: Tensor): TrialOutput {
  const first = Array.from({ length: Math.min(4, data.length) }, (_, k) => {
    const value = data[k]!;
    return typeof value === 'number' && !Number.isInteger(value)
      ? value.toPrecision(4)
      : `${value}`;
  });
  if (!type.startsWith('float')) return { name, type, dims, first, error: undefined };
  let error = 0;
  for (let k = 0; k < data.length; k++) {
    const [got, wanted] = [Number(data[k]), Number(expected.data[k])];
    if (!Object.is(got, wanted)) error = Math.max(error, Math.abs(got - wanted));
  }
  return { name, type, dims, first, error };
}
