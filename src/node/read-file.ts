// Reads the files of a model in Node. A model is not trusted: what it names must be a regular file in
// its own folder, whatever symbolic links say, and nothing is read before its size is known.
import { constants } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative, isAbsolute, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReadFileOptions } from '../environment.ts';
import { RnnError } from '../errors.ts';

const toPath = (address: string): string =>
  /^file:/i.test(address) ? fileURLToPath(address) : address;

/** Bytes of one read, between which the signal is looked at. */
const CHUNK = 2 ** 26;

/**
 * Reads a whole file.
 *
 * @param address path or `file:` URL; with `main` a relative name in the folder of that file
 * @throws RnnError `LIMIT_EXCEEDED` beyond `maxBytes`; `INVALID_ARGUMENT`, or with `main`
 *   `INVALID_MODEL`, for what is no regular file or is outside of the folder. An error of Node for what
 *   is not there; the reason of the signal
 */
export async function readLocalFile(
  address: string,
  { signal, maxBytes, main }: ReadFileOptions,
): Promise<Uint8Array> {
  const path = main === undefined ? await realpath(toPath(address)) : await inFolder(address, main);
  // Before it is opened: opening a FIFO waits for somebody who writes.
  if (!(await stat(path)).isFile()) throw irregular(address, main);
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    return await contentOf(handle, address, { signal, maxBytes, main });
  } finally {
    await handle.close();
  }
}

async function contentOf(
  handle: FileHandle,
  address: string,
  { signal, maxBytes, main }: ReadFileOptions,
): Promise<Uint8Array> {
  const info = await handle.stat(); // of what was opened, which may have been swapped
  if (!info.isFile()) throw irregular(address, main);
  if (info.size > maxBytes) {
    const what = `${address} is too large, got ${info.size} bytes, at most ${maxBytes}`;
    throw new RnnError('LIMIT_EXCEEDED', 'source', `${what} are left of limits.maxBytes`);
  }
  const bytes = new Uint8Array(info.size);
  for (let at = 0; at < bytes.length;) {
    if (signal?.aborted) throw signal.reason;
    const { bytesRead } = await handle.read(bytes, at, Math.min(CHUNK, bytes.length - at), at);
    if (bytesRead === 0) throw new Error(`it ended after ${at} of ${bytes.length} bytes`);
    at += bytesRead;
  }
  return bytes;
}

/**
 * The real path of a file in the folder of a model. The folder is also that in which the model really
 * is: the cache of Hugging Face has links from names to files that lie together elsewhere.
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
async function inFolder(name: string, main: string): Promise<string> {
  const path = toPath(main);
  const folder = dirname(path);
  const real = await realpath(join(folder, ...name.split('/')));
  const roots = [await realpath(folder), dirname(await realpath(path))];
  if (roots.some((root) => isWithin(root, real))) return real;
  const what = `'${name}', which ${main} names, is ${real}, expected a file in the folder of the model`;
  throw new RnnError('INVALID_MODEL', 'source', what);
}

function isWithin(root: string, path: string): boolean {
  const route = relative(root, path);
  return route !== '' && route !== '..' && !route.startsWith(`..${sep}`) && !isAbsolute(route);
}

const irregular = (address: string, main: string | undefined): RnnError =>
  new RnnError(
    main === undefined ? 'INVALID_ARGUMENT' : 'INVALID_MODEL',
    'source',
    `${address} is a folder, a device or a pipe, expected a regular file`,
  );
