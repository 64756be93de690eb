// Opens an HDF5 file as a tree of groups and datasets. jsfive knows how the file is laid out; what a
// model needs of the contents, strings and floating point numbers, is read here, straight from the
// bytes. Whatever a damaged or hostile file does ends with an RnnError.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
import { Dataset, File, type DataObjects, type Group } from 'jsfive';
import { RnnError } from '../../errors.ts';
import { tensor, type Tensor } from '../../tensor.ts';
import { fromFloat16 } from '../float16.ts';
import { elementCount, type Budget } from '../limits.ts';
import { GuardedBuffer } from './guarded-buffer.ts';
import { bytesAt, readAttribute, word } from './hdf5-attributes.ts';

/** A dataset, of which nothing is read before it is asked for. */
export interface H5Dataset {
  readonly path: string;
  /** Whether it holds floating point numbers: seeds and counters do not. */
  isFloat(): boolean;
  /** The numbers, when they are floating point. */
  floats(): Tensor<'float32'>;
}

/** A group: what it holds by name, and its attributes. */
export interface H5Group {
  readonly path: string;
  readonly groups: ReadonlyMap<string, H5Group>;
  readonly datasets: ReadonlyMap<string, H5Dataset>;
  /** The strings of an attribute, one for a scalar; undefined where there is no such attribute. */
  strings(name: string): readonly string[] | undefined;
}

// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, IV.A.2
const MESSAGE = { layout: 0x08, filters: 0x0b, attribute: 0x0c, continuation: 0x10 } as const;

/** What a walk through one file carries along. */
interface Walk {
  readonly file: DataView;
  readonly budget: Budget;
  readonly name: string;
  /** Addresses of the objects that have been opened. */
  readonly seen: Set<number>;
}

/**
 * Opens an HDF5 file and reads its whole structure, not its contents.
 *
 * @param name what errors call the file
 * @throws RnnError `INVALID_MODEL`, or `LIMIT_EXCEEDED` for a file that holds too much
 */
export function openHdf5(bytes: Uint8Array, budget: Budget, name: string): H5Group {
  return guarded(name, () => {
    const buffer = GuardedBuffer.of(bytes, name);
    const file = new DataView(buffer);
    const walk: Walk = { file, budget, name, seen: new Set() };
    enter(walk, rootAddress(file), name);
    return groupOf(walk, new File(buffer, name), name, 0);
  });
}

/** Runs a step that a damaged file may throw anything out of: jsfive throws bare strings too. */
function guarded<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof RnnError) throw cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    // What a DataView says of an address beyond the file tells nobody anything.
    const isOutside = cause instanceof RangeError;
    const what = isOutside ? 'it points beyond its end; is the file complete?' : text;
    throw new RnnError('INVALID_MODEL', path, `damaged HDF5 file (${what})`, { cause });
  }
}

/** Where the root group lies. */
function rootAddress(file: DataView): number {
  return word(file, file.getUint8(8) < 2 ? 64 : 36);
}

/** Looks at an object before jsfive does. */
function enter({ file, budget, seen }: Walk, address: number, path: string): void {
  if (seen.has(address)) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      'got a link to an object that stands elsewhere in the file, expected each object once',
    );
  }
  seen.add(address);
  budget.spend('maxTensors', 1, path, 'too many groups and datasets');
  if (file.getUint8(address) !== 1) countMessages(file, address, budget, path);
}

/** Follows the blocks of an object header as jsfive will, which collects all that it comes by. */
function countMessages(file: DataView, address: number, budget: Budget, path: string): void {
  if (file.getUint32(address) !== 0x4f484452) throw new RangeError('no object header'); // OHDR
  const flags = file.getUint8(address + 5);
  const start = address + 6 + (flags & 0x20 ? 16 : 0);
  const width = 1 << (flags & 3);
  const first = width === 8 ? word(file, start) : readUint(file, start, width);
  const extra = flags & 4 ? 2 : 0;
  const blocks: [number, number][] = [[start + width, first]];
  const seen = new Set([start + width]);
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const [from, size] = block;
    for (let at = 0; at < size - 4;) {
      budget.spend('maxEntries', 1, path, 'too many messages');
      const type = file.getUint8(from + at);
      const body = from + at + 4 + extra;
      if (type === MESSAGE.continuation) {
        const next = word(file, body) + 4;
        if (!seen.has(next)) blocks.push([next, word(file, body + 8) - 4]);
        seen.add(next);
      }
      at += 4 + extra + file.getUint16(from + at + 1, true);
    }
  }
}

const readUint = (file: DataView, at: number, width: number): number =>
  width === 1
    ? file.getUint8(at)
    : width === 2
      ? file.getUint16(at, true)
      : file.getUint32(at, true);

// The state of training, which may be twice as large as the model.
const SKIPPED: ReadonlySet<string> = new Set(['optimizer', 'optimizer_weights']);

function groupOf(walk: Walk, group: Group, path: string, depth: number): H5Group {
  walk.budget.check('maxDepth', depth, path, 'groups too deep within one another');
  const { _links: links, _dataobjects: header } = group;
  const groups = new Map<string, H5Group>();
  const datasets = new Map<string, H5Dataset>();
  for (const key of group.keys) {
    if (depth === 0 && SKIPPED.has(key)) continue;
    const own = depth === 0 ? `${path}:${key}` : `${path}/${key}`;
    walk.budget.check('maxNameLength', key.length, path, 'too long a name');
    const address = links[key];
    if (typeof address !== 'number') continue; // a soft link; Keras writes none
    enter(walk, address, own);
    const object = group.get(key);
    if (object instanceof Dataset) {
      datasets.set(key, {
        path: own,
        isFloat: () => guarded(own, () => FLOAT.test(String(object.dtype))),
        floats: () => guarded(own, () => readFloats(walk, object, own)),
      });
    } else if (object) groups.set(key, groupOf(walk, object, own, depth + 1));
  }
  const strings = (name: string): string[] | undefined =>
    guarded(path, () => {
      for (const message of messages(header, MESSAGE.attribute)) {
        const attribute = readAttribute(walk.file, message, walk.budget, path);
        if (attribute.name === name) return attribute.strings();
      }
      return undefined;
    });
  return { path, groups, datasets, strings };
}

const messages = (object: DataObjects, type: number): number[] =>
  object.find_msg_type(type).map((message) => message.get('offset_to_message') as number);

const FLOAT = /^([<>])f([248])$/;

function readFloats(walk: Walk, dataset: Dataset, path: string): Tensor<'float32'> {
  const dims = dataset.shape;
  const { budget } = walk;
  const count = elementCount(dims, budget.limits, path);
  const [, order, bits] = FLOAT.exec(String(dataset.dtype)) ?? [];
  const size = Number(bits);
  if (order === undefined) {
    throw new RnnError(
      'INVALID_MODEL',
      `${path}.dtype`,
      `got ${JSON.stringify(dataset.dtype)}, expected floating point numbers of 2, 4 or 8 bytes`,
    );
  }
  budget.spend('maxConstantBytes', count * 4, path, 'too many weights');
  const bytes = contents(walk, dataset, path);
  if (bytes.length !== count * size) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `got ${bytes.length} bytes, expected ${count * size} for shape [${dims.join(', ')}]`,
    );
  }
  return tensor(floatsOf(bytes, size, order === '<'), dims);
}

function floatsOf(bytes: Uint8Array, size: number, little: boolean): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length / size;
  if (size === 2) {
    return fromFloat16(
      Uint16Array.from({ length: count }, (_, i) => view.getUint16(2 * i, little)),
    );
  }
  const data = new Float32Array(count);
  if (size === 8) for (let i = 0; i < count; i++) data[i] = view.getFloat64(8 * i, little);
  else for (let i = 0; i < count; i++) data[i] = view.getFloat32(4 * i, little);
  return data;
}

/** The bytes of a dataset, which Keras stores in one piece. */
function contents({ file }: Walk, dataset: Dataset, path: string): Uint8Array {
  const { _dataobjects: header } = dataset;
  const [at] = messages(header, MESSAGE.layout);
  const version = at === undefined ? 0 : file.getUint8(at);
  const kind = at === undefined ? undefined : file.getUint8(at + (version < 3 ? 2 : 1));
  if (messages(header, MESSAGE.filters).length > 0 || kind === 2) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      'got a dataset in chunks or compressed, expected one piece, as Keras writes it: ' +
        'convert the file with h5repack -l CONTI -f NONE',
    );
  }
  if (at !== undefined && version === 3 && kind === 0) {
    return bytesAt(file, at + 4, file.getUint16(at + 2, true));
  }
  if (at !== undefined && version >= 3 && kind === 1) {
    return bytesAt(file, word(file, at + 2), word(file, at + 10));
  }
  throw new RangeError(`a layout of version ${version}`);
}
