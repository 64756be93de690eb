// How sound is fed to a streaming denoiser: found out from the names and shapes of its inputs and outputs.
import type { DataType } from 'webgpu-rnn';

/** How a file wants its sound; what no shape tells. */
export interface Framing {
  /** Samples a second. */
  readonly sampleRate: number;
  /** New samples of a block, as a part of the transform: 2 for a half. Models of samples have no overlap. */
  readonly overlap: number;
  /** The window before the transform, and after its inverse. */
  readonly window: 'sqrt-hann' | 'hann' | 'vorbis';
}

/** What goes in and comes out: samples; magnitudes, and factors of them; real and imaginary parts. */
export type Kind = 'samples' | 'magnitudes' | 'complex';

/** All that the audio thread has to know of a model: plain data, which the address of its module carries. */
export interface Fit {
  readonly sampleRate: number;
  readonly hop: number;
  readonly kind: Kind;
  /** Samples of a transform; 0 for models of samples. */
  readonly size: number;
  readonly window: Framing['window'];
  /** Name and shape of the input that takes the sound. */
  readonly input: string;
  readonly dims: readonly number[];
  /** Name of the output that gives it. */
  readonly output: string;
  /** Whether magnitudes go in as log10(|X| + 0.001). */
  readonly isLog: boolean;
  /** Outputs that are fed back, and to which inputs. */
  readonly state: Readonly<Record<string, string>>;
}

/** Name, element type and shape, as `inspect` says them. */
export interface Value {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly (number | string)[];
}

/** A file that is no streaming denoiser of a kind that this page can feed. */
export class MisfitError extends Error {
  readonly code = 'MODEL_MISFIT';

  constructor(message: string) {
    super(message);
    this.name = 'MisfitError';
  }
}

/** Words of a name that say what its place is, not what it is. */
const PLACES = new Set(
  ['in', 'out', 'input', 'output', 'new', 'next', 'prev', 'old', 'n', 'i', 'o', '0'].values(),
);

/** What a name is about: `h_in`, `hOut`, `new_h`, `hn` and `h0` are all `h`. */
export function stemOf(name: string): string {
  const words = name
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/^([hc])([n0])$/, '$1_$2')
    .split(/[^a-z0-9]+/);
  return words.filter((word) => word !== '' && !PLACES.has(word)).join('_');
}

const sameDims = (a: Value, b: Value): boolean =>
  a.dims.length === b.dims.length && a.dims.every((dim, axis) => dim === b.dims[axis]);

const listOf = (values: readonly Value[]): string =>
  values.map(({ name, dims }) => `${name} [${dims.join(', ')}]`).join(', ') || 'none';

/** Outputs that are fed back: of the same shape as an input, and with a name about the same. */
function statesOf(inputs: readonly Value[], outputs: readonly Value[]): Record<string, string> {
  const state: Record<string, string> = {};
  for (const output of outputs) {
    const stem = stemOf(output.name);
    const found = inputs.filter((input) => stemOf(input.name) === stem && sameDims(input, output));
    if (stem !== '' && found.length === 1) state[output.name] = found[0]!.name;
  }
  return state;
}

/** The only value that is no state. */
function onlyOne(values: readonly Value[], what: 'input' | 'output', states: number): Value {
  if (values.length === 1 && values[0]!.type === 'float32') return values[0]!;
  const pairs = states === 1 ? '1 state was' : `${states} states were`;
  throw new MisfitError(
    `${pairs} recognised by name, which leaves as ${what} of the sound: ${listOf(values)}. ` +
      'Expected one of float32. Name each state alike on both sides, for example h_in and h_out.',
  );
}

const hasRadices = (size: number): boolean => {
  let left = size;
  for (const radix of [2, 3, 5]) while (left % radix === 0) left /= radix;
  return left === 1;
};

/** What a shape holds: an even number of samples, or size / 2 + 1 bins, once or as real and imaginary parts. */
function soundOf({ name, dims }: Value): { kind: Kind; count: number } {
  const numbers = dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  const sizes = numbers.filter((dim) => dim !== 1);
  const count = sizes.reduce((a, b) => Math.max(a, b), 1);
  const isPair = sizes.length === 2 && sizes.includes(2);
  if (sizes.length === 1 || isPair) {
    if (count % 2 === 1 && count >= 65 && hasRadices(count - 1)) {
      return { kind: isPair ? 'complex' : 'magnitudes', count };
    }
    if (!isPair && count % 2 === 0 && count >= 32) return { kind: 'samples', count };
  }
  throw new MisfitError(
    `${name} has the shape [${dims.join(', ')}]. Expected one block: an even number of samples, or the bins of a spectrum ` +
      '(161, 257, 481 …), once as magnitudes or twice as real and imaginary parts.',
  );
}

/**
 * Finds out how to feed a model.
 *
 * @throws MisfitError, with the reason in a sentence
 */
export function fitOf(
  inputs: readonly Value[],
  outputs: readonly Value[],
  { sampleRate, overlap, window }: Framing,
): Fit {
  const state = statesOf(inputs, outputs);
  const [from, to] = [new Set(Object.keys(state)), new Set(Object.values(state))];
  const input = onlyOne(
    inputs.filter(({ name }) => !to.has(name)),
    'input',
    from.size,
  );
  const output = onlyOne(
    outputs.filter(({ name }) => !from.has(name)),
    'output',
    from.size,
  );
  const [sound, made] = [soundOf(input), soundOf(output)];
  if (sound.kind !== made.kind || sound.count !== made.count) {
    throw new MisfitError(
      `${input.name} takes ${sound.count} ${sound.kind}, ${output.name} gives ${made.count} ${made.kind}. ` +
        'Expected as many of the same: samples for samples, factors for magnitudes, complex bins for complex bins.',
    );
  }
  const size = sound.kind === 'samples' ? 0 : 2 * (sound.count - 1);
  if (size % overlap !== 0) {
    throw new MisfitError(`A transform of ${size} samples has no hop of 1/${overlap} of it.`);
  }
  return {
    sampleRate,
    hop: size === 0 ? sound.count : size / overlap,
    kind: sound.kind,
    size,
    window,
    input: input.name,
    dims: input.dims.map((dim) => (typeof dim === 'number' ? dim : 1)),
    output: output.name,
    isLog: false,
    state,
  };
}

/** The address of a module with what it is to know. An audio thread has no other source when its module begins. */
export const addressOf = (url: string, fit: Fit): string =>
  `${url}${url.includes('?') ? '&' : '?'}fit=${encodeURIComponent(JSON.stringify(fit))}`;

/** Reads what {@link addressOf} wrote; audio threads have no `URL`. */
export function fitIn(address: string): Fit {
  const text = /[?&]fit=([^&#]*)/.exec(address)?.[1];
  if (text === undefined) throw new Error(`got ${address}, expected an address that says the fit`);
  return JSON.parse(decodeURIComponent(text)) as Fit;
}
