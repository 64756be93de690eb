// Brings the bytes of a model, wherever it is, as files by name.
import { environment } from '../environment.ts';
import { RnnError } from '../errors.ts';
import type { Graph } from '../graph.ts';
import { externalFilesOf } from './external-files.ts';
import { DEFAULT_IMPORT_LIMITS } from './limits.ts';
import type { ImportLimits } from './limits.ts';

/** Bytes in memory. */
export type Bytes = ArrayBuffer | Uint8Array | Blob;

/** Where a model comes from. */
export type ModelSource = string | URL | Bytes | Readonly<Record<string, Bytes>> | Graph;

/** How far a load has come. */
export interface Progress {
  /** Name of the file that is arriving. */
  readonly file: string;
  /** Bytes of it so far. */
  readonly loaded: number;
  /** Bytes of it in all, where the server says so. */
  readonly total: number | undefined;
}

/** What reading a source needs of the options of `loadModel`. */
export interface ReadOptions {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  readonly limits: Partial<ImportLimits> | undefined;
}

const nameOf = (url: string): string =>
  url
    .replace(/[?#].*$/, '')
    .split('/')
    .at(-1) || 'model';

const owned = new WeakSet<Uint8Array>();

/** Whether bytes came from {@link readSource} and nobody else holds them. */
export const isOwned = (bytes: Uint8Array): boolean => owned.has(bytes);

function own(bytes: Uint8Array): Uint8Array {
  owned.add(bytes);
  return bytes;
}

async function bytesOf(bytes: Bytes, path: string): Promise<Uint8Array> {
  if (bytes instanceof Uint8Array) return bytes;
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  if (typeof Blob !== 'undefined' && bytes instanceof Blob) {
    return own(new Uint8Array(await bytes.arrayBuffer()));
  }
  throw new RnnError(
    'INVALID_ARGUMENT',
    path,
    `got ${Object.prototype.toString.call(bytes).slice(8, -1)}, expected a URL, a path, an ` +
      'ArrayBuffer, a Uint8Array, a Blob, files by name, or a Graph',
  );
}

/** The bytes with another length; moved and not copied, where the engine can. */
function resized(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const { transfer } = ArrayBuffer.prototype as {
    transfer?: (this: ArrayBuffer, length: number) => ArrayBuffer;
  };
  if (transfer) return new Uint8Array(transfer.call(bytes.buffer, length));
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}

async function download(
  url: string,
  { signal, onProgress, limits }: ReadOptions,
): Promise<Uint8Array> {
  const file = nameOf(url);
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw new RnnError('INVALID_MODEL', 'source', `${url} could not be fetched`, { cause });
  }
  if (!response.ok) {
    const what = `${url} answered ${response.status} ${response.statusText}`.trim();
    throw new RnnError('INVALID_MODEL', 'source', what);
  }
  const most = limits?.maxBytes ?? DEFAULT_IMPORT_LIMITS.maxBytes;
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  // A compressed answer is longer than its content-length says.
  const total =
    response.headers.has('content-encoding') || Number.isNaN(length) ? undefined : length;
  const tooLong = (loaded: number): void => {
    if (loaded <= most) return;
    throw new RnnError(
      'LIMIT_EXCEEDED',
      'source',
      `${url} has more than ${most} bytes (limits.maxBytes)`,
    );
  };
  tooLong(total ?? 0);
  // Where the length is known the bytes go straight to their place: no second copy of the weights.
  let bytes = new Uint8Array(total ?? 1 << 16);
  let loaded = 0;
  onProgress?.({ file, loaded, total });
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
    const end = loaded + part.value.length;
    tooLong(end);
    if (end > bytes.length) {
      bytes = resized(bytes, Math.max(end, bytes.length * 2));
    }
    bytes.set(part.value, loaded);
    loaded = end;
    onProgress?.({ file, loaded, total });
  }
  return loaded < bytes.length ? resized(bytes, loaded) : bytes;
}

async function fetchFile(source: string | URL, options: ReadOptions): Promise<Uint8Array> {
  const text = String(source);
  const { readFile } = environment;
  const isPath = !/^[a-z][a-z0-9+.-]+:/i.test(text) || text.startsWith('file:');
  if (!isPath || !readFile) return own(await download(text, options));
  const { signal, onProgress } = options;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(text, signal);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw new RnnError('INVALID_MODEL', 'source', `${text} could not be read`, { cause });
  }
  onProgress?.({ file: nameOf(text), loaded: bytes.length, total: bytes.length });
  return own(bytes);
}

/**
 * The files of a source. A TF.js `model.json` brings the weight files beside it, an ONNX file its
 * external data.
 *
 * @throws RnnError `INVALID_MODEL` for what cannot be fetched, `INVALID_ARGUMENT` for a source of
 *   another kind, `LIMIT_EXCEEDED` for a file over `limits.maxBytes`
 */
export async function readSource(
  source: Exclude<ModelSource, Graph>,
  options: ReadOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (typeof source === 'string' || source instanceof URL) {
    const url = String(source);
    const main = await fetchFile(source, options);
    const files = new Map([[nameOf(url), main]]);
    const base = url.replace(/[?#].*$/, '').replace(/[^/]*$/, '');
    const query = /\?[^#]*/.exec(url)?.[0] ?? '';
    for (const name of await externalFilesOf(nameOf(url), main, { limits: options.limits })) {
      files.set(name, await fetchFile(base + name + query, options));
    }
    return files;
  }
  const proto: unknown = source === null ? undefined : Object.getPrototypeOf(source);
  if (proto === Object.prototype || proto === null) {
    const entries = Object.entries(source as Readonly<Record<string, Bytes>>);
    if (entries.length === 0) throw new RnnError('INVALID_ARGUMENT', 'source', 'no files');
    const read = entries.map(async ([name, bytes]): Promise<[string, Uint8Array]> => [
      name,
      await bytesOf(bytes, `source.${name}`),
    ]);
    return new Map(await Promise.all(read));
  }
  return new Map([['model', await bytesOf(source as Bytes, 'source')]]);
}
