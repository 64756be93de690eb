// Finds the state_dict in what a file of torch.save holds: it alone, or a dict of a training with the
// states of a model, of an optimizer, and more.
import type { PyTorchArchitecture } from './architecture.ts';
import { wrongArchitecture } from './check.ts';
import { PickleGlobal, PickleObject, type PickleValue } from './pickle.ts';
import { listed } from './state-dict.ts';
import { TorchTensor } from './torch-objects.ts';

/** Tensors by name, their numbers not read yet. */
export type TorchStateDict = ReadonlyMap<string, TorchTensor>;

/** What a value is, in words. */
function kindOf(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (value instanceof PickleObject) return value.kind;
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof Map) return 'a dict';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

const isStateDict = (value: PickleValue | undefined): value is Map<string, TorchTensor> =>
  value instanceof Map &&
  value.size > 0 &&
  [...value].every(([key, item]) => typeof key === 'string' && item instanceof TorchTensor);

const keysOf = (dict: ReadonlyMap<PickleValue, PickleValue>): string =>
  listed([...dict.keys()].filter((key) => typeof key === 'string'));

const unclear = (what: string) => wrongArchitecture('.stateDict', what);

/**
 * The state_dict of a file.
 *
 * @param value what the file holds
 * @param wanted the key that it is under, or the keys from the outermost dict on
 * @throws RnnError `INVALID_ARGUMENT` at `options.architecture.stateDict` where there is none, or more
 *   than one
 */
export function selectStateDict(
  value: PickleValue,
  wanted: PyTorchArchitecture['stateDict'],
  name: string,
): TorchStateDict {
  if (wanted !== undefined)
    return atKeys(value, typeof wanted === 'string' ? [wanted] : wanted, name);
  if (isStateDict(value)) return value;
  if (!(value instanceof Map)) {
    throw unclear(`${name} holds ${kindOf(value)}, expected a dict of tensors by name`);
  }
  // Each dict once: a hostile pickle may have the same large one under many keys.
  const found = [...new Set(value.values())].filter(isStateDict);
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    const [key, item] = [...value].find(([, other]) => !(other instanceof TorchTensor)) ?? [];
    const why = typeof key === 'string' ? `, where ${listed([key])} is ${kindOf(item)}` : '';
    throw unclear(`no value in ${name} is a dict of tensors by name, got ${keysOf(value)}${why}`);
  }
  const isFound = new Set<PickleValue>(found);
  const keys = keysOf(new Map([...value].filter(([, item]) => isFound.has(item))));
  throw unclear(`${name} has a state_dict under each of ${keys}: say which`);
}

function atKeys(value: PickleValue, keys: readonly string[], name: string): TorchStateDict {
  let at: PickleValue | undefined = value;
  for (const key of keys) {
    const dict: PickleValue | undefined = at;
    at = dict instanceof Map ? dict.get(key) : undefined;
    if (at === undefined) {
      const got = dict instanceof Map ? keysOf(dict) : kindOf(dict);
      throw unclear(`${name} has no '${key}' there, got ${got}`);
    }
  }
  if (isStateDict(at)) return at;
  throw unclear(`got ${kindOf(at)} in ${name}, expected a dict of tensors by name`);
}
