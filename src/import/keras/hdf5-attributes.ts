// Attributes that hold text.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, IV.A.2.m
import { RnnError } from '../../errors.ts';
import type { Budget } from '../limits.ts';
import { bytesAt, textOf as text, word } from './hdf5-objects.ts';

const padded = (size: number): number => Math.ceil(size / 8) * 8;

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
  view: DataView,
  at: number,
  budget: Budget,
  path: string,
): AttributeMessage {
  const version = view.getUint8(at);
  if (version < 1 || version > 3) {
    throw new RnnError('INVALID_MODEL', path, `attribute of version ${version}, expected 1 to 3`);
  }
  if (version > 1 && view.getUint8(at + 1) & 3) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      'an attribute whose type is shared, expected its own',
    );
  }
  const [nameSize, typeSize, spaceSize] = [2, 4, 6].map((field) =>
    view.getUint16(at + field, true),
  );
  const pad = version === 1 ? padded : (size: number): number => size;
  const nameAt = at + (version === 3 ? 9 : 8);
  const typeAt = nameAt + pad(nameSize!);
  const spaceAt = typeAt + pad(typeSize!);
  const dataAt = spaceAt + pad(spaceSize!);
  const name = text(bytesAt(view, nameAt, nameSize!));
  return {
    name,
    strings: () => {
      const where = `${path}.attrs['${name}']`;
      const count = elements(view, spaceAt, budget, where);
      budget.spend('maxEntries', count, where, 'too many strings');
      if (count === 0) return []; // h5py gives an empty list the type of numbers
      const kind = view.getUint8(typeAt) & 0x0f;
      const size = view.getUint32(typeAt + 4, true);
      if (kind === 3) {
        return Array.from({ length: count }, (_, i) =>
          text(bytesAt(view, dataAt + i * size, size)),
        );
      }
      if (kind === 9 && (view.getUint8(typeAt + 1) & 0x0f) === 1) {
        return Array.from({ length: count }, (_, i) =>
          heapString(view, dataAt + 16 * i, budget, where),
        );
      }
      throw new RnnError('INVALID_MODEL', where, `got values of class ${kind}, expected strings`);
    },
  };
}

/** Number of elements that a dataspace message declares. */
function elements(view: DataView, at: number, budget: Budget, path: string): number {
  const first = at + (view.getUint8(at) === 1 ? 8 : 4);
  let count = 1;
  for (let axis = 0; axis < view.getUint8(at + 1); axis++) count *= word(view, first + 8 * axis);
  budget.check('maxEntries', count, path, 'too many strings');
  return count;
}

/** A string of any length: its length, the collection that it lies in, and its number there. */
function heapString(view: DataView, at: number, budget: Budget, path: string): string {
  const length = view.getUint32(at, true);
  const collection = word(view, at + 4);
  const wanted = view.getUint32(at + 12, true);
  budget.spend('maxBytes', length, path, 'too many letters');
  if (length === 0) return '';
  const end = collection + word(view, collection + 8);
  let object = collection + 16;
  while (object + 16 <= end) {
    // Every look costs, for each of many strings may lie at the end of a long collection.
    budget.spend('maxEntries', 1, path, 'too many strings');
    const index = view.getUint16(object, true);
    if (index === wanted) return text(bytesAt(view, object + 16, length));
    if (index === 0) break; // what follows is free
    object += 16 + padded(word(view, object + 8));
  }
  throw new RnnError('INVALID_MODEL', path, `string ${wanted} is missing from its collection`);
}
