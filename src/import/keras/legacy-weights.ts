// Finds weights in model_weights of an .h5 file, where each layer of the model has a group and a list
// of the names of its weights, in order. What the names say depends on the version:
//   Keras 2.0 to 2.2  bidirectional_1/forward_lstm_1/kernel:0, rnn_1/kernel_1:0
//   TensorFlow 2      bidirectional/forward_lstm/lstm_cell_1/kernel:0
//   Keras 3           bidirectional/forward_lstm/lstm_cell/kernel
// The layers of a model within are all in the one group of that model.
// keras/src/legacy/saving/legacy_h5_format.py (save_weights_to_hdf5_group)
import { RnnError } from '../../errors.ts';
import type { Part, Weights } from './layers/index.ts';
import type { H5Dataset, H5Group } from './hdf5.ts';
import type { WeightStore } from './weight-store.ts';

/** One weight of a layer. */
interface Entry {
  /** Its name in parts, without what comes before the layer that is asked for. */
  readonly parts: readonly string[];
  readonly dataset: H5Dataset;
}

/** Makes the weights of an .h5 file findable by layer. */
export function legacyWeights(group: H5Group): WeightStore {
  const used = new Set<string>();
  const layers = new Map<string, readonly Entry[]>();
  for (const layer of listOf(group, 'layer_names')) layers.set(layer, entriesOf(group, layer));
  const all = [...layers.values()].flat();
  return {
    part: (part) => {
      const name = typeof part === 'object' && 'model' in part ? part.model : layerOf(part);
      return scope(layers.get(name) ?? [], used);
    },
    find: () => undefined,
    names: () => [...layers.keys()],
    unused: () =>
      all
        .map(({ dataset }) => dataset)
        .filter((dataset) => !used.has(dataset.path) && dataset.isFloat())
        .map(({ path }) => path),
  };
}

const layerOf = (part: Part): string =>
  typeof part === 'object' && 'layer' in part ? part.layer : '';

/** A list that may be spread over several attributes, since one holds 64 KB at most. */
function listOf(group: H5Group, name: string): readonly string[] {
  const whole = group.strings(name);
  if (whole !== undefined) return whole;
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = group.strings(`${name}${i}`);
    if (part === undefined) break;
    parts.push(...part);
  }
  if (parts.length > 0) return parts;
  throw new RnnError(
    'INVALID_MODEL',
    `${group.path}.attrs['${name}']`,
    'got nothing, expected names',
  );
}

function entriesOf(root: H5Group, layer: string): Entry[] {
  // A slash in a name makes groups within groups.
  const group = descend(root, layer.split('/'));
  if (group === undefined) {
    throw new RnnError('INVALID_MODEL', root.path, `the group of layer '${layer}' is missing`);
  }
  return listOf(group, 'weight_names').map((name) => {
    const parts = name.split('/');
    const dataset = descend(group, parts.slice(0, -1))?.datasets.get(parts.at(-1)!);
    if (dataset) return { parts, dataset };
    throw new RnnError(
      'INVALID_MODEL',
      `${group.path}.attrs['weight_names']`,
      `got '${name}', expected the name of a weight that is there`,
    );
  });
}

const descend = (group: H5Group, parts: readonly string[]): H5Group | undefined =>
  parts.reduce<H5Group | undefined>((at, part) => at?.groups.get(part), group);

/** `kernel_1:0` → `kernel`: counters that TensorFlow appends to a name that is taken. */
const base = ({ parts }: Entry): string => parts.at(-1)!.replace(/:\d+$/, '').replace(/_\d+$/, '');

function scope(entries: readonly Entry[], used: Set<string>): Weights {
  return {
    part: (part) => scope(narrow(entries, part), used),
    find: (name) => {
      const named = entries.filter((entry) => base(entry) === name);
      if (named.length !== 1) return undefined;
      used.add(named[0]!.dataset.path);
      return named[0]!.dataset.floats();
    },
    names: () => entries.map(({ dataset }) => dataset.path),
  };
}

/** The entries that belong to a part. */
function narrow(entries: readonly Entry[], part: Part): readonly Entry[] {
  if (part === 'wrapped' || part === 'cell') return entries;
  if (part === 'forward' || part === 'backward') return directed(entries, part);
  if ('cell' in part) return nthCell(entries, part.cell);
  const name = 'model' in part ? part.model : part.layer;
  const own = entries.flatMap(({ parts, dataset }) => {
    const at = parts.slice(0, -1).indexOf(name);
    return at < 0 ? [] : [{ parts: parts.slice(at + 1), dataset }];
  });
  // Nothing may tell that layers belong to a model within.
  return own.length > 0 || 'layer' in part ? own : entries;
}

/** One direction of a Bidirectional: by name, or half of the weights where a name was changed. */
function directed(entries: readonly Entry[], direction: 'forward' | 'backward'): readonly Entry[] {
  // The name closest to the weight counts: the layer itself may be called forward_something.
  const directions = entries.map(({ parts }) =>
    parts.findLast((name) => /^(forward|backward)_/.test(name))?.startsWith('forward_'),
  );
  const forward = direction === 'forward';
  const named = entries.filter((_, i) => directions[i] === forward);
  if (named.length * 2 === entries.length) return named;
  const half = entries.length / 2;
  return forward ? entries.slice(0, half) : entries.slice(half);
}

/** Weights of a stack come cell after cell, each beginning with its kernel. */
function nthCell(entries: readonly Entry[], cell: number): readonly Entry[] {
  let current = -1;
  return entries.filter((entry) => {
    if (base(entry) === 'kernel') current++;
    return current === cell;
  });
}
