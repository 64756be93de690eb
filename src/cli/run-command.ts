// `webgpu-rnn run`: files in, files out.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel, type LoadOptions, type Model, type Tensor } from '../node.ts';
import { Progress, type Terminal } from './progress.ts';
import { cutIntoSteps } from './steps.ts';
import { UsageError } from './usage.ts';
import { readValue, toTensor, writeValue } from './values.ts';

/** A command line of `run` that has been read. */
export interface RunRequest {
  readonly file: string;
  readonly load: LoadOptions;
  /** `NAME=x.npy`, or `x.npy` where the model has one input. */
  readonly inputs: readonly string[];
  /** Folder of the files; undefined to print the numbers. */
  readonly output: string | undefined;
  readonly as: 'npy' | 'json' | 'wav';
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Time steps of each step of a stream; undefined to run at once. */
  readonly stream: number | undefined;
  readonly axes: ReadonlyMap<string, number>;
  /** Output → input. */
  readonly state: Readonly<Record<string, string>>;
  readonly rate: number | undefined;
}

const DEFAULT_RATE = 16_000;

/** Rows that are printed of an output. */
const MAX_ROWS = 20;

/** Numbers that are printed of a row. */
const MAX_NUMBERS = 10;

/** The numbers of an output, a row of its last axis in each line, as many as fit a terminal. */
function linesOf({ dims, data }: Tensor): string[] {
  const width = dims.at(-1) ?? 1;
  const rows = width === 0 ? 0 : data.length / width;
  const lines = Array.from({ length: Math.min(rows, MAX_ROWS) }, (_, row) => {
    const first = row * width;
    const numbers: (number | bigint)[] = [
      ...data.subarray(first, first + Math.min(width, MAX_NUMBERS)),
    ];
    const texts = numbers.map((value) =>
      typeof value === 'bigint' || Number.isInteger(value) ? String(value) : value.toPrecision(6),
    );
    return `  ${texts.join(' ')}${width > MAX_NUMBERS ? ` … ${width - MAX_NUMBERS} more` : ''}`;
  });
  if (rows > MAX_ROWS) lines.push(`  … ${rows - MAX_ROWS} rows more; --output DIR writes them all`);
  return lines;
}

/** Runs a model and says what it wrote. */
export async function runCommand(
  request: RunRequest,
  out: Terminal,
  errors: Terminal,
): Promise<void> {
  const model = await loadModel(request.file, request.load);
  try {
    const { feeds, rate } = await readFeeds(model, request);
    const start = performance.now();
    const { results, steps } =
      request.stream === undefined
        ? { results: await model.run(feeds), steps: 1 }
        : await runSteps(model, request, feeds, request.stream, errors);
    const ms = performance.now() - start;
    if (request.output !== undefined) await mkdir(request.output, { recursive: true });
    for (const [name, value] of Object.entries(results)) {
      const shape = `${value.type} [${value.dims.join(', ')}]`;
      if (request.output === undefined) {
        out.write(`${name}  ${shape}\n${linesOf(value).join('\n')}\n`);
        continue;
      }
      const file = join(request.output, `${name.replace(/[^\w.-]/g, '_')}.${request.as}`);
      await writeValue(file, value, request.rate ?? rate ?? DEFAULT_RATE);
      out.write(`${file}  ${shape}\n`);
    }
    const { backend, adapter } = model;
    const each = steps > 1 ? `, ${steps} steps of ${(ms / steps).toFixed(2)} ms` : '';
    out.write(`${ms.toFixed(1)} ms on ${backend} (${adapter})${each}\n`);
  } finally {
    model.dispose();
  }
}

async function readFeeds(
  { inputs }: Model,
  { inputs: given, shapes, axes }: RunRequest,
): Promise<{ feeds: Record<string, Tensor>; rate: number | undefined }> {
  const names = inputs.map(({ name }) => name);
  const unknown = [...Object.keys(shapes), ...axes.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`${unknown} is no input, expected one of ${names.join(', ')}`);
  }
  const feeds: Record<string, Tensor> = {};
  let rate: number | undefined;
  for (const item of given) {
    const { name, text } = splitInput(item, names);
    if (Object.hasOwn(feeds, name)) throw new UsageError(`--input: ${name} is there twice`);
    const value = await readValue(text);
    rate ??= value.rate;
    feeds[name] = toTensor(
      value,
      inputs.find((info) => info.name === name)!,
      shapes[name],
    );
  }
  return { feeds, rate };
}

/** File names may have `=` in them too: what stands before it counts only if it is an input. */
function splitInput(item: string, names: readonly string[]): { name: string; text: string } {
  const name = names.find((known) => item.startsWith(`${known}=`));
  if (name !== undefined) return { name, text: item.slice(name.length + 1) };
  if (names.length === 1 && !/^\w+=/.test(item)) return { name: names[0]!, text: item };
  throw new UsageError(`--input ${item}: expected NAME=FILE with ${names.join(' or ')}`);
}

async function runSteps(
  model: Model,
  { axes, state }: RunRequest,
  feeds: Readonly<Record<string, Tensor>>,
  length: number,
  errors: Terminal,
): Promise<{ results: Record<string, Tensor>; steps: number }> {
  const { inputs, outputs } = model;
  const steps = cutIntoSteps(inputs, outputs, feeds, length, axes, Object.keys(state));
  if (steps.count === 0) throw new UsageError('the input has no steps');
  const stream = model.stream({ state });
  const progress = new Progress(errors, steps.count, 'steps');
  const results: Record<string, Tensor>[] = [];
  try {
    for (let i = 0; i < steps.count; i++) {
      results.push(await stream.step(steps.feeds(i)));
      progress.at(i + 1);
    }
  } finally {
    progress.end();
  }
  return { results: steps.join(results), steps: steps.count };
}
