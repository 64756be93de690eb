// Reads models that `saveModel` wrote: weights in safetensors, the graph as JSON in the header. The file may have
// been written by anyone, so every part of the graph is checked before it becomes one.
import type { Cell } from '../cells/index.ts';
import { RnnError } from '../errors.ts';
import { validateGraph, type Attribute, type Graph, type Node, type ValueInfo } from '../graph.ts';
import { DATA_TYPES, type DataType, type Tensor } from '../tensor.ts';
import type { FormatOptions } from './format.ts';
import { SavedCells } from './saved-cells.ts';
import { Budget, elementCount, importLimits, type ImportLimits } from './limits.ts';
import { readMetadata, readSafetensors } from './safetensors.ts';

/** What the header says of the format. */
export const SAVED_FORMAT = 'webgpu-rnn';
/** The version of it that is written, and read. */
export const SAVED_VERSION = '1';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a saved model.
 *
 * @returns undefined for a safetensors file that is none
 * @throws RnnError `INVALID_MODEL` with the path of the fault, `LIMIT_EXCEEDED` beyond the limits,
 *   `INVALID_ARGUMENT` for an architecture, which the file has itself, and for a cell of an app that is not among
 *   `cells`, or differs
 */
export function readSavedModel(
  file: Uint8Array,
  { architecture, cells, limits }: FormatOptions,
): Graph | undefined {
  const caps = importLimits(limits);
  const metadata = readMetadata(file, caps);
  if (metadata.get('format') !== SAVED_FORMAT) return undefined;
  if (architecture !== undefined) {
    const what = 'got one for a saved model, which says its own layers; expected none';
    throw new RnnError('INVALID_ARGUMENT', 'options.architecture', what);
  }
  const path = 'safetensors.header.__metadata__';
  const version = metadata.get('version');
  if (version !== SAVED_VERSION) {
    const what = `got ${show(version)}, expected '${SAVED_VERSION}': a newer webgpu-rnn may read it`;
    throw new RnnError('INVALID_MODEL', `${path}.version`, what);
  }
  const json = (name: string): unknown => {
    try {
      return JSON.parse(metadata.get(name) ?? '');
    } catch (cause) {
      throw new RnnError('INVALID_MODEL', `${path}.${name}`, 'is damaged JSON', { cause });
    }
  };
  const own = metadata.has('cells') ? json('cells') : [];
  const reader = new Reader(readSafetensors(file, { limits }), caps);
  reader.takeCells(own, new SavedCells(cells));
  const graph = reader.graph(json('graph'), 'graph', 0);
  reader.expectAllUsed();
  validateGraph(graph);
  return graph;
}

const show = (value: unknown): string =>
  (value === undefined ? 'nothing' : JSON.stringify(value)).slice(0, 80);

const wrong = (path: string, got: unknown, expected: string): RnnError =>
  new RnnError('INVALID_MODEL', path, `got ${show(got)}, expected ${expected}`);

/** An object with some keys and no others. */
function objectOf(value: unknown, keys: readonly string[] | undefined, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(path, value, 'an object');
  }
  const unknown = keys && Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw wrong(`${path}.${unknown}`, 'a value', keys!.join(', '));
  return value as Json;
}

class Reader {
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #budget: Budget;
  readonly #unused: Set<string>;
  readonly #cells = new Map<string, Cell>();

  constructor(tensors: ReadonlyMap<string, Tensor>, limits: ImportLimits) {
    this.#tensors = tensors;
    this.#budget = new Budget(limits);
    this.#unused = new Set(tensors.keys());
  }

  /** Every tensor is there for something. */
  expectAllUsed(): void {
    const [unused] = this.#unused;
    if (unused === undefined) return;
    throw new RnnError(
      'INVALID_MODEL',
      `safetensors.header.${unused}`,
      'the graph has no such tensor',
    );
  }

  /** Finds the cells of the layers among those of the app. */
  takeCells(value: unknown, cells: SavedCells): void {
    this.#list(value, 'cells', (each, at) => {
      const name = this.#text(objectOf(each, undefined, at)['name'], `${at}.name`);
      if (this.#cells.has(name)) throw wrong(`${at}.name`, name, 'each cell once');
      this.#cells.set(name, cells.find(name, each));
    });
  }

  graph(value: unknown, path: string, depth: number): Graph {
    this.#budget.check('maxDepth', depth, path, 'too many graphs within graphs');
    const keys = ['name', 'inputs', 'outputs', 'constants', 'nodes'];
    const json = objectOf(value, keys, path);
    const constants = new Map<string, Tensor>();
    for (const [name, from] of Object.entries(
      objectOf(json['constants'], undefined, `${path}.constants`),
    )) {
      const at = `${path}.constants.${name}`;
      constants.set(this.#text(name, at), this.#tensor(from, at));
    }
    return {
      name: this.#text(json['name'], `${path}.name`),
      inputs: this.#list(json['inputs'], `${path}.inputs`, (each, at) => this.#info(each, at)),
      outputs: this.#list(json['outputs'], `${path}.outputs`, (each, at) => this.#info(each, at)),
      constants,
      nodes: this.#list(json['nodes'], `${path}.nodes`, (each, at) => this.#node(each, at, depth)),
    };
  }

  #node(value: unknown, path: string, depth: number): Node {
    this.#budget.spend('maxNodes', 1, path, 'too many nodes');
    const json = objectOf(value, ['op', 'name', 'inputs', 'outputs', 'attributes'], path);
    const names = (key: string): readonly string[] =>
      this.#list(json[key], `${path}.${key}`, (each, at) => this.#text(each, at));
    const entries = Object.entries(objectOf(json['attributes'], undefined, `${path}.attributes`));
    const op = this.#text(json['op'], `${path}.op`);
    const attributes = entries.map(([key, each]): [string, Attribute] => {
      const at = `${path}.${key}`;
      this.#budget.spend('maxEntries', 1, at, 'too many entries');
      const isCell = op === 'Recurrent' && key === 'cell' && typeof each === 'object';
      if (isCell) return [key, this.#cell(each, at)];
      const attribute = this.#attribute(each, at, depth);
      // What else an operator takes it checks itself.
      if (op === 'Recurrent' && typeof attribute === 'object' && !Array.isArray(attribute)) {
        throw wrong(at, each, 'no tensor or graph in a recurrent layer');
      }
      return [key, attribute];
    });
    return {
      op,
      name: this.#text(json['name'], `${path}.name`),
      inputs: names('inputs'),
      outputs: names('outputs'),
      attributes: Object.fromEntries(attributes),
    };
  }

  /** A cell of the app, by its name. */
  #cell(value: unknown, path: string): Cell {
    const name = this.#text(objectOf(value, ['cell'], path)['cell'], `${path}.cell`);
    const cell = this.#cells.get(name);
    if (cell) return cell;
    throw wrong(`${path}.cell`, name, 'the name of a cell of the file');
  }

  #attribute(value: unknown, path: string, depth: number): Attribute {
    if (typeof value === 'number' || typeof value === 'boolean') return value;
    if (typeof value === 'string') return this.#text(value, path);
    if (Array.isArray(value)) {
      const isNumbers = value.every((each) => typeof each === 'number');
      if (isNumbers) return this.#list(value, path, (each) => each as number);
      return this.#list(value, path, (each, at) => this.#text(each, at));
    }
    const [kind, ...more] = Object.keys(objectOf(value, undefined, path));
    const inner = (value as Json)[kind ?? ''];
    if (more.length === 0 && kind === 'number') return this.#number(inner, path);
    if (more.length === 0 && kind === 'numbers') {
      return this.#list(inner, path, (each, at) => this.#number(each, at));
    }
    if (more.length === 0 && kind === 'graph') return this.graph(inner, path, depth + 1);
    // A copy, for the bytes of the file belong to the caller.
    const { type, dims, data } = this.#tensor(value, path);
    return { type, dims, data: data.slice() } as Tensor;
  }

  /** A number, or the text of one that JSON does not have. */
  #number(value: unknown, path: string): number {
    if (typeof value === 'number') return value;
    const texts = ['NaN', 'Infinity', '-Infinity', '-0'];
    if (typeof value === 'string' && texts.includes(value)) return Number(value);
    throw wrong(path, value, `a number, or one of ${texts.join(', ')}`);
  }

  /** The tensor of a name; its type is written where it is not that of the file. */
  #tensor(value: unknown, path: string): Tensor {
    const json = objectOf(value, ['tensor', 'type'], path);
    const name = this.#text(json['tensor'], `${path}.tensor`);
    const found = this.#tensors.get(name);
    if (found === undefined)
      throw wrong(`${path}.tensor`, name, 'the name of a tensor of the file');
    this.#unused.delete(name);
    if (json['type'] === undefined) return found;
    // Halves are float32 here, and need not be such that 16 bits hold them.
    if (json['type'] !== 'float16' || found.type !== 'float32') {
      throw wrong(`${path}.type`, json['type'], 'float16, of a tensor that is stored as F32');
    }
    return { ...found, type: 'float16' } as Tensor;
  }

  #info(value: unknown, path: string): ValueInfo {
    const json = objectOf(value, ['name', 'type', 'dims'], path);
    const type = DATA_TYPES.find((each) => each === json['type']);
    if (type === undefined) throw wrong(`${path}.type`, json['type'], DATA_TYPES.join(', '));
    const dims = this.#list(json['dims'], `${path}.dims`, (dim, at): number | string => {
      if (typeof dim === 'string' && dim !== '') return this.#text(dim, at);
      if (Number.isSafeInteger(dim) && (dim as number) >= 0) return dim as number;
      throw wrong(at, dim, 'a size, or the name of a free one');
    });
    const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : 1));
    elementCount(sizes, this.#budget.limits, path);
    return { name: this.#text(json['name'], `${path}.name`), type: type satisfies DataType, dims };
  }

  #list<T>(value: unknown, path: string, read: (each: unknown, path: string) => T): T[] {
    if (!Array.isArray(value)) throw wrong(path, value, 'a list');
    this.#budget.spend('maxEntries', value.length, path, 'too many entries');
    return value.map((each, i) => read(each, `${path}[${i}]`));
  }

  #text(value: unknown, path: string): string {
    if (typeof value !== 'string') throw wrong(path, value, 'a text');
    this.#budget.check('maxNameLength', value.length, path, 'a name is too long');
    return value;
  }
}
