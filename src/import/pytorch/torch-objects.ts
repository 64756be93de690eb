// The classes and functions that a state_dict of PyTorch is pickled with, and no others: they make
// tensors that point into storages. https://github.com/pytorch/pytorch/blob/v2.9.0/torch/_utils.py
import { RnnError } from '../../errors.ts';
import { fromBfloat16, fromFloat16 } from '../../float16.ts';
import { elementCount, type Budget } from '../limits.ts';
import type { StoredType } from '../stored-numbers.ts';
import {
  damagedPickle,
  PickleGlobal,
  PickleObject,
  type PickleHost,
  type PickleValue,
} from './pickle.ts';

/** Bytes of numbers that one or more tensors share. */
export class TorchStorage extends PickleObject {
  readonly kind = 'a storage';
  /** What the file calls it. */
  readonly key: string;
  /** Undefined where the tensors say it. */
  readonly type: StoredType | undefined;
  /** Elements; bytes where there is no type. */
  readonly count: number;

  constructor(key: string, type: StoredType | undefined, count: number) {
    super();
    this.key = key;
    this.type = type;
    this.count = count;
  }
}

/** Where the numbers of a tensor are. */
export class TorchTensor extends PickleObject {
  readonly kind = 'a tensor';
  readonly storage: TorchStorage;
  readonly type: StoredType;
  /** Of the first element in the storage, in elements. */
  readonly offset: number;
  readonly dims: readonly number[];
  /** In elements; 0 repeats. */
  readonly strides: readonly number[];

  constructor(
    storage: TorchStorage,
    type: StoredType,
    offset: number,
    dims: readonly number[],
    strides: readonly number[],
  ) {
    super();
    this.storage = storage;
    this.type = type;
    this.offset = offset;
    this.dims = dims;
    this.strides = strides;
  }
}

const FLOAT64: StoredType = { type: 'float64', view: 'float64' };
const FLOAT32: StoredType = { type: 'float32', view: 'float32' };
const FLOAT16: StoredType = { type: 'float16', view: 'uint16', widen: fromFloat16 };
const BFLOAT16: StoredType = { type: 'float32', view: 'uint16', widen: fromBfloat16 };

const plain = (type: StoredType['type']): StoredType => ({ type, view: type });

/** torch/storage.py (_dtype_to_storage_type_map): complex, quantised and 8-bit floats are left out. */
const STORAGES: Readonly<Record<string, StoredType>> = {
  DoubleStorage: FLOAT64,
  FloatStorage: FLOAT32,
  HalfStorage: FLOAT16,
  BFloat16Storage: BFLOAT16,
  LongStorage: plain('int64'),
  IntStorage: plain('int32'),
  ShortStorage: plain('int16'),
  CharStorage: plain('int8'),
  ByteStorage: plain('uint8'),
  BoolStorage: plain('bool'),
};

/** `torch.float32` and so on. */
const TYPES: Readonly<Record<string, StoredType>> = {
  float64: FLOAT64,
  float32: FLOAT32,
  float16: FLOAT16,
  bfloat16: BFLOAT16,
  ...Object.fromEntries(
    (
      ['int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8', 'bool'] as const
    ).map((type) => [type, plain(type)]),
  ),
};

/** A dtype or a storage class, which stands for an element type. */
class TorchType extends PickleGlobal {
  /** Undefined for storages of bytes without a type. */
  readonly type: StoredType | undefined;

  constructor(name: string, type: StoredType | undefined) {
    super(name);
    this.type = type;
  }
}

type Call = (args: readonly PickleValue[], budget: Budget, path: string) => PickleValue;

const isSize = (value: PickleValue | undefined): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

// The length first: a hostile pickle may have many tensors of the same long list.
const isSizes = (value: PickleValue | undefined, { limits }: Budget): value is number[] =>
  Array.isArray(value) && value.length <= limits.maxRank && value.every(isSize);

/** (storage, storage_offset, size, stride, requires_grad, hooks, dtype): the last from version 3 on. */
function rebuildTensor(args: readonly PickleValue[], budget: Budget, path: string): TorchTensor {
  const [storage, offset, dims, strides, , , dtype] = args;
  const isPlaced = storage instanceof TorchStorage && isSize(offset);
  if (!isPlaced || !isSizes(dims, budget) || !isSizes(strides, budget)) {
    const axes = `at most ${budget.limits.maxRank} (limits.maxRank)`;
    throw damagedPickle(path, `a tensor of something else than a storage and sizes, ${axes}`);
  }
  const type = storage.type ?? (dtype instanceof TorchType ? dtype.type : undefined);
  if (type === undefined || dims.length !== strides.length) {
    throw damagedPickle(path, 'a tensor without an element type, or with other strides than sizes');
  }
  elementCount(dims, budget.limits, path);
  // Copies, since a pickle may go on writing to its lists.
  return new TorchTensor(storage, type, offset, [...dims], [...strides]);
}

/** `OrderedDict()`, or of a list of pairs, as Python 2 wrote it. */
function orderedDict(args: readonly PickleValue[], budget: Budget, path: string): PickleValue {
  const [pairs = []] = args;
  const dict = new Map<PickleValue, PickleValue>();
  for (const pair of Array.isArray(pairs) ? pairs : [pairs]) {
    if (!Array.isArray(pair) || pair.length !== 2) throw damagedPickle(path, 'no pair for a dict');
    budget.spend('maxEntries', 1, path, 'too many values');
    dict.set(pair[0]!, pair[1]!);
  }
  return dict;
}

/** The argument itself: a size is the tuple of its sizes, a parameter is its tensor. */
const first: Call = ([value], _, path) => {
  if (value === undefined) throw damagedPickle(path, 'a call without an argument');
  return value;
};

const CALLS: Readonly<Record<string, Call>> = {
  'collections.OrderedDict': orderedDict,
  'torch.Size': first,
  'torch.device': first,
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_tensor_v3': rebuildTensor,
  'torch._utils._rebuild_parameter': first,
};

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** What a pickle of `torch.save` may name and refer to. */
export function torchHost(budget: Budget, path: string): PickleHost {
  return {
    path,
    budget,
    global: (name) => {
      const call = own(CALLS, name);
      if (call) return new PickleGlobal(name, (args) => call(args, budget, path));
      const short = name.replace(/^torch\./, '');
      const type = short === name ? undefined : (own(STORAGES, short) ?? own(TYPES, short));
      if (type) return new TorchType(name, type);
      if (/^torch\.(storage\.)?UntypedStorage$/.test(name)) return new TorchType(name, undefined);
      throw unknownGlobal(name, path);
    },
    persistent: (id) => storageOf(id, path),
  };
}

function unknownGlobal(name: string, path: string): RnnError {
  const shown = JSON.stringify(name.slice(0, 120));
  const what =
    `got the Python global ${shown}, which is not called, for it could run any code; expected the ` +
    'tensors of a state_dict: torch.save(model.state_dict(), …), without objects of other classes';
  return new RnnError('INVALID_MODEL', path, what);
}

/** ('storage', class, key, device, count), and in old files what the storage is a part of. */
function storageOf(id: PickleValue, path: string): TorchStorage {
  const [tag, type, key, , count, part] = Array.isArray(id) ? id : [];
  const isStorage = tag === 'storage' && type instanceof TorchType && typeof key === 'string';
  if (!isStorage || !isSize(count)) throw damagedPickle(path, 'a reference to no storage');
  if (part !== undefined && part !== null) {
    throw new RnnError('INVALID_MODEL', path, 'a storage is part of another one: save it again');
  }
  return new TorchStorage(key, type.type, count);
}
