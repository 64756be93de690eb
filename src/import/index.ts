// Files → Graph, whatever the format.
import { RnnError } from '../errors.ts';
import type { Graph } from '../graph.ts';
import { findMainFile, type MainFile } from './detect-format.ts';
import type { FormatOptions, ModelFiles } from './format.ts';
import { FORMAT_NAMES, FORMATS, type ModelFormat } from './formats.ts';
import { Budget, importLimits } from './limits.ts';
import { isOwned } from './owned-bytes.ts';
import { ownConstants } from './own-constants.ts';
import { readSource, type ModelSource, type ReadOptions } from './source.ts';

export type { ModelFiles } from './format.ts';
export type { ModelFormat } from './formats.ts';
export type { ImportLimits } from './limits.ts';
export { readSource } from './source.ts';

/** How to read a model. */
export interface ImportOptions extends FormatOptions {
  /** The format to insist on; found out from the bytes when left out. */
  readonly format?: ModelFormat | undefined;
}

/**
 * Brings the files of a source and reads the model in them.
 *
 * @throws RnnError as {@link readSource} and {@link importModel} do
 */
export async function importSource(
  source: Exclude<ModelSource, Graph>,
  options: ImportOptions & ReadOptions,
): Promise<Graph> {
  checkFormat(options.format);
  const { files, main } = await readSource(source, options);
  if (options.signal?.aborted) throw options.signal.reason;
  // Weights are uploaded by the first call, when the caller may have reused or transferred its bytes.
  const foreign = [...files.values()].filter((bytes) => !isOwned(bytes));
  const graph = await readModel(files, main, options);
  return ownConstants(graph, new Set(foreign.map(({ buffer }) => buffer)));
}

/**
 * Reads a model. Whether the engine has its operators is for the caller.
 *
 * @param files the model and the files with weights that it refers to, by name
 * @throws RnnError `INVALID_MODEL` for what is no sound model, `LIMIT_EXCEEDED` beyond the limits
 */
export async function importModel(files: ModelFiles, options: ImportOptions = {}): Promise<Graph> {
  checkFormat(options.format);
  return readModel(files, findMainFile(files, options.format), options);
}

async function readModel(
  files: ModelFiles,
  main: MainFile,
  options: ImportOptions,
): Promise<Graph> {
  const budget = new Budget(importLimits(options.limits));
  for (const [name, bytes] of files) {
    budget.spend('maxBytes', bytes.length, name, 'the files are too large');
  }
  const format = FORMATS.find(({ name }) => name === main.format)!;
  if (options.architecture !== undefined && !format.takesArchitecture) {
    const what = `got one for ${main.name}, whose format, ${format.name}, says its own layers`;
    throw new RnnError('INVALID_ARGUMENT', 'options.architecture', `${what}; expected none`);
  }
  return format.read(files, main.name, options);
}

function checkFormat(format: string | undefined): void {
  if (format === undefined || FORMATS.some(({ name }) => name === format)) return;
  const what = `got '${format}', expected ${FORMAT_NAMES.join(' or ')}`;
  throw new RnnError('INVALID_ARGUMENT', 'options.format', what);
}
