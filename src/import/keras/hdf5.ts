// Opens an HDF5 file as a tree of groups and datasets. Whatever a damaged or hostile file does ends
// with an RnnError.
// https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
import { RnnError } from '../../errors.ts';
import { tensor, type Tensor } from '../../tensor.ts';
import { fromFloat16 } from '../../float16.ts';
import { elementCount, type Budget } from '../limits.ts';
import { readAttribute } from './hdf5-attributes.ts';
import {
  bytesAt,
  isDense,
  linksOf,
  MESSAGE,
  messagesOf,
  rootAddress,
  word,
  type H5File,
  type H5Message,
} from './hdf5-objects.ts';

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

/** What is carried along while one file is read. */
interface OpenFile extends H5File {
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
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const file: OpenFile = { view, budget, seen: new Set() };
    return groupOf(file, headerOf(file, rootAddress(view), name), name, 0);
  });
}

/** Runs a step that a damaged file may throw anything out of. */
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

/** The messages of an object, which must not have been opened before. */
function headerOf(file: OpenFile, address: number, path: string): H5Message[] {
  if (file.seen.has(address)) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      'got a link to an object that stands elsewhere in the file, expected each object once',
    );
  }
  file.seen.add(address);
  file.budget.spend('maxTensors', 1, path, 'too many groups and datasets');
  return messagesOf(file, address, path);
}

// The state of training, which may be twice as large as the model.
const SKIPPED: ReadonlySet<string> = new Set(['optimizer', 'optimizer_weights']);

function groupOf(
  file: OpenFile,
  header: readonly H5Message[],
  path: string,
  depth: number,
): H5Group {
  file.budget.check('maxDepth', depth, path, 'groups too deep within one another');
  const groups = new Map<string, H5Group>();
  const datasets = new Map<string, H5Dataset>();
  for (const [name, address] of linksOf(file, header, path)) {
    if (depth === 0 && SKIPPED.has(name)) continue;
    const own = depth === 0 ? `${path}:${name}` : `${path}/${name}`;
    const messages = headerOf(file, address, own);
    if (!messages.some(({ type }) => type === MESSAGE.dataspace)) {
      groups.set(name, groupOf(file, messages, own, depth + 1));
      continue;
    }
    datasets.set(name, {
      path: own,
      isFloat: () => guarded(own, () => formatOf(file, messages).float !== undefined),
      floats: () => guarded(own, () => readFloats(file, messages, own)),
    });
  }
  let attributes: ReadonlyMap<string, () => string[]> | undefined;
  const strings = (name: string): string[] | undefined =>
    guarded(path, () => {
      attributes ??= attributesOf(file, header, path);
      return attributes.get(name)?.();
    });
  return { path, groups, datasets, strings };
}

function attributesOf(
  { view, budget }: OpenFile,
  header: readonly H5Message[],
  path: string,
): ReadonlyMap<string, () => string[]> {
  const info = header.find(({ type }) => type === MESSAGE.attributeInfo);
  if (info && isDense(view, info, 2)) {
    const what =
      'got many or long attributes in the newest layout of HDF5, expected the one that Keras writes';
    throw new RnnError('INVALID_MODEL', path, `${what}: convert it with h5repack --high=0`);
  }
  const attributes = header
    .filter(({ type }) => type === MESSAGE.attribute)
    .map(({ at }) => readAttribute(view, at, budget, path));
  return new Map(attributes.map(({ name, strings }) => [name, strings]));
}

function messageOf(header: readonly H5Message[], wanted: number, what: string): number {
  const found = header.find(({ type }) => type === wanted);
  if (found) return found.at;
  throw new Error(`a dataset without ${what}`);
}

/** Bits of the exponent and of the fraction by the size in bytes. */
const IEEE: Readonly<Record<number, readonly [number, number]>> = {
  2: [5, 10],
  4: [8, 23],
  8: [11, 52],
};

/** What the numbers of a dataset are, IV.A.2.d: in the words of NumPy, and how to read floats. */
function formatOf({ view }: OpenFile, header: readonly H5Message[]) {
  const at = messageOf(header, MESSAGE.datatype, 'a type');
  const kind = view.getUint8(at) & 0x0f;
  const bits = view.getUint8(at + 1);
  const size = view.getUint32(at + 4, true);
  const little = (bits & 1) === 0;
  const order = little ? '<' : '>';
  if (kind === 0) return { name: `${order}${bits & 8 ? 'i' : 'u'}${size}`, float: undefined };
  if (kind !== 1) return { name: `class ${kind} of HDF5`, float: undefined };
  const [exponent, fraction] = [view.getUint8(at + 13), view.getUint8(at + 15)];
  const [wanted, rest] = IEEE[size] ?? [];
  const isVax = (bits & 0x40) !== 0;
  if (isVax || exponent !== wanted || fraction !== rest) {
    return { name: `a float of ${exponent} + ${fraction} bits`, float: undefined };
  }
  return { name: `${order}f${size}`, float: { size, little } };
}

/** The shape that a dataspace message declares, IV.A.2.b. */
function shapeOf(
  { view, budget }: OpenFile,
  header: readonly H5Message[],
  path: string,
): readonly number[] {
  const at = messageOf(header, MESSAGE.dataspace, 'a shape');
  const version = view.getUint8(at);
  if (version !== 1 && version !== 2) throw new Error(`a dataspace of version ${version}`);
  if (version === 2 && view.getUint8(at + 3) === 2) return [0]; // no elements, whatever the rank
  const rank = view.getUint8(at + 1);
  budget.check('maxRank', rank, `${path}.dims`, 'too many axes');
  const first = at + (version === 1 ? 8 : 4);
  return Array.from({ length: rank }, (_, axis) => word(view, first + 8 * axis));
}

function readFloats(file: OpenFile, header: readonly H5Message[], path: string): Tensor<'float32'> {
  const { budget } = file;
  const dims = shapeOf(file, header, path);
  const count = elementCount(dims, budget.limits, path);
  const { name, float } = formatOf(file, header);
  if (float === undefined) {
    throw new RnnError(
      'INVALID_MODEL',
      `${path}.dtype`,
      `got ${JSON.stringify(name)}, expected floating point numbers of 2, 4 or 8 bytes`,
    );
  }
  budget.decode(count * 4, path);
  const bytes = count === 0 ? new Uint8Array() : contents(file, header, path);
  if (bytes.length !== count * float.size) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `got ${bytes.length} bytes, expected ${count * float.size} for shape [${dims.join(', ')}]`,
    );
  }
  return tensor(floatsOf(bytes, float.size, float.little), dims);
}

function floatsOf(bytes: Uint8Array, size: number, little: boolean): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length / size;
  if (size === 2) {
    return fromFloat16(
      Uint16Array.from({ length: count }, (_, i) => view.getUint16(2 * i, little)),
    );
  }
  // WebGPU and WebAssembly exist on little-endian machines only. A Buffer of Node does not copy in
  // slice.
  if (size === 4 && little) return new Float32Array(new Uint8Array(bytes).buffer);
  const data = new Float32Array(count);
  if (size === 8) for (let i = 0; i < count; i++) data[i] = view.getFloat64(8 * i, little);
  else for (let i = 0; i < count; i++) data[i] = view.getFloat32(4 * i, little);
  return data;
}

/** The bytes of a dataset, which Keras stores in one piece, IV.A.2.i. */
function contents({ view }: OpenFile, header: readonly H5Message[], path: string): Uint8Array {
  const at = messageOf(header, MESSAGE.layout, 'a layout');
  const version = view.getUint8(at);
  const kind = view.getUint8(at + (version < 3 ? 2 : 1));
  if (header.some(({ type }) => type === MESSAGE.filters) || kind === 2) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      'got a dataset in chunks or compressed, expected one piece, as Keras writes it: ' +
        'convert the file with h5repack -l CONTI -f NONE',
    );
  }
  if ((version === 3 || version === 4) && kind === 0) {
    return bytesAt(view, at + 4, view.getUint16(at + 2, true));
  }
  if ((version === 3 || version === 4) && kind === 1) {
    return bytesAt(view, word(view, at + 2), word(view, at + 10));
  }
  throw new Error(`a layout of version ${version} and class ${kind}`);
}
