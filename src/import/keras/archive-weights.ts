// Finds weights in model.weights.h5 of a .keras file. The tree of groups mirrors the objects of the
// model: layers/<class>_<n>, then the attributes of the layer, then vars/<place>.
//   layers/lstm_1/cell/vars/0                  layers/bidirectional/backward_layer/cell/vars/2
//   layers/rnn/cell/cells/gru_cell/vars/1      layers/functional/layers/dense/vars/0
// Layers are counted by class, not called by name. keras/src/saving/saving_lib.py (_save_state)
import {
  isModel,
  layerConfig,
  layersOf,
  plainClass,
  type Config,
  type LayerConfig,
  type Weights,
} from './layers/index.ts';
import type { H5Group } from './hdf5.ts';
import { datasetsWithin, type WeightStore } from './weight-store.ts';

/** keras/src/utils/naming.py (to_snake_case): `SimpleRNN` → `simple_rnn`, `LSTMCell` → `lstm_cell`. */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** The groups that hold the layers of a model: of Keras 3, and of TensorFlow 2.12 to 2.15. */
const PLACES = ['layers', '_layer_checkpoint_dependencies'] as const;

/**
 * Makes the weights of an archive findable.
 *
 * @param root of model.weights.h5
 * @param model its config, which says what the groups are called
 */
export function archiveWeights(root: H5Group, model: LayerConfig): WeightStore {
  const used = new Set<string>();
  return {
    ...weightsOf(root, model, used),
    // Besides the layers there are the variables of the optimizer and, in Keras 2.15, those of metrics.
    unused: () =>
      PLACES.flatMap((name) => root.groups.get(name) ?? []).flatMap((group) =>
        trained(group, used),
      ),
  };
}

function weightsOf(group: H5Group | undefined, object: LayerConfig, used: Set<string>): Weights {
  const within = (key: string, config: string): Weights =>
    weightsOf(group?.groups.get(key), inner(object, config), used);
  let children: ReadonlyMap<string, Weights> | undefined;
  return {
    part: (part) => {
      if (part === 'cell') return weightsOf(group?.groups.get('cell'), object, used);
      if (part === 'wrapped') return within('layer', 'layer');
      if (part === 'forward') return within('forward_layer', 'layer');
      if (part === 'backward') return within('backward_layer', 'backward_layer');
      if ('cell' in part) {
        const cells = group?.groups.get('cells');
        const name = placeNames(cellsOf(object.config))[part.cell];
        return weightsOf(cells?.groups.get(name ?? ''), object, used);
      }
      children ??= childrenOf(group, object, used);
      return (
        children.get('model' in part ? part.model : part.layer) ??
        weightsOf(undefined, object, used)
      );
    },
    find: (_name, index) => {
      const dataset = group?.groups.get('vars')?.datasets.get(String(index));
      if (dataset) used.add(dataset.path);
      return dataset?.floats();
    },
    names: () => datasetsWithin(group).map(({ path }) => path),
  };
}

/** The layer within a wrapper. */
function inner({ className, config }: LayerConfig, key: string): LayerConfig {
  const raw = config.raw(key) ?? config.raw('layer');
  return raw === undefined ? { className, config } : layerConfig(raw, `${config.path}.${key}`);
}

/** The cells of a stack, by class. */
function cellsOf(config: Config): readonly string[] {
  const raw = config.raw('cell');
  const cells = Array.isArray(raw)
    ? (raw as unknown[])
    : layerConfig(raw, `${config.path}.cell`).config.list('cells');
  return cells.map((cell, i) => layerConfig(cell, `${config.path}.cells[${i}]`).className);
}

/** What objects of these classes are called within one parent: lstm, dense, lstm_1. */
function placeNames(classes: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return classes.map((className) => {
    const name = snakeCase(plainClass(className));
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  });
}

/** The weights of the layers of a model by the names that the config calls them. */
function childrenOf(
  group: H5Group | undefined,
  model: LayerConfig,
  used: Set<string>,
): ReadonlyMap<string, Weights> {
  const layers = isModel(model) ? layersOf(model) : [];
  const names = placeNames(layers.map(({ className }) => className));
  const [places, old] = PLACES.map((name) => group?.groups.get(name));
  const ranks = new Map<string, number>();
  return new Map(
    layers.map((layer, i) => {
      const kind = snakeCase(plainClass(layer.className));
      const rank = ranks.get(kind) ?? 0;
      ranks.set(kind, rank + 1);
      const found = places?.groups.get(names[i]!) ?? (old && ofKind(old, kind)[rank]);
      return [layer.name, weightsOf(found, layer, used)];
    }),
  );
}

/**
 * The groups of one class in order. TensorFlow 2.12 lists each layer that has weights twice, which
 * makes gaps in the numbers: lstm, lstm_2, lstm_4.
 */
function ofKind(group: H5Group, kind: string): H5Group[] {
  const numbered = [...group.groups].flatMap(([name, child]): [number, H5Group][] => {
    if (name === kind) return [[0, child]];
    const digits = name.startsWith(`${kind}_`) ? name.slice(kind.length + 1) : '';
    return /^\d+$/.test(digits) ? [[Number(digits), child]] : [];
  });
  return numbered.toSorted(([a], [b]) => a - b).map(([, child]) => child);
}

/** The weights that nobody has taken. What a stateful layer has besides its cell is its state. */
function trained(group: H5Group, used: ReadonlySet<string>): string[] {
  return [...group.groups].flatMap(([name, child]): string[] => {
    if (name !== 'vars') return trained(child, used);
    if (group.groups.has('cell')) return [];
    return datasetsWithin(child)
      .filter((dataset) => dataset.isFloat() && !used.has(dataset.path))
      .map(({ path }) => path);
  });
}
