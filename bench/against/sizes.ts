// Compares the downloads of both packages: each chunk, and what a page loads in all for a kind of model.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePage, coreBytes } from '../../scripts/chunk-sizes.mjs';
import { modelFiles, type Files } from './model-files.ts';
import type { BenchPackage, PackagePair } from './packages.ts';

/** Bytes, gzip -9, minified. */
export interface SizeRow {
  readonly name: string;
  /** Absent where the old package has no such chunk. */
  readonly old?: number;
  readonly new?: number;
}

/** All sizes. */
export interface Sizes {
  /** The core and every lazy chunk, by name. */
  readonly chunks: readonly SizeRow[];
  /** Sums over the chunks that a page loads until the first result of a model on WebGPU. */
  readonly downloads: readonly SizeRow[];
}

/** Chunks and downloads that both packages have and that are larger in the new one. */
export const grown = ({ chunks, downloads }: Sizes): SizeRow[] =>
  [...chunks, ...downloads].filter(
    (row) => row.old !== undefined && row.new !== undefined && row.new > row.old,
  );

/** Rows of two tables by name, in the order of the new one; what only the old one has comes last. */
export function matchSizes(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): SizeRow[] {
  const names = new Set([...after.keys(), ...before.keys()]);
  return [...names].map((name) => ({
    name,
    ...(before.has(name) && { old: before.get(name)! }),
    ...(after.has(name) && { new: after.get(name)! }),
  }));
}

// As `npm run size`.
const SIZE_PAGE = `import { loadModel } from 'webgpu-rnn'; globalThis.use = loadModel;`;
const FILE_PAGE = `import { loadModel, tensor } from 'webgpu-rnn'; globalThis.use = { loadModel, tensor };`;
const WEIGHTS = `const weights = (...dims) => tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);`;
/** Pages that make an LSTM of 3 inputs and 4 units themselves. */
const CODE_PAGES = {
  'an LSTM as a Graph': `import { loadModel, tensor } from 'webgpu-rnn';
${WEIGHTS}
const attributes = { cell: 'lstm', direction: 'forward', hidden: 4, layout: 0, clip: 0, coupled: false,
  activations: ['Sigmoid', 'Tanh', 'Tanh'], alphas: [NaN, NaN, NaN], betas: [NaN, NaN, NaN],
  resetAfter: false, maskedOutput: 'zero' };
const makeGraph = () => ({
  name: 'lstm',
  inputs: [{ name: 'X', type: 'float32', dims: ['T', 1, 3] }],
  outputs: [{ name: 'Y', type: 'float32', dims: ['T', 1, 1, 4] }],
  constants: new Map([['W', weights(1, 16, 3)], ['R', weights(1, 16, 4)]]),
  nodes: [{ op: 'Recurrent', name: 'lstm', inputs: ['X', 'W', 'R'], outputs: ['Y'], attributes }],
});
globalThis.use = { loadModel, tensor, makeGraph };`,
  'an LSTM by sequential': `import { loadModel, lstm, sequential, tensor } from 'webgpu-rnn';
${WEIGHTS}
const makeGraph = () => sequential([lstm({ W: weights(16, 3), R: weights(16, 4), B: weights(32) })]);
globalThis.use = { loadModel, tensor, makeGraph };`,
};

/** Measures both packages. It needs an adapter. */
export async function measureSizes(pair: PackagePair): Promise<Sizes> {
  const files = await modelFiles();
  const [oldChunks, newChunks] = [await chunksOf(pair.old), await chunksOf(pair.new)];
  const [before, after] = [await downloadsOf(pair.old, files), await downloadsOf(pair.new, files)];
  return { chunks: matchSizes(oldChunks, newChunks), downloads: matchSizes(before, after) };
}

const bundle = ({ dist }: BenchPackage, page: string) => bundlePage(join(dist, 'index.js'), page);

async function chunksOf(pack: BenchPackage): Promise<Map<string, number>> {
  const { chunks } = await bundle(pack, SIZE_PAGE);
  const lazy = chunks.filter(({ core }) => !core);
  return new Map([
    ['core', coreBytes(chunks)],
    ...lazy.map(({ name, bytes }) => [name, bytes] as const),
  ]);
}

/** Bytes by kind of model, found by running one: which chunks load is decided at run time. */
async function downloadsOf(
  pack: BenchPackage,
  models: Readonly<Record<string, Files>>,
): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const [name, page] of Object.entries(CODE_PAGES)) {
    sums.set(name, downloadOf(pack, await bundle(pack, page)));
  }
  const page = await bundle(pack, FILE_PAGE);
  for (const [format, files] of Object.entries(models)) {
    sums.set(`a file of ${format}`, downloadOf(pack, page, files));
  }
  return sums;
}

const CHILD = fileURLToPath(new URL('downloads-child.mjs', import.meta.url));

function downloadOf(
  { dist }: BenchPackage,
  { chunks }: Awaited<ReturnType<typeof bundle>>,
  files?: Files,
): number {
  const folder = mkdtempSync(join(dist, '..', 'page-'));
  try {
    for (const { name, code } of chunks) {
      const counted = `(globalThis.loadedChunks ??= []).push(${JSON.stringify(name)});\n${code}`;
      writeFileSync(join(folder, name), counted);
    }
    const model = join(folder, 'model');
    if (files) mkdirSync(model);
    for (const [name, bytes] of Object.entries(files ?? {})) {
      writeFileSync(join(model, name), bytes);
    }
    const args = [CHILD, join(folder, 'page.js'), ...(files ? [model] : [])];
    const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
    const loaded = new Set(JSON.parse(printed.trim().split('\n').at(-1)!) as string[]);
    return chunks.filter(({ name }) => loaded.has(name)).reduce((sum, { bytes }) => sum + bytes, 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
