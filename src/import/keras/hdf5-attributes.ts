// Attributes that hold text. jsfive reads attributes too, but decodes a whole heap for each string.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, IV.A.2.m
import { RnnError } from '../../errors.ts';
import type { Budget } from '../limits.ts';

const padded = (size: number): number => Math.ceil(size / 8) * 8;

const utf8 = new TextDecoder();

/** A 64-bit number that is an address, a size or a count. */
export function word(file: DataView, at: number): number {
  return Number(file.getBigUint64(at, true));
}

/** The bytes from `at`, all of them. */
export function bytesAt(file: DataView, at: number, length: number): Uint8Array {
  if (!(at + length <= file.byteLength)) throw new RangeError(`nothing lies at byte ${at}`);
  return new Uint8Array(file.buffer, file.byteOffset + at, length);
}

const text = (bytes: Uint8Array): string => utf8.decode(bytes).replace(/\0+$/, '');

/** One attribute message: its name, and how to read its strings. */
interface AttributeMessage {
  readonly name: string;
  readonly strings: () => string[];
}

/**
 * Reads the header of an attribute message.
 *
 * @param at offset of the message within the file
 * @param path what errors call the object that has the attribute
 */
export function readAttribute(
  file: DataView,
  at: number,
  budget: Budget,
  path: string,
): AttributeMessage {
  const version = file.getUint8(at);
  if (version < 1 || version > 3) {
    throw new RnnError('INVALID_MODEL', path, `attribute of version ${version}, expected 1 to 3`);
  }
  const [nameSize, typeSize, spaceSize] = [2, 4, 6].map((field) =>
    file.getUint16(at + field, true),
  );
  const pad = version === 1 ? padded : (size: number): number => size;
  const nameAt = at + (version === 3 ? 9 : 8);
  const typeAt = nameAt + pad(nameSize!);
  const spaceAt = typeAt + pad(typeSize!);
  const dataAt = spaceAt + pad(spaceSize!);
  const name = text(bytesAt(file, nameAt, nameSize!));
  return {
    name,
    strings: () => {
      const where = `${path}.attrs['${name}']`;
      const count = elements(file, spaceAt, budget, where);
      budget.spend('maxEntries', count, where, 'too many strings');
      if (count === 0) return []; // h5py gives an empty list the type of numbers
      const kind = file.getUint8(typeAt) & 0x0f;
      const size = file.getUint32(typeAt + 4, true);
      if (kind === 3) {
        return Array.from({ length: count }, (_, i) =>
          text(bytesAt(file, dataAt + i * size, size)),
        );
      }
      if (kind === 9 && (file.getUint8(typeAt + 1) & 0x0f) === 1) {
        return Array.from({ length: count }, (_, i) =>
          heapString(file, dataAt + 16 * i, budget, where),
        );
      }
      throw new RnnError('INVALID_MODEL', where, `got values of class ${kind}, expected strings`);
    },
  };
}

/** Number of elements that a dataspace message declares. */
function elements(file: DataView, at: number, budget: Budget, path: string): number {
  const first = at + (file.getUint8(at) === 1 ? 8 : 4);
  let count = 1;
  for (let axis = 0; axis < file.getUint8(at + 1); axis++) count *= word(file, first + 8 * axis);
  budget.check('maxEntries', count, path, 'too many strings');
  return count;
}

/** A string of any length: its length, the collection that it lies in, and its number there. */
function heapString(file: DataView, at: number, budget: Budget, path: string): string {
  const length = file.getUint32(at, true);
  const collection = word(file, at + 4);
  const wanted = file.getUint32(at + 12, true);
  budget.spend('maxBytes', length, path, 'too many letters');
  if (length === 0) return '';
  const end = collection + word(file, collection + 8);
  let object = collection + 16;
  while (object + 16 <= end) {
    // Every look costs, for each of many strings may lie at the end of a long collection.
    budget.spend('maxEntries', 1, path, 'too many strings');
    const index = file.getUint16(object, true);
    if (index === wanted) return text(bytesAt(file, object + 16, length));
    if (index === 0) break; // the rest is free
    object += 16 + padded(word(file, object + 8));
  }
  throw new RnnError('INVALID_MODEL', path, `string ${wanted} is missing from its collection`);
}
