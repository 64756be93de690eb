// The commands of `npx webgpu-rnn`: reads the command line, calls one, converts errors into exit codes.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { RnnError } from '../errors.ts';
import { inspect, type Inspection, type LoadOptions } from '../node.ts';
import { inspectionLines, planOf, shaderText } from './inspect-command.ts';
import { version } from '../../package.json' with { type: 'json' };
import type { Terminal } from './progress.ts';
import { runCommand } from './run-command.ts';
import { USAGE, UsageError, mapPairs, pairsOf, shapeOf } from './usage.ts';

const SHARED = {
  dims: { type: 'string', multiple: true },
  format: { type: 'string' },
  architecture: { type: 'string' },
  weights: { type: 'string' },
} as const;

const INSPECT = {
  ...SHARED,
  value: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  plan: { type: 'boolean' },
  wgsl: { type: 'string' },
} as const;

const RUN = {
  ...SHARED,
  input: { type: 'string', multiple: true },
  output: { type: 'string' },
  as: { type: 'string' },
  device: { type: 'string' },
  stream: { type: 'string' },
  axis: { type: 'string', multiple: true },
  state: { type: 'string', multiple: true },
  rate: { type: 'string' },
} as const;

/**
 * Runs a command line.
 *
 * @param argv what follows the name of the program
 * @returns the exit code: 0; 1 for a model or file that will not do, one that is inspected and cannot run included; 2
 *   for a wrong command line
 */
export async function main(
  argv: readonly string[],
  out: Terminal = process.stdout,
  errors: Terminal = process.stderr,
): Promise<number> {
  const [command, ...args] = argv;
  if (command === undefined || argv.includes('--help') || argv.includes('-h')) {
    out.write(USAGE);
    return command === undefined ? 2 : 0;
  }
  if (command === '--version' || command === '-v') {
    out.write(`${version}\n`);
    return 0;
  }
  try {
    if (command === 'inspect') return (await inspectFile(args, out)) ? 0 : 1;
    if (command !== 'run')
      throw new UsageError(`unknown command '${command}', expected inspect or run`);
    await runFile(args, out, errors);
    return 0;
  } catch (error) {
    const isUsage = error instanceof UsageError || isParseError(error);
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof RnnError ? ` (${error.code})` : '';
    const hint = isUsage ? '\ntry: webgpu-rnn --help' : remedyOf(error);
    errors.write(`webgpu-rnn: ${message}${code}${hint}\n`);
    return isUsage ? 2 : 1;
  }
}

/** Errors speak of options of the library; here they are flags. */
function remedyOf(error: unknown): string {
  if (!(error instanceof RnnError) || !error.path.startsWith('options.architecture')) return '';
  return '\noptions.architecture is what --architecture FILE.json holds';
}

const isParseError = (error: unknown): boolean =>
  error instanceof TypeError &&
  String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');

function onlyFile(positionals: readonly string[]): string {
  const [file, ...rest] = positionals;
  if (file === undefined) throw new UsageError('expected the FILE of a model');
  if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(' ')}`);
  return file;
}

/** What both commands load with. The library checks the values: they are what its users write. */
async function loadOptions(values: {
  readonly format?: string | undefined;
  readonly architecture?: string | undefined;
  readonly weights?: string | undefined;
}): Promise<Pick<LoadOptions, 'format' | 'architecture' | 'weights'>> {
  const { format, architecture, weights } = values;
  return {
    ...(format !== undefined && { format: format as NonNullable<LoadOptions['format']> }),
    ...(weights !== undefined && { weights: weights as NonNullable<LoadOptions['weights']> }),
    ...(architecture !== undefined && {
      architecture: (await readJson(architecture)) as NonNullable<LoadOptions['architecture']>,
    }),
  };
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: is no JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** @returns whether the model can run, as far as its operators say */
async function inspectFile(args: string[], out: Terminal): Promise<boolean> {
  const { values, positionals } = parseArgs({ args, options: INSPECT, allowPositionals: true });
  const file = onlyFile(positionals);
  const found = await inspect(file, {
    ...(await loadOptions(values)),
    dims: mapPairs(pairsOf(values.dims, '--dims'), (text, name) => shapeOf(text, `--dims ${name}`)),
    values: mapPairs(pairsOf(values.value, '--value'), (text, name) =>
      text.split(',').map((item) => numberOf(item, `--value ${name}`)),
    ),
  });
  out.write(`${inspectionText(found, file, values)}\n`);
  return found.unsupported.length === 0;
}

/** What the options ask for: the plan, the WGSL of a kernel, JSON, or the tables. */
function inspectionText(
  found: Inspection,
  file: string,
  { json, plan, wgsl }: { json?: boolean; plan?: boolean; wgsl?: string },
): string {
  if ([json, plan, wgsl !== undefined].filter(Boolean).length > 1) {
    throw new UsageError('expected one of --json, --plan and --wgsl');
  }
  if (json) return JSON.stringify(found, plain, 2);
  if (plan) return planOf(found).text;
  if (wgsl !== undefined) return shaderText(planOf(found), wgsl);
  return [file, '', ...inspectionLines(found)].join('\n');
}

/** Attributes hold NaN, tensors and graphs, which JSON cannot; plans and WGSL have options of their own. */
function plain(key: string, value: unknown): unknown {
  if (key === 'text' || key === 'shaders') return undefined;
  if (key === 'attributes') {
    return Object.fromEntries(
      Object.entries(value as object).filter(
        ([, item]) => typeof item !== 'object' || Array.isArray(item),
      ),
    );
  }
  return typeof value === 'bigint' ? String(value) : value;
}

function numberOf(text: string, option: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new UsageError(`${option}=${text}: expected a number`);
  }
  return value;
}

function countOf(text: string | undefined, option: string, min: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min) {
    throw new UsageError(`${option} ${text}: expected a whole number from ${min} up`);
  }
  return value;
}

const DEVICES = ['auto', 'webgpu', 'wasm', 'js', 'reference'] as const;

const isDevice = (name: string): name is (typeof DEVICES)[number] =>
  (DEVICES as readonly string[]).includes(name);

async function runFile(args: string[], out: Terminal, errors: Terminal): Promise<void> {
  const { values, positionals } = parseArgs({ args, options: RUN, allowPositionals: true });
  const file = onlyFile(positionals);
  const { device = 'auto', as = 'npy', output } = values;
  if (!isDevice(device)) {
    throw new UsageError(`--device ${device}: expected ${DEVICES.join(', ')}`);
  }
  if (as !== 'npy' && as !== 'json' && as !== 'wav') {
    throw new UsageError(`--as ${as}: expected npy, json or wav`);
  }
  if (output === undefined && values.as !== undefined) {
    throw new UsageError(`--as ${as}: expected --output DIR; without it outputs are printed`);
  }
  const axes = [...pairsOf(values.axis, '--axis')].map(([name, text]): [string, number] => [
    name,
    countOf(text, `--axis ${name}`, 0)!,
  ]);
  const shapes = mapPairs(pairsOf(values.dims, '--dims'), (text, name) =>
    shapeOf(text, `--dims ${name}`),
  );
  const request = {
    file,
    load: { ...(await loadOptions(values)), device } as const,
    inputs: values.input ?? [],
    output,
    as,
    shapes,
    stream: countOf(values.stream, '--stream', 1),
    axes: new Map(axes),
    state: mapPairs(pairsOf(values.state, '--state'), (text) => text),
    rate: countOf(values.rate, '--rate', 1),
  } as const;
  await runCommand(request, out, errors);
}
