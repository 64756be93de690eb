// Brings the files of a model, wherever they are, by name.
import { RnnError } from '../errors.ts';
import type { Graph } from '../graph.ts';
import { companionUrl, staysInFolder } from './companion-name.ts';
import { findMainFile, type MainFile } from './detect-format.ts';
import { download, isLocal, readLocal, type Progress } from './fetch-file.ts';
import type { ModelFiles } from './format.ts';
import { FORMATS, type ModelFormat } from './formats.ts';
import { IntegrityCheck, type Integrity } from './integrity.ts';
import { importLimits, type ImportLimits } from './limits.ts';
import { own } from './owned-bytes.ts';

export type { Progress } from './fetch-file.ts';

/** Bytes in memory. */
export type Bytes = ArrayBuffer | Uint8Array | Blob;

/** Where a model comes from. */
export type ModelSource = string | URL | Bytes | Readonly<Record<string, Bytes>> | Graph;

/** What reading a source needs of the options of `loadModel`. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly limits?: Partial<ImportLimits> | undefined;
  /** The format to insist on; found out from the bytes when left out. */
  readonly format?: ModelFormat | undefined;
  readonly integrity?: Integrity | undefined;
}

/** The files of a model, and which of them is the model. */
export interface SourceFiles {
  readonly files: ModelFiles;
  readonly main: MainFile;
}

/**
 * The files of a source. A TF.js `model.json` brings its weight files, an ONNX file its external
 * data, from its own folder and from nowhere else.
 *
 * @throws RnnError `FETCH_FAILED` for what cannot be fetched or read, `INVALID_MODEL` for what is no
 *   model, leads out of its folder or has another hash, `INVALID_ARGUMENT` for a source of another
 *   kind, `LIMIT_EXCEEDED` for more bytes than `limits.maxBytes`
 */
export async function readSource(
  source: Exclude<ModelSource, Graph>,
  options: ReadOptions,
): Promise<SourceFiles> {
  const integrity = new IntegrityCheck(options.integrity);
  const isAddress = typeof source === 'string' || source instanceof URL;
  const read = isAddress
    ? await readAddress(addressOf(source), options, integrity)
    : await readGiven(source, options, integrity);
  integrity.finish();
  return read;
}

/** A string or URL that can be fetched or read. */
function addressOf(source: string | URL): string {
  const text = String(source);
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(text);
  if (text.trim() !== '' && (!isUrl || URL.canParse(text))) return text;
  const what = `got ${JSON.stringify(text)}, expected a URL or a path`;
  throw new RnnError('INVALID_ARGUMENT', 'source', what);
}

const nameOf = (address: string): string =>
  address
    .replace(/[?#].*$/, '')
    .split('/')
    .at(-1) || 'model';

async function readAddress(
  address: string,
  options: ReadOptions,
  integrity: IntegrityCheck,
): Promise<SourceFiles> {
  const { signal, onProgress } = options;
  let maxBytes = importLimits(options.limits).maxBytes;
  const files = new Map<string, Uint8Array>();
  const add = async (name: string, bytes: Uint8Array): Promise<void> => {
    await integrity.check(name, bytes);
    maxBytes -= bytes.length;
    files.set(name, bytes);
  };
  const name = nameOf(address);
  const local = isLocal(address);
  const get = local ? readLocal : download;
  await add(name, await get(address, { signal, onProgress, maxBytes, file: name }));
  const main = findMainFile(files, options.format);
  const format = FORMATS.find((known) => known.name === main.format)!;
  const names = new Set(await format.companions(files.get(name)!, options));
  names.delete(name); // the importer says that a model cannot be its own weights
  for (const other of names) {
    integrity.expects(other);
    const file = { signal, onProgress, maxBytes, file: other };
    const where = local ? address : companionAddress(address, other);
    const bytes = local ? await readLocal(other, file, where) : await download(where, file);
    await add(other, bytes);
  }
  return { files, main };
}

function companionAddress(address: string, name: string): string {
  if (/^(data|blob):/i.test(address)) {
    const what = `${address.slice(0, 40)} has no folder to find '${name}' in, expected files by name`;
    throw new RnnError('INVALID_ARGUMENT', 'source', what);
  }
  const url = staysInFolder(name) ? companionUrl(address, name) : undefined;
  if (url !== undefined) return url;
  const what = `the model names a file '${name}', expected one in the folder of ${address}`;
  throw new RnnError('INVALID_MODEL', 'source', what);
}

async function readGiven(
  source: Exclude<ModelSource, Graph | string | URL>,
  { format }: ReadOptions,
  integrity: IntegrityCheck,
): Promise<SourceFiles> {
  const proto: unknown =
    typeof source === 'object' && source !== null ? Object.getPrototypeOf(source) : undefined;
  const isRecord = proto === Object.prototype || proto === null;
  const entries: [string, unknown][] = isRecord ? Object.entries(source) : [['model', source]];
  if (entries.length === 0) throw new RnnError('INVALID_ARGUMENT', 'source', 'got no files');
  const read = entries.map(async ([name, bytes]): Promise<[string, Uint8Array]> => [
    name,
    await bytesOf(bytes, isRecord ? `source.${name}` : 'source', isRecord),
  ]);
  const files = new Map(await Promise.all(read));
  for (const [name, bytes] of files) await integrity.check(name, bytes);
  return { files, main: findMainFile(files, format) };
}

async function bytesOf(bytes: unknown, path: string, inRecord: boolean): Promise<Uint8Array> {
  if (bytes instanceof Uint8Array) return bytes;
  const tag = Object.prototype.toString.call(bytes).slice(8, -1);
  // By its tag, since a frame or a test environment may have an ArrayBuffer of its own.
  if (tag === 'ArrayBuffer') return new Uint8Array(bytes as ArrayBuffer);
  if (typeof Blob !== 'undefined' && bytes instanceof Blob) {
    return own(new Uint8Array(await bytes.arrayBuffer()));
  }
  const isObject = (typeof bytes === 'object' && bytes !== null) || typeof bytes === 'function';
  const got = isObject ? tag : String(bytes);
  const others = inRecord ? '' : ', a URL or path, files by name, or a Graph';
  const what = `got ${got}, expected an ArrayBuffer, a Uint8Array or a Blob${others}`;
  throw new RnnError('INVALID_ARGUMENT', path, what);
}
