// Files → Graph, whatever the format. Each importer is loaded when a file of its format comes.
import { RnnError } from '../errors.ts';
import type { Graph } from '../graph.ts';
import { Budget, importLimits, type ImportLimits } from './limits.ts';
import type { PyTorchArchitecture } from './pytorch/architecture.ts';
import { isOwned } from './source.ts';
import { FORMATS, notAModel, sniff, type ModelFormat } from './detect-format.ts';

export type { ImportLimits } from './limits.ts';
export type { ModelFormat } from './detect-format.ts';

/** Files of a model by name. */
export type ModelFiles = ReadonlyMap<string, Uint8Array>;

/** How to read a model. */
export interface ImportOptions {
  /** The format to insist on; found out from the bytes when left out. */
  readonly format?: ModelFormat | undefined;
  /** What weights mean where the file does not say. */
  readonly architecture?: PyTorchArchitecture | undefined;
  readonly limits?: Partial<ImportLimits> | undefined;
}

type Importer = (files: ModelFiles, main: string, options: ImportOptions) => Promise<Graph>;

const IMPORTERS: Readonly<Partial<Record<ModelFormat, Importer>>> = {
  onnx: async (files, main, { limits }) => {
    const { importOnnx } = await import('./onnx/index.ts');
    const external = new Map([...files].filter(([name]) => name !== main));
    const bytes = files.get(main)!;
    return importOnnx(bytes, { limits, external, owned: isOwned(bytes) });
  },
  tfjs: async (files, _main, { limits }) => {
    const { importTfjs } = await import('./tfjs/index.ts');
    return importTfjs(files, { limits });
  },
  keras: async (files, main, { limits }) => {
    const { importKeras } = await import('./keras/index.ts');
    return importKeras(files.get(main)!, { limits, name: main });
  },
  safetensors: async (files, _main, { architecture, limits }) => {
    const { importPytorch } = await import('./pytorch/index.ts');
    return importPytorch(files, { architecture, limits });
  },
};

/**
 * Reads a model. Whether the engine has its operators is for the caller.
 *
 * @param files the model and the files with weights that it refers to, by name
 * @throws RnnError `INVALID_MODEL` for what is no sound model, `LIMIT_EXCEEDED` beyond the limits
 */
export async function importModel(files: ModelFiles, options: ImportOptions = {}): Promise<Graph> {
  const { format } = options;
  if (format !== undefined && !Object.hasOwn(IMPORTERS, format)) {
    const expected = Object.keys(IMPORTERS).join(' or ');
    throw new RnnError(
      'INVALID_ARGUMENT',
      'options.format',
      `got '${format}', expected ${expected}`,
    );
  }
  const budget = new Budget(importLimits(options.limits));
  for (const [name, bytes] of files) {
    budget.spend('maxBytes', bytes.length, name, 'the files are too large');
  }
  const [main, found] = mainFile(files, format);
  const read = IMPORTERS[found];
  if (read === undefined) throw notAModel(main, `a file of format ${found}`);
  if (options.architecture !== undefined && found !== 'safetensors') {
    const what = `got one for ${main}, whose format, ${found}, says its own layers; expected none`;
    throw new RnnError('INVALID_ARGUMENT', 'options.architecture', what);
  }
  return read(files, main, options);
}

/** Which file is the model, and in which format. */
function mainFile(files: ModelFiles, format: ModelFormat | undefined): [string, ModelFormat] {
  const names = [...files.keys()];
  if (names.length === 0) throw new RnnError('INVALID_ARGUMENT', 'source', 'got no files');
  const sniffed = names.map((name) => ({ name, found: sniff(name, files.get(name)!) }));
  const models = sniffed.flatMap(({ name, found }) =>
    found.kind === 'unknown' || found.kind === 'other' ? [] : [{ name, kind: found.kind }],
  );
  const wanted = models.filter(({ kind }) => format === undefined || kind === format);
  // Weights beside a model may look like anything; a model is called what it is.
  const named = wanted.find(({ name }) => /\.onnx$|model\.json$/i.test(name)) ?? wanted[0];
  if (named) return [named.name, named.kind];
  const [only] = sniffed;
  if (sniffed.length === 1 && only) {
    if (only.found.kind === 'other') throw notAModel(only.name, only.found.what);
    if (only.found.kind !== 'unknown') {
      throw notAModel(
        only.name,
        `a file of format ${only.found.kind} where ${format} was asked for`,
      );
    }
    // The bytes do not tell and the caller does: let the importer say what is wrong with them.
    if (format !== undefined) return [only.name, format];
    throw notAModel(only.name, `bytes that begin with ${hexOf(files.get(only.name)!)}`);
  }
  const list = sniffed.map(({ name, found }) =>
    found.kind === 'other' ? `${name} (${found.what})` : name,
  );
  throw new RnnError(
    'INVALID_MODEL',
    'source',
    `no model among ${list.join(', ')}, expected ${FORMATS}`,
  );
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');

export { externalFilesOf } from './external-files.ts';
export { readSource } from './source.ts';
