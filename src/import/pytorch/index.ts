// Reads PyTorch models that are a state_dict, in a safetensors file or one of torch.save. The file has
// weights and no order of layers: that is told by an architecture, or follows from names and shapes.
import { GraphBuilder, type Dim, type NamedOutput } from '../../graph-builder.ts';
import type { Graph, ValueInfo } from '../../graph.ts';
import { RnnError } from '../../errors.ts';
import type { DataType, Tensor } from '../../tensor.ts';
import { UniqueNames } from '../../unique-names.ts';
import type { ImportLimits } from '../limits.ts';
import { readSafetensors } from '../safetensors.ts';
import type { PyTorchArchitecture, PyTorchLayer, PyTorchRecurrent } from './architecture.ts';
import { checkArchitecture, wrongArchitecture } from './check.ts';
import { applyFunction } from './functions.ts';
import { inferLayers } from './infer.ts';
import {
  appendBatchNorm,
  appendConv1d,
  appendEmbedding,
  appendLayerNorm,
  appendLinear,
  appendPermute,
  mismatch,
  type Place,
} from './layers.ts';
import { appendRecurrent, readRecurrent } from './recurrent.ts';
import { StateDict, listed } from './state-dict.ts';

/** How PyTorch weights are read. */
export interface PyTorchOptions {
  /** What the weights mean; found out from names and shapes when left out. */
  readonly architecture?: PyTorchArchitecture | undefined;
  /** Caps for files that are not trusted. */
  readonly limits?: Partial<ImportLimits> | undefined;
}

/**
 * Turns PyTorch weights into a graph.
 *
 * @param files one safetensors file, or all parts of a model that was saved in several
 * @throws RnnError `INVALID_MODEL` for a broken file or tensors that do not fit each other,
 *   `INVALID_ARGUMENT` for an architecture that does not fit the file, and where one is needed,
 *   `SHAPE_MISMATCH` for a layer that cannot take what comes before it, `LIMIT_EXCEEDED`
 */
export function importPytorch(
  files: ReadonlyMap<string, Uint8Array>,
  { architecture = {}, limits }: PyTorchOptions = {},
): Graph {
  checkArchitecture(architecture);
  if (architecture.stateDict !== undefined) {
    throw wrongArchitecture(
      '.stateDict',
      'got one for safetensors, which have tensors and no dicts',
    );
  }
  const parts = partsOf(files).map(
    ([file, bytes]) => [file, readSafetensors(bytes, { limits })] as const,
  );
  return importStateDict(parts, architecture);
}

/** Tensors by name, and the name of their file. */
export type StateDictFile = readonly [file: string, tensors: ReadonlyMap<string, Tensor>];

/** The files with tensors: not config.json and the index of a model in parts. */
export const partsOf = (
  files: ReadonlyMap<string, Uint8Array>,
): (readonly [string, Uint8Array])[] => [...files].filter(([file]) => !/\.json$/i.test(file));

/**
 * Turns tensors into a graph.
 *
 * @param files the tensors of each file of the model
 * @param architecture one that was checked
 * @throws RnnError as {@link importPytorch} does, but for what is wrong with a file
 */
export function importStateDict(
  files: readonly StateDictFile[],
  architecture: PyTorchArchitecture,
): Graph {
  const state = new StateDict(tensorsOf(files, architecture));
  const layers = (architecture.layers ?? inferLayers(state)).filter(
    ({ type }) => type !== 'dropout',
  );
  const graph = new Writer(architecture, layers, state).write();
  const unused = state.unused.filter((name) => !name.endsWith('num_batches_tracked'));
  if (unused.length > 0) {
    throw wrongArchitecture(
      '.layers',
      `no layer takes ${listed(unused)}: add the layer, or name them in options.architecture.ignore`,
    );
  }
  return graph;
}

/** The tensors of all files that the architecture wants to see. */
function tensorsOf(
  files: readonly StateDictFile[],
  { prefix = '', ignore = [] }: PyTorchArchitecture,
): ReadonlyMap<string, Tensor> {
  const kept = new Map<string, Tensor>();
  const seen: string[] = [];
  for (const [file, tensors] of files) {
    for (const [name, value] of tensors) {
      seen.push(name);
      if (!name.startsWith(prefix) || ignore.some((start) => name.startsWith(start))) continue;
      const short = name.slice(prefix.length);
      if (kept.has(short)) {
        throw new RnnError('INVALID_MODEL', file, `has '${name}', which another file has too`);
      }
      kept.set(short, value);
    }
  }
  if (kept.size === 0) {
    throw wrongArchitecture(prefix ? '.prefix' : '', `no tensor is left of ${listed(seen)}`);
  }
  return kept;
}

type Names = Readonly<Record<'x' | 'h0' | 'c0' | 'lengths' | 'y' | 'hn' | 'cn', string>>;
const NAMES: Names = {
  x: 'x',
  h0: 'h0',
  c0: 'c0',
  lengths: 'lengths',
  y: 'y',
  hn: 'hn',
  cn: 'cn',
};

const isRecurrent = (layer: PyTorchLayer): layer is PyTorchRecurrent =>
  layer.type === 'rnn' || layer.type === 'lstm' || layer.type === 'gru';

/** Writes the graph of one architecture. */
class Writer {
  readonly #architecture: PyTorchArchitecture;
  readonly #layers: readonly PyTorchLayer[];
  readonly #state: StateDict;
  readonly #names: Names;
  readonly #builder = new GraphBuilder();
  readonly #states: NamedOutput[] = [];
  readonly #stems = new UniqueNames();
  /** Whether states are called after their module, for there are more than one. */
  readonly #many: boolean;

  constructor(
    architecture: PyTorchArchitecture,
    layers: readonly PyTorchLayer[],
    state: StateDict,
  ) {
    this.#architecture = architecture;
    this.#layers = layers;
    this.#state = state;
    this.#names = { ...NAMES, ...architecture.names };
    const withState = layers.filter(
      (layer, i) => isRecurrent(layer) && this.#givesState(this.#complete(layer), i),
    );
    this.#many = withState.length > 1;
  }

  write(): Graph {
    let x = this.#input();
    this.#layers.forEach((layer, i) => {
      const path = `.layers[${i}]`;
      const stem = this.#stem('name' in layer && layer.name ? layer.name : layer.type);
      const place = { builder: this.#builder, state: this.#state, x, stem, path };
      const y = this.#append(place, layer, i);
      const between = layer.type === 'activation' || !('activation' in layer) ? undefined : layer;
      x = applyFunction(this.#builder, y, between?.activation, stem);
    });
    const result = { name: this.#names.y, value: x };
    return this.#builder.finish('pytorch', [result, ...this.#states]);
  }

  /** Constants are called after the stem, so that of two layers must differ. */
  #stem(name: string): string {
    return this.#stems.take(name);
  }

  #append(place: Place, layer: PyTorchLayer, i: number): ValueInfo {
    switch (layer.type) {
      case 'linear':
        return appendLinear(place, layer);
      case 'embedding':
        return appendEmbedding(place, layer);
      case 'layerNorm':
        return appendLayerNorm(place, layer);
      case 'batchNorm1d':
        return appendBatchNorm(place, layer);
      case 'conv1d':
        return appendConv1d(place, layer);
      case 'permute':
        return appendPermute(place, layer);
      case 'activation':
        return applyFunction(place.builder, place.x, layer.activation, place.stem, layer.alpha);
      case 'dropout':
        return place.x;
      case 'rnn':
      case 'lstm':
      case 'gru':
        return this.#recurrent(place, this.#complete(layer), i);
      default:
        throw layer satisfies never;
    }
  }

  /** A recurrent layer with what the architecture says for all of them. */
  #complete(layer: PyTorchRecurrent): PyTorchRecurrent {
    const { batchFirst = false, nonlinearity = 'tanh' } = this.#architecture;
    const { initialState = false, lengths = false } = this.#architecture;
    return { batchFirst, nonlinearity, initialState, lengths, ...layer };
  }

  #givesState({ returnState, initialState }: PyTorchRecurrent, i: number): boolean {
    return returnState ?? (initialState === true || i === this.#layers.length - 1);
  }

  #recurrent(place: Place, layer: PyTorchRecurrent, i: number): ValueInfo {
    const { builder, x, stem, path } = place;
    const module = readRecurrent(layer, this.#state, path);
    const { inputs, hidden, outputs, directions, layers } = module;
    const expected = layer.batchFirst ? `[B, T, ${inputs}]` : `[T, B, ${inputs}]`;
    const width = x.dims.at(-1);
    if (x.dims.length !== 3 || (typeof width === 'number' && width !== inputs)) {
      throw mismatch(place, `${expected}, for batchFirst is ${layer.batchFirst}`);
    }
    const batch = x.dims[layer.batchFirst ? 0 : 1]!;
    const rows = directions * layers.length;
    const isLstm = layer.type === 'lstm';
    const h: readonly Dim[] = [rows, batch, outputs];
    const c: readonly Dim[] = [rows, batch, hidden];
    const called = (key: keyof Names): string =>
      this.#many ? `${layer.name || stem}.${this.#names[key]}` : this.#names[key];
    const given = (key: 'h0' | 'c0', dims: readonly Dim[]): string =>
      builder.input({ name: called(key), type: 'float32', dims }).name;
    const h0 = layer.initialState ? given('h0', h) : '';
    const c0 = layer.initialState && isLstm ? given('c0', c) : '';
    const lengths = layer.lengths ? this.#lengths(batch) : '';
    const states = this.#givesState(layer, i);
    const from = { lengths, h0, c0 };
    const result = appendRecurrent(builder, module, layer, x, from, { states, stem });
    const give = (key: 'hn' | 'cn', name: string, dims: readonly Dim[]): void => {
      if (name === '') return;
      this.#states.push({ name: called(key), value: { name, type: 'float32', dims } });
    };
    give('hn', result.hn, h);
    give('cn', result.cn, c);
    return result.y;
  }

  /** One input for all layers. */
  #lengths(batch: Dim): string {
    const name = this.#names.lengths;
    const there = this.#builder.inputs.find((input) => input.name === name);
    return (there ?? this.#builder.input({ name, type: 'int32', dims: [batch] })).name;
  }

  /** x, in the shape that the first layer takes. */
  #input(): ValueInfo {
    const { input = {}, batchFirst = false } = this.#architecture;
    const [first] = this.#layers;
    if (first === undefined) throw wrongArchitecture('.layers', 'has nothing that computes');
    const isIds = first.type === 'embedding';
    const type: DataType = input.type ?? (isIds ? 'int32' : 'float32');
    if (isIds !== (type !== 'float32')) {
      const expected = isIds ? "'int32' or 'int64' for an embedding" : "'float32'";
      throw wrongArchitecture('.input.type', `got '${type}', expected ${expected}`);
    }
    const dims = input.dims ?? this.#firstDims(first, batchFirst);
    return this.#builder.input({ name: this.#names.x, type, dims });
  }

  #firstDims(first: PyTorchLayer, batchFirst: boolean): readonly Dim[] {
    const sequence = (isBatchFirst: boolean): Dim[] => (isBatchFirst ? ['B', 'T'] : ['T', 'B']);
    if (first.type === 'embedding') return sequence(batchFirst);
    if (isRecurrent(first)) {
      const layer = this.#complete(first);
      const { inputs } = readRecurrent(layer, this.#state, '.layers[0]');
      return [...sequence(layer.batchFirst === true), inputs];
    }
    if (first.type === 'linear' || first.type === 'layerNorm') {
      const weight = this.#state.get(first, 'weight', '.layers[0]');
      return [...sequence(batchFirst), weight.dims.at(-1)!];
    }
    if (first.type === 'conv1d') {
      const weight = this.#state.get(first, 'weight', '.layers[0]');
      return ['B', weight.dims[1]! * (first.groups ?? 1), 'L'];
    }
    throw wrongArchitecture(
      '.input.dims',
      `is missing, a model that begins with ${first.type} needs it`,
    );
  }
}
