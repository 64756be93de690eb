// What the commands say of themselves, and the error for a command line that is wrong.
import { FORMAT_NAMES } from '../import/formats.ts';

/** A command line that makes no sense; the exit code is 2. */
export class UsageError extends Error {}

/** The text of `--help`. */
export const USAGE = `Recurrent networks on WebGPU.

webgpu-rnn inspect FILE [options]     what is in a model and what it would cost

  --dims NAME=16x1x40       shape of an input to plan for; free sizes are 1 otherwise
  --value NAME=16000        numbers of an input that decides what runs, 1,2,3 for several
  --plan                    every buffer and every dispatch of a run, one a line, and how the kernels
                            of recurrent layers were selected
  --wgsl KERNEL             the shader of a kernel, as the device compiles it
  --json                    everything else, as JSON

  It ends with 1 where an operator of the model is not supported.

webgpu-rnn run FILE --input NAME=x.npy [options]     run it once, or as a stream

  --input NAME=FILE         .npy, .wav or .json, or a number; NAME= may go where there is one input
  --output DIR              where NAME.npy of each output goes; without it the numbers are printed
  --as npy|json|wav         how outputs are written
  --dims NAME=1x16000       shape that the numbers of an input are given
  --device auto|webgpu|wasm|js|reference
  --stream N                step by step, N time steps each, keeping the state. A file with an axis
                            more than the input has one step on its first axis
  --axis NAME=0             which axis of an input is time, where its declaration does not tell
  --state OUTPUT=INPUT      state that the model gives and takes
  --rate 16000              sampling rate of .wav outputs; that of the input by default

webgpu-rnn --version

for both:

  --format ${FORMAT_NAMES.join('|')}
  --architecture FILE.json  the layers of a file that has weights only
  --weights f32|f16|int8    how a GPU stores the weights of recurrent layers
`;

/** `['X=1x2']` → X: '1x2'. */
export function pairsOf(
  list: readonly string[] | undefined,
  option: string,
): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const item of list ?? []) {
    const at = item.indexOf('=');
    if (at < 1) throw new UsageError(`${option} ${item}: expected NAME=…`);
    const name = item.slice(0, at);
    if (pairs.has(name)) throw new UsageError(`${option}: ${name} is there twice`);
    pairs.set(name, item.slice(at + 1));
  }
  return pairs;
}

/** `16x1x40` → [16, 1, 40]. */
export function shapeOf(text: string, option: string): readonly number[] {
  if (!/^\d+(x\d+)*$/.test(text)) throw new UsageError(`${option}=${text}: expected 16x1x40`);
  return text.split('x').map(Number);
}

/** Values with something made of each. */
export function mapPairs<T>(
  pairs: ReadonlyMap<string, string>,
  make: (text: string, name: string) => T,
): Record<string, T> {
  return Object.fromEntries([...pairs].map(([name, text]) => [name, make(text, name)]));
}
