// Reads a zip archive: its directory, and the entries that are asked for. Nothing is unpacked before
// its size is known to be allowed.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
import { RnnError } from '../errors.ts';
import type { Budget } from './limits.ts';

/** A file within an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Size once unpacked, as the archive declares it. */
  readonly size: number;
  /** Unpacks it. */
  readonly bytes: () => Promise<Uint8Array>;
}

const SIGNATURE = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  entry: 0x02014b50,
  local: 0x04034b50,
};
const END_SIZE = 22;
const LONGEST_COMMENT = 0xffff;
const MAX_ENTRIES = 10_000; // Keras writes three, PyTorch one for each storage: 10^3
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1; // flag bit 0
const UTF8 = 0x800; // flag bit 11; else the names are in code page 437, of which nobody here uses a letter

const damaged = (path: string, what: string): RnnError =>
  new RnnError('INVALID_MODEL', path, `damaged zip file (${what})`);

/**
 * Reads the directory of an archive.
 *
 * @param path what errors call the archive; its entries are `archive:name`
 * @throws RnnError `INVALID_MODEL` for a damaged archive or names that lead out of it,
 *   `LIMIT_EXCEEDED` for too many entries or too large ones
 */
export function readZip(
  archive: Uint8Array,
  budget: Budget,
  path: string,
): ReadonlyMap<string, ZipEntry> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.length);
  try {
    return readDirectory(archive, view, budget, path);
  } catch (cause) {
    if (cause instanceof RangeError) throw damaged(path, 'an entry lies outside of the file');
    throw cause;
  }
}

function readDirectory(
  archive: Uint8Array,
  view: DataView,
  budget: Budget,
  path: string,
): ReadonlyMap<string, ZipEntry> {
  const { count, start } = findDirectory(view, path);
  if (count > MAX_ENTRIES) {
    const what = `too many entries, got ${count}, at most ${MAX_ENTRIES}`;
    throw new RnnError('LIMIT_EXCEEDED', path, what);
  }
  const entries = new Map<string, ZipEntry>();
  let at = start;
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== SIGNATURE.entry) throw damaged(path, `no entry ${i}`);
    const flags = view.getUint16(at + 8, true);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      view.getUint16(at + field, true),
    ) as [number, number, number];
    const name = new TextDecoder(flags & UTF8 ? 'utf-8' : 'latin1').decode(
      slice(archive, at + 46, nameLength),
    );
    const where = `${path}:${name}`;
    checkName(name, path, budget);
    if (entries.has(name)) throw damaged(where, 'the name is there twice');
    const wide = wideFields(view, at, nameLength, extraLength);
    budget.spend('maxBytes', wide.size, where, 'too large once unpacked');
    const method = view.getUint16(at + 10, true);
    // Deflate makes at most 1032 bytes of one, so a directory that promises more is no honest one.
    if (method === DEFLATED && wide.size > wide.packed * 1032 + 64) {
      throw damaged(where, `${wide.packed} bytes for ${wide.size}`);
    }
    budget.expand(wide.size, where);
    if (flags & ENCRYPTED) throw new RnnError('INVALID_MODEL', where, 'the entry is encrypted');
    entries.set(name, {
      name,
      size: wide.size,
      bytes: () => unpack(archive, view, { ...wide, method, path: where }),
    });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** Where the directory begins and how many entries it has. */
function findDirectory(view: DataView, path: string): { count: number; start: number } {
  // The record stands at the end, behind it nothing but a comment.
  const last = view.byteLength - END_SIZE;
  for (let at = last; at >= 0 && at >= last - LONGEST_COMMENT; at--) {
    if (view.getUint32(at, true) !== SIGNATURE.end) continue;
    const count = view.getUint16(at + 10, true);
    const start = view.getUint32(at + 16, true);
    if (count !== 0xffff && start !== 0xffffffff) return { count, start };
    if (at < 20 || view.getUint32(at - 20, true) !== SIGNATURE.locator64) return { count, start };
    const wide = Number(view.getBigUint64(at - 12, true));
    if (view.getUint32(wide, true) !== SIGNATURE.end64) throw damaged(path, 'no directory');
    return {
      count: Number(view.getBigUint64(wide + 32, true)),
      start: Number(view.getBigUint64(wide + 48, true)),
    };
  }
  throw damaged(path, 'no directory at its end; is the file complete?');
}

function checkName(name: string, path: string, budget: Budget): void {
  budget.check('maxNameLength', name.length, path, 'too long a name');
  if (/^[/\\]|^[a-z]:|(^|[/\\])\.\.([/\\]|$)|\0/i.test(name)) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `got an entry named ${JSON.stringify(name)}, expected a name that stays within the archive`,
    );
  }
}

/** Where an entry lies; sizes that do not fit 32 bits stand in an extra field. */
interface Extent {
  readonly size: number;
  readonly packed: number;
  readonly offset: number;
}

function wideFields(view: DataView, at: number, nameLength: number, extraLength: number): Extent {
  const fields = { size: 24, packed: 20, offset: 42 }; // in the order of the extra field
  const narrow = Object.entries(fields).map(([key, field]): [string, number] => [
    key,
    view.getUint32(at + field, true),
  ]);
  const extent = Object.fromEntries(narrow);
  const extraEnd = at + 46 + nameLength + extraLength;
  for (let extra = at + 46 + nameLength; extra + 4 <= extraEnd;) {
    let field = extra + 4;
    if (view.getUint16(extra, true) === 1) {
      for (const [key, value] of narrow) {
        if (value !== 0xffffffff) continue;
        extent[key] = Number(view.getBigUint64(field, true));
        field += 8;
      }
    }
    extra += 4 + view.getUint16(extra + 2, true);
  }
  return { size: extent['size']!, packed: extent['packed']!, offset: extent['offset']! };
}

function slice(archive: Uint8Array, from: number, length: number): Uint8Array<ArrayBuffer> {
  if (!(from + length <= archive.length)) throw new RangeError('outside of the file');
  return archive.subarray(from, from + length) as Uint8Array<ArrayBuffer>;
}

async function unpack(
  archive: Uint8Array,
  view: DataView,
  { size, packed, offset, method, path }: Extent & { method: number; path: string },
): Promise<Uint8Array> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    if (view.getUint32(offset, true) !== SIGNATURE.local) throw damaged(path, 'no such entry');
    // The local header repeats the name and may have other extra fields.
    const header = 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
    bytes = slice(archive, offset + header, packed);
  } catch (cause) {
    if (cause instanceof RangeError) throw damaged(path, 'it lies outside of the file');
    throw cause;
  }
  if (method === STORED) {
    if (packed !== size) throw damaged(path, `${packed} bytes, its directory says ${size}`);
    return bytes;
  }
  if (method === DEFLATED) return inflate(bytes, size, path);
  throw new RnnError(
    'INVALID_MODEL',
    path,
    `got compression ${method}, expected stored or deflated`,
  );
}

/** Unpacks to as many bytes as the directory declares, and never to more. */
async function inflate(
  bytes: Uint8Array<ArrayBuffer>,
  size: number,
  path: string,
): Promise<Uint8Array> {
  const result = new Uint8Array(size);
  let filled = 0;
  const reader = new Blob([bytes])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
    .getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (filled + part.value.length > size)
        throw damaged(path, `more than the ${size} bytes it declares`);
      result.set(part.value, filled);
      filled += part.value.length;
    }
  } catch (cause) {
    await reader.cancel().catch(() => {}); // it has failed already
    if (cause instanceof RnnError) throw cause;
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new RnnError('INVALID_MODEL', path, `damaged zip file (${what})`, { cause });
  }
  if (filled !== size) throw damaged(path, `${filled} bytes, its directory says ${size}`);
  return result;
}
