// The structure of an HDF5 file: where its objects are, and what their headers say. Of the format this
// reads what Keras writes: superblocks 0 to 3, both object headers, groups that are symbol tables and
// groups whose links are in their header. Addresses are checked by DataView, which throws a RangeError
// beyond the end; whatever a file can repeat is counted.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
import { RnnError } from '../../errors.ts';
import type { Budget } from '../limits.ts';

/** A file, and what counts the parts of it that are read. */
export interface H5File {
  readonly view: DataView;
  readonly budget: Budget;
}

/** A message of an object header: where its body is, and how long it is. */
export interface H5Message {
  readonly type: number;
  readonly at: number;
  readonly size: number;
}

/** Types of messages that are read, IV.A.2. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

/** The address of what is not there. */
const UNDEFINED = 0xffff_ffff_ffff_ffffn;

const utf8 = new TextDecoder();

/** A 64-bit number that is an address, a size or a count. */
export function word(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** The bytes from `at`, all of them. */
export function bytesAt(view: DataView, at: number, length: number): Uint8Array {
  if (!(at + length <= view.byteLength)) throw new RangeError(`nothing is at byte ${at}`);
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

/** A text that may end with zeros. */
export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes).replace(/\0+$/, '');

const damaged = (what: string): Error => new Error(what);

const signature = (view: DataView, at: number): string =>
  String.fromCharCode(...bytesAt(view, at, 4));

function expectSignature(view: DataView, at: number, expected: string): void {
  if (signature(view, at) !== expected) throw damaged(`no ${expected} at byte ${at}`);
}

/** A number of 1, 2, 4 or 8 bytes. */
function numberAt(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true);
  return width === 4 ? view.getUint32(at, true) : word(view, at);
}

/** Where the header of the root group is, II. */
export function rootAddress(view: DataView): number {
  if (view.getUint32(0) !== 0x89484446 || view.getUint32(4) !== 0x0d0a1a0a) {
    throw damaged('not a valid HDF5 file');
  }
  const version = view.getUint8(8);
  if (version > 3) throw damaged(`a superblock of version ${version}, expected 0 to 3`);
  const [sizes, base, root] = version < 2 ? [13, 24 + 4 * version, 64 + 4 * version] : [9, 12, 36];
  if (view.getUint8(sizes) !== 8 || view.getUint8(sizes + 1) !== 8) {
    throw damaged('addresses and lengths that are not of 8 bytes');
  }
  if (word(view, base) !== 0) throw damaged('addresses that do not count from the first byte');
  return word(view, root);
}

/** The messages of an object, IV.A.1. */
export function messagesOf({ view, budget }: H5File, address: number, path: string): H5Message[] {
  const isFirst = view.getUint8(address) === 1;
  const { start, size, extra } = isFirst
    ? { start: address + 16, size: view.getUint32(address + 8, true), extra: 0 }
    : newHeader(view, address);
  const head = isFirst ? 8 : 4 + extra;
  const found: H5Message[] = [];
  const blocks: [number, number][] = [[start, size]];
  const seen = new Set([start]);
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const [from, length] = block;
    for (let at = from; at + head <= from + length;) {
      budget.spend('maxEntries', 1, path, 'too many messages');
      const type = isFirst ? view.getUint16(at, true) : view.getUint8(at);
      const bytes = view.getUint16(at + (isFirst ? 2 : 1), true);
      const flags = view.getUint8(at + (isFirst ? 4 : 3));
      const body = at + head;
      if (type === MESSAGE.continuation) {
        // In the new layout a block begins with a signature and ends with a checksum.
        const [next, rest] = [word(view, body), word(view, body + 8)];
        const [first, count] = isFirst ? [next, rest] : [next + 4, rest - 8];
        if (!seen.has(first)) blocks.push([first, count]);
        seen.add(first);
      } else if (flags & 2 && isRead(type)) {
        throw damaged(`a message of type ${type} that is shared between objects`);
      } else if (isRead(type)) {
        found.push({ type, at: body, size: bytes });
      }
      at = body + bytes;
    }
  }
  return found;
}

const READ: ReadonlySet<number> = new Set(Object.values(MESSAGE));
const isRead = (type: number): boolean => READ.has(type);

/** Where the messages of a header of version 2 are, and how many bytes come before the body of one. */
function newHeader(view: DataView, address: number) {
  expectSignature(view, address, 'OHDR');
  const version = view.getUint8(address + 4);
  if (version !== 2) throw damaged(`an object header of version ${version}`);
  const flags = view.getUint8(address + 5);
  const at = address + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const width = 1 << (flags & 3);
  return { start: at + width, size: numberAt(view, at, width), extra: flags & 4 ? 2 : 0 };
}

/** What a group links to: names, and addresses of object headers. Links by name are left out. */
export function linksOf(
  file: H5File,
  messages: readonly H5Message[],
  path: string,
): [string, number][] {
  const { view } = file;
  const info = messages.find(({ type }) => type === MESSAGE.linkInfo);
  if (info && isDense(view, info, 8)) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      'got a group of many links in the newest layout of HDF5, expected the one that Keras ' +
        'writes: save the model again, or convert it with h5repack --high=0',
    );
  }
  const links: [string, number][] = [];
  for (const message of messages) {
    if (message.type === MESSAGE.symbolTable) {
      links.push(...symbolsOf(file, word(view, message.at), word(view, message.at + 8), path));
    } else if (message.type === MESSAGE.link) {
      const link = readLink(file, message.at, path);
      if (link) links.push(link);
    }
  }
  return links;
}

/** Whether links or attributes are in a fractal heap, and not in the header: IV.A.2.c and IV.A.2.v. */
export function isDense(view: DataView, { at }: H5Message, widthOfIndex: 2 | 8): boolean {
  const hasIndex = view.getUint8(at + 1) & 1;
  return view.getBigUint64(at + 2 + (hasIndex ? widthOfIndex : 0), true) !== UNDEFINED;
}

/** A link message, IV.A.2.g; undefined for a link by name. */
function readLink(
  { view, budget }: H5File,
  at: number,
  path: string,
): [string, number] | undefined {
  const flags = view.getUint8(at + 1);
  let next = at + 2;
  const type = flags & 8 ? view.getUint8(next++) : 0;
  next += (flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0);
  const width = 1 << (flags & 3);
  const length = numberAt(view, next, width);
  budget.check('maxNameLength', length, path, 'too long a name');
  const name = textOf(bytesAt(view, next + width, length));
  return type === 0 ? [name, word(view, next + width + length)] : undefined;
}

/** The links of a group in the old layout: a B-tree over tables of symbols, III.A.1, III.B and III.D. */
function symbolsOf(file: H5File, tree: number, heap: number, path: string): [string, number][] {
  const { view, budget } = file;
  let nodes = [tree];
  // Level by level, so that a tree whose branches meet again is seen to be too large.
  for (let level = view.getUint8(tree + 5); level >= 0 && nodes.length > 0; level--) {
    const below: number[] = [];
    for (const node of nodes) {
      expectSignature(view, node, 'TREE');
      if (view.getUint8(node + 4) !== 0 || view.getUint8(node + 5) !== level) {
        throw damaged(`a tree with another node at level ${level}`);
      }
      const count = view.getUint16(node + 6, true);
      budget.spend('maxEntries', count, path, 'too many links');
      for (let i = 0; i < count; i++) below.push(word(view, node + 32 + 16 * i));
    }
    nodes = below;
  }
  expectSignature(view, heap, 'HEAP');
  const names = bytesAt(view, word(view, heap + 24), word(view, heap + 8));
  return nodes.flatMap((node) => readSymbols(file, node, names, path));
}

function readSymbols(
  { view, budget }: H5File,
  node: number,
  names: Uint8Array,
  path: string,
): [string, number][] {
  expectSignature(view, node, 'SNOD');
  const count = view.getUint16(node + 6, true);
  budget.spend('maxEntries', count, path, 'too many links');
  const links: [string, number][] = [];
  for (let i = 0; i < count; i++) {
    const at = node + 8 + 40 * i;
    const from = word(view, at);
    if (from >= names.length) throw new RangeError(`no name at ${from}`);
    const longest = budget.limits.maxNameLength + 1;
    const end = names.subarray(from, from + longest).indexOf(0);
    if (end < 0) budget.check('maxNameLength', longest, path, 'too long a name');
    const isByName = view.getUint32(at + 16, true) === 2;
    const name = textOf(names.subarray(from, end < 0 ? names.length : from + end));
    if (!isByName) links.push([name, word(view, at + 8)]);
  }
  return links;
}
