// Writes a model made in code to one file: its weights in safetensors, its graph as JSON in the header.
// https://github.com/huggingface/safetensors#format
import { declarationOf, differenceOf, type Cell, type CellDeclaration } from './cells/index.ts';
import { RnnError } from './errors.ts';
import { isGraph, isGraphSource, validateGraph } from './graph.ts';
import type { Attribute, Graph, Node } from './graph.ts';
import { MAX_HEADER_BYTES } from './import/safetensors.ts';
import { SAVED_FORMAT, SAVED_VERSION } from './import/saved-model.ts';
import type { DataType, Tensor } from './tensor.ts';
import { UniqueNames } from './unique-names.ts';

const DTYPES: Readonly<Record<DataType, string>> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F32', // which it is in memory; the graph says that it is float16
  int8: 'I8',
  uint8: 'U8',
  int16: 'I16',
  uint16: 'U16',
  int32: 'I32',
  uint32: 'U32',
  int64: 'I64',
  uint64: 'U64',
  bool: 'BOOL',
};

/**
 * Writes a graph made in code, by `sequential` or `functional`, to one file, which {@link loadModel} reads.
 * It is a safetensors file, so that other programs read its weights too: they are called after their layers,
 * `lstm_0/W`, in the axes and the gate order of ONNX.
 *
 * Of a cell of `defineCell` the file has what is data: its name, gates, states and WGSL. Whoever loads it gives the cell
 * again, for its step is code: `loadModel(bytes, { cells: [own] })`.
 *
 * @throws RnnError `INVALID_ARGUMENT` with the path of a layer where two different cells have one name;
 *   `INVALID_MODEL` for a graph that does not hang together; `LIMIT_EXCEEDED` for one whose description is larger than
 *   4 MiB
 * @example
 * ```ts
 * const bytes = saveModel(sequential([lstm({ W, R, B }), dense({ W: V, b })]));
 * const model = await loadModel(bytes);
 * ```
 */
export function saveModel(graph: Graph): Uint8Array<ArrayBuffer> {
  if (!isGraphSource(graph)) {
    const what = `got ${typeof graph}, expected a Graph, as sequential and functional make them`;
    throw new RnnError('INVALID_ARGUMENT', 'graph', what);
  }
  validateGraph(graph);
  const parts = new Parts();
  const json = JSON.stringify(encodeGraph(graph, parts, 'graph'));
  const cells = [...parts.cells.values()];
  return writeFile(parts.all, {
    format: SAVED_FORMAT,
    version: SAVED_VERSION,
    graph: json,
    ...(cells.length > 0 && { cells: JSON.stringify(cells) }),
  });
}

/** The tensors of a file, and the cells of an app, by name. */
class Parts {
  readonly cells = new Map<string, CellDeclaration>();
  readonly all = new Map<string, Tensor>();
  // The header has another part of this name.
  readonly #names = new UniqueNames(['__metadata__']);

  /** Adds one, and says how a graph refers to it. */
  add(wanted: string, tensor: Tensor): object {
    const name = this.#names.take(wanted);
    this.all.set(name, tensor);
    return tensor.type === 'float16' ? { tensor: name, type: 'float16' } : { tensor: name };
  }

  /** Adds a cell, and says how a layer refers to it. */
  addCell(cell: Cell, path: string): object {
    const { name } = cell;
    const [declaration, other] = [declarationOf(cell), this.cells.get(name)];
    if (other && differenceOf(declaration, other, 'cell') !== undefined) {
      const what = `another cell '${name}' than that of a layer before, expected a name of its own`;
      throw new RnnError('INVALID_ARGUMENT', path, what);
    }
    this.cells.set(name, declaration);
    return { cell: name };
  }
}

function encodeGraph(graph: Graph, parts: Parts, path: string): object {
  const info = ({ name, type, dims }: Graph['inputs'][number]): object => ({ name, type, dims });
  const constants = [...graph.constants].map(([name, value]) => [name, parts.add(name, value)]);
  return {
    name: graph.name,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    constants: Object.fromEntries(constants) as object,
    nodes: graph.nodes.map((node, i) => encodeNode(node, parts, `${path}.nodes[${i}]`)),
  };
}

function encodeNode(node: Node, parts: Parts, path: string): object {
  const { op, name, inputs, outputs } = node;
  const attributes = Object.entries(node.attributes).map(([key, value]) => [
    key,
    encodeAttribute(value, parts, `${name}/${key}`, `${path}.${key}`),
  ]);
  return { op, name, inputs, outputs, attributes: Object.fromEntries(attributes) as object };
}

const isPlain = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0);
/** A number as JSON has it, or the text of one that it lacks. */
const plain = (value: number): number | string =>
  isPlain(value) ? value : Object.is(value, -0) ? '-0' : String(value);

function encodeAttribute(value: Attribute, parts: Parts, name: string, path: string): unknown {
  if (typeof value === 'number') return isPlain(value) ? value : { number: plain(value) };
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    const list = value as readonly (number | string)[];
    const isNumbers = list.every((each) => typeof each === 'number');
    return !isNumbers || list.every(isPlain) ? list : { numbers: list.map(plain) };
  }
  if (isGraph(value as Graph)) return { graph: encodeGraph(value as Graph, parts, path) };
  if ('data' in value) return parts.add(name, value);
  return parts.addCell(value as Cell, path);
}

/** The file: the size of the header, the header, and the numbers. */
function writeFile(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // Wide elements first, so that all are aligned.
  const sorted = [...tensors].toSorted(
    ([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  );
  let end = 0;
  const entries = sorted.map(([name, { type, dims, data }]) => {
    const begin = end;
    end += data.byteLength;
    return [name, { dtype: DTYPES[type], shape: dims, data_offsets: [begin, end] }];
  });
  const header = { __metadata__: metadata, ...(Object.fromEntries(entries) as object) };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8;
  if (length > MAX_HEADER_BYTES) {
    const what = `the description is too large, got ${length} bytes, at most ${MAX_HEADER_BYTES}`;
    throw new RnnError('LIMIT_EXCEEDED', 'graph', what);
  }
  const file = new Uint8Array(8 + length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(text, 8);
  file.fill(0x20, 8 + text.length, 8 + length); // spaces
  let at = 8 + length;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
