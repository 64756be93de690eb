// Reads what torch.save wrote: a pickle that says which tensors there are, and storages with their
// numbers. Two containers: a zip archive since PyTorch 1.6, and before that pickles one after another.
// https://github.com/pytorch/pytorch/blob/v2.9.0/torch/serialization.py
import { RnnError } from '../../errors.ts';
import { allocate, type Tensor } from '../../tensor.ts';
import { isZip } from '../format.ts';
import { Budget, elementCount, importLimits, type ImportLimits } from '../limits.ts';
import { numbersOf, widthOf } from '../stored-numbers.ts';
import { readZip } from '../zip.ts';
import type { PyTorchArchitecture } from './architecture.ts';
import { selectStateDict, type TorchStateDict } from './select-state-dict.ts';
import { damagedPickle, readPickle, type PickleValue } from './pickle.ts';
import { isLegacy } from './signature.ts';
import { torchHost, type TorchStorage, type TorchTensor } from './torch-objects.ts';

/** How a file of torch.save is read. */
export interface CheckpointOptions {
  /** Where in a checkpoint the state_dict is, see {@link PyTorchArchitecture.stateDict}. */
  readonly stateDict?: PyTorchArchitecture['stateDict'];
  /** Caps for files that are not trusted. */
  readonly limits?: Partial<ImportLimits> | undefined;
}

/** A file without its numbers. */
interface Parts {
  readonly value: PickleValue;
  /** The bytes of a storage. */
  readonly storage: (key: string) => Promise<Uint8Array>;
}

/**
 * Reads the tensors of a state_dict that torch.save wrote. No code is run: a pickle with anything but
 * plain data and tensors is refused with the name of the class or function that it wants. Tensors are
 * dense and row-major afterwards, whatever they were; those that are so already stay views of the file.
 *
 * @param file the whole file
 * @param name what errors call it
 * @throws RnnError `INVALID_MODEL` for a damaged file, one of TorchScript, and Python globals that are
 *   not those of tensors, `INVALID_ARGUMENT` at `options.architecture.stateDict` where it is open which
 *   state_dict is meant, `LIMIT_EXCEEDED` beyond `limits`
 */
export async function readCheckpoint(
  file: Uint8Array,
  name: string,
  { stateDict, limits }: CheckpointOptions = {},
): Promise<Map<string, Tensor>> {
  const budget = new Budget(importLimits(limits), file.length);
  budget.check('maxBytes', file.length, name, 'the file is too large');
  const parts = isZip(file)
    ? await readArchive(file, name, budget)
    : readLegacy(file, name, budget);
  return readTensors(selectStateDict(parts.value, stateDict, name), parts, name, budget);
}

/** A folder with data.pkl, and a file for each storage. */
async function readArchive(file: Uint8Array, name: string, budget: Budget): Promise<Parts> {
  const entries = readZip(file, budget, name);
  const pickle = [...entries.keys()].find((entry) => /^[^/]*\/data\.pkl$/.test(entry));
  if (pickle === undefined) {
    throw new RnnError('INVALID_MODEL', name, 'got a zip file without data.pkl, expected one');
  }
  const folder = pickle.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) {
    const what = 'got a TorchScript archive, which is a program; expected a state_dict, or ONNX';
    throw new RnnError('INVALID_MODEL', name, what);
  }
  const order = await entries.get(`${folder}byteorder`)?.bytes();
  checkByteOrder(order === undefined || new TextDecoder().decode(order) !== 'big', name);
  const path = `${name}:${pickle}`;
  const { value } = readPickle(await entries.get(pickle)!.bytes(), 0, torchHost(budget, path));
  return {
    value,
    storage: async (key) => {
      const entry = entries.get(`${folder}data/${key}`);
      if (entry) return entry.bytes();
      throw new RnnError('INVALID_MODEL', `${name}:${folder}data/${key}`, 'the entry is missing');
    },
  };
}

/** Five pickles: a magic number, a version, the machine, the object, the storages; then their numbers. */
function readLegacy(file: Uint8Array, name: string, budget: Budget): Parts {
  if (!isLegacy(file)) {
    const what = 'got neither a zip archive nor pickles of torch.save, expected one of the two';
    throw new RnnError('INVALID_MODEL', name, what);
  }
  const storages = new Map<string, TorchStorage>();
  const host = torchHost(budget, name);
  const persistent = (id: PickleValue): PickleValue => {
    const storage = host.persistent(id) as TorchStorage;
    storages.set(storage.key, storage);
    return storage;
  };
  let at = 0;
  const next = (): PickleValue => {
    const { value, end } = readPickle(file, at, { ...host, persistent });
    at = end;
    return value;
  };
  next();
  next();
  const machine = next();
  checkByteOrder(!(machine instanceof Map) || machine.get('little_endian') !== false, name);
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw damagedPickle(name, 'the list of storages is missing');
  const bytes = new Map<string, Uint8Array>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined) throw damagedPickle(name, 'a storage that no tensor has');
    const from = at + 8; // behind the number of elements, which the pickle has too
    const end = from + bytesOf(storage);
    if (!(end <= file.length)) throw damagedPickle(name, `storage ${storage.key} ends early`);
    bytes.set(storage.key, file.subarray(from, end));
    at = end;
  }
  return {
    value,
    storage: (key) => {
      const found = bytes.get(key);
      return found
        ? Promise.resolve(found)
        : Promise.reject(damagedPickle(name, `no storage ${key}`));
    },
  };
}

const bytesOf = ({ type, count }: TorchStorage): number => count * (type ? widthOf(type) : 1);

function checkByteOrder(isLittleEndian: boolean, name: string): void {
  if (isLittleEndian) return;
  throw new RnnError('INVALID_MODEL', name, 'got big-endian numbers, expected little-endian ones');
}

async function readTensors(
  tensors: TorchStateDict,
  { storage }: Parts,
  name: string,
  budget: Budget,
): Promise<Map<string, Tensor>> {
  const read = new Map<string, Tensor>();
  const unpacked = new Map<string, Promise<Uint8Array>>(); // once, however many tensors share it
  for (const [key, tensor] of tensors) {
    const path = `${name}.${key}`;
    budget.spend('maxTensors', 1, path, 'too many tensors');
    budget.check('maxNameLength', key.length, name, 'a name is too long');
    const count = elementCount(tensor.dims, budget.limits, path);
    budget.decode(count * allocate(tensor.type.type, 0).BYTES_PER_ELEMENT, path);
    const pending = unpacked.get(tensor.storage.key) ?? storage(tensor.storage.key);
    unpacked.set(tensor.storage.key, pending);
    const bytes = await pending;
    if (bytes.length !== bytesOf(tensor.storage)) {
      const what = `got a storage of ${bytes.length} bytes, expected ${bytesOf(tensor.storage)}`;
      throw new RnnError('INVALID_MODEL', path, what);
    }
    const data = numbersOf(elementsOf(tensor, bytes, count, path), tensor.type, path);
    read.set(key, { type: tensor.type.type, dims: tensor.dims, data } as Tensor);
  }
  return read;
}

/** The bytes of a tensor in row-major order: a view where they are so in the storage. */
function elementsOf(
  { type, offset, dims, strides }: TorchTensor,
  storage: Uint8Array,
  count: number,
  path: string,
): Uint8Array {
  const width = widthOf(type);
  if (count === 0) return new Uint8Array(0);
  const last = dims.reduce((index, dim, axis) => index + (dim - 1) * strides[axis]!, offset);
  if (!(last * width + width <= storage.length)) {
    const what = `got an element at ${last}, expected less than ${storage.length / width}`;
    throw new RnnError('INVALID_MODEL', path, `reaches beyond its storage: ${what}`);
  }
  let dense = 1;
  const isDense = dims
    .map((dim, axis) => [dim, strides[axis]!] as const)
    .toReversed()
    .every(([dim, stride]) => {
      const fits = dim === 1 || stride === dense;
      dense *= dim;
      return fits;
    });
  if (isDense) return storage.subarray(offset * width, (offset + count) * width);
  return gather(storage, width, { offset, dims, strides }, count);
}

/** Copies element by element, as bytes, so that nothing is converted. */
function gather(
  from: Uint8Array,
  width: number,
  { offset, dims, strides }: Pick<TorchTensor, 'offset' | 'dims' | 'strides'>,
  count: number,
): Uint8Array {
  const result = new Uint8Array(count * width);
  const place = dims.map(() => 0);
  let index = offset;
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < width; byte++) {
      result[i * width + byte] = from[index * width + byte]!;
    }
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index += strides[axis]!;
      place[axis]!++;
      if (place[axis]! < dims[axis]!) break;
      index -= strides[axis]! * dims[axis]!;
      place[axis] = 0;
    }
  }
  return result;
}
