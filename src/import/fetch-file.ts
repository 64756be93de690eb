// Brings the bytes of one file: from the network, or in Node from the file system.
import { environment } from '../environment.ts';
import { RnnError } from '../errors.ts';
import { own } from './owned-bytes.ts';

/** How far a load has come. */
export interface Progress {
  /** Name of the file that is arriving. */
  readonly file: string;
  /** Bytes of it so far. */
  readonly loaded: number;
  /** Bytes of it in all, where the server says so. */
  readonly total: number | undefined;
}

/** How one file is brought. */
export interface FetchOptions {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** The file is called this in `onProgress`. */
  readonly file: string;
  /** More bytes are refused, before they are read where the size is known, else while they arrive. */
  readonly maxBytes: number;
}

const failed = (what: string, cause?: unknown): RnnError =>
  new RnnError('FETCH_FAILED', 'source', what, { cause });

const tooLarge = (what: string, bytes: number | string, maxBytes: number): RnnError =>
  new RnnError(
    'LIMIT_EXCEEDED',
    'source',
    `${what} is too large, got ${bytes} bytes, at most ${maxBytes} are left of limits.maxBytes`,
  );

/** Whether an address is read by {@link readLocal}: a path or `file:` URL, in Node. */
export const isLocal = (address: string): boolean =>
  environment.readFile !== undefined &&
  (!/^[a-z][a-z0-9+.-]+:/i.test(address) || /^file:/i.test(address));

/**
 * Reads a file of the file system.
 *
 * @param path or `file:` URL; with `main` a name relative to the folder of that file, where it must lie
 * @throws RnnError `FETCH_FAILED` for what cannot be read, `LIMIT_EXCEEDED` beyond `maxBytes`,
 *   `INVALID_ARGUMENT`, or with `main` `INVALID_MODEL`, for what is no regular file, and for symbolic
 *   links out of the folder; the reason of the signal
 */
export async function readLocal(
  path: string,
  { signal, onProgress, file, maxBytes }: FetchOptions,
  main?: string,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await environment.readFile!(path, { signal, maxBytes, main });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof RnnError) throw cause;
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    throw failed(`${path} could not be read${why}`, cause);
  }
  onProgress?.({ file, loaded: bytes.length, total: bytes.length });
  return own(bytes);
}

/**
 * Fetches a file.
 *
 * @throws RnnError `FETCH_FAILED` with the URL, and the status where there is one, `LIMIT_EXCEEDED`
 *   beyond `maxBytes`, `OUT_OF_MEMORY` where the bytes do not fit; the reason of the signal
 */
export async function download(url: string, options: FetchOptions): Promise<Uint8Array> {
  const { signal } = options;
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok) {
      await response.body?.cancel().catch(() => undefined); // nobody reads the error page
      throw failed(`${url} answered ${response.status} ${response.statusText}`.trim());
    }
    return own(await bodyOf(response, url, options));
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof RnnError) throw cause;
    // A browser tells a page neither why a fetch failed nor that CORS was the reason.
    const why = cause instanceof Error ? `: ${reasonOf(cause)}` : '';
    throw failed(`${url} could not be fetched${why}`, cause);
  }
}

/** Node says `fetch failed` and puts the reason in the cause. */
const reasonOf = ({ message, cause }: Error): string =>
  cause instanceof Error && cause.message !== '' ? `${message} (${cause.message})` : message;

async function bodyOf(
  response: Response,
  url: string,
  { onProgress, file, maxBytes }: FetchOptions,
): Promise<Uint8Array> {
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  // A compressed answer is longer than its content-length says.
  const isKnown = !response.headers.has('content-encoding') && length >= 0;
  const total = isKnown ? length : undefined;
  const reader = response.body?.getReader();
  const refuse = async (refusal: RnnError): Promise<never> => {
    await reader?.cancel().catch(() => undefined); // the error says more
    throw refusal;
  };
  if (total !== undefined && total > maxBytes) {
    return refuse(tooLarge(url, total, maxBytes));
  }
  // Where the length is known the bytes go straight to their place: no second copy of the weights.
  let bytes = allocated(total ?? Math.min(1 << 16, maxBytes), url);
  let loaded = 0;
  onProgress?.({ file, loaded, total });
  for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
    const end = loaded + part.value.length;
    if (end > maxBytes) return refuse(tooLarge(url, `more than ${maxBytes}`, maxBytes));
    if (end > bytes.length) bytes = resized(bytes, Math.max(end, bytes.length * 2), url);
    bytes.set(part.value, loaded);
    loaded = end;
    onProgress?.({ file, loaded, total });
  }
  if (total !== undefined && loaded < total) {
    throw failed(`${url} ended after ${loaded} of ${total} bytes`);
  }
  return loaded < bytes.length ? resized(bytes, loaded, url) : bytes;
}

function allocated(length: number, url: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    const what = `no room for the ${length} bytes of ${url}`;
    throw new RnnError('OUT_OF_MEMORY', 'source', what, { cause });
  }
}

/** The bytes with another length; moved and not copied, where the engine can. */
function resized(
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
  url: string,
): Uint8Array<ArrayBuffer> {
  const { transfer } = ArrayBuffer.prototype as {
    transfer?: (this: ArrayBuffer, length: number) => ArrayBuffer;
  };
  if (transfer) return new Uint8Array(transfer.call(bytes.buffer, length));
  const other = allocated(length, url);
  other.set(bytes.subarray(0, length));
  return other;
}
