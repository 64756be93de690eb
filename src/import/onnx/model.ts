// The messages of an ONNX file as they are in it: nothing is decoded, renamed or believed yet.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (field numbers), docs/IR.md (meaning)
import { RnnError } from '../../errors.ts';
import type { Budget } from '../limits.ts';
import { Message, varints } from './message.ts';
import { readValueInfo, type ValueInfoProto } from './value-info.ts';

/** A tensor before its numbers are decoded. */
export interface TensorProto {
  readonly path: string;
  name: string;
  dims: number[];
  /** Number in `TensorProto.DataType`. */
  dataType: number;
  raw: Uint8Array | undefined;
  /** Encoded elements by field number: 4 floats, 5 int32s, 7 int64s, 10 doubles, 11 uint64s. */
  readonly typed: Map<number, Uint8Array[]>;
  /** Where the numbers are when they are in another file. */
  readonly external: Map<string, string>;
  isExternal: boolean;
}

/** An attribute with whichever fields the file gives. */
export interface AttributeProto {
  readonly path: string;
  name: string;
  /** Number in `AttributeType`; 0 when absent. */
  type: number;
  isReference: boolean;
  f: number | undefined;
  i: bigint | undefined;
  s: string | undefined;
  t: TensorProto | undefined;
  g: GraphProto | undefined;
  readonly floats: number[];
  readonly ints: bigint[];
  readonly strings: string[];
  /** Fields of kinds that no operator here takes, by name. */
  readonly others: string[];
}

/** A node before its operator is looked at. */
export interface NodeProto {
  readonly path: string;
  name: string;
  op: string;
  domain: string;
  readonly inputs: string[];
  readonly outputs: string[];
  readonly attributes: AttributeProto[];
}

/** A graph or sub-graph. */
export interface GraphProto {
  readonly path: string;
  name: string;
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  readonly inputs: ValueInfoProto[];
  readonly outputs: ValueInfoProto[];
  /** Types and shapes of other values, as far as the file gives them. */
  readonly valueInfo: ValueInfoProto[];
}

/** The file. */
export interface ModelProto {
  /** Operator set version by domain. */
  readonly opsets: Map<string, bigint>;
  graph: GraphProto | undefined;
  /** `domain:name` of the functions that the file defines. */
  readonly functions: string[];
}

/** Reads the file. */
export function readModel(bytes: Uint8Array, budget: Budget): ModelProto {
  const model: ModelProto = { opsets: new Map(), graph: undefined, functions: [] };
  const message = new Message(bytes, 'model', budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 7) {
      if (model.graph) throw new RnnError('INVALID_MODEL', 'model.graph', 'there are two');
      model.graph = readGraph(message.bytes(), 'graph', budget, 0);
    } else if (field === 8) {
      readOpset(message.bytes(), model.opsets, budget);
    } else if (field === 25) {
      model.functions.push(readFunctionName(message.bytes(), budget));
    }
  }
  return model;
}

function readOpset(bytes: Uint8Array, opsets: Map<string, bigint>, budget: Budget): void {
  const message = new Message(bytes, 'model.opset_import', budget);
  let domain = '';
  let version = 0n;
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) domain = message.name();
    else if (field === 2) version = message.int64();
  }
  if (domain === 'ai.onnx') domain = '';
  if (opsets.has(domain) && opsets.get(domain) !== version) {
    const what = `two versions of domain '${domain}', got ${opsets.get(domain)} and ${version}`;
    throw new RnnError('INVALID_MODEL', message.path, what);
  }
  opsets.set(domain, version);
}

function readFunctionName(bytes: Uint8Array, budget: Budget): string {
  const message = new Message(bytes, 'model.functions', budget);
  let [name, domain] = ['', ''];
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) name = message.name();
    else if (field === 10) domain = message.name();
  }
  return `${domain}:${name}`;
}

function readGraph(bytes: Uint8Array, path: string, budget: Budget, depth: number): GraphProto {
  budget.check('maxDepth', depth, path, 'graphs within graphs');
  const graph: GraphProto = {
    path,
    name: '',
    nodes: [],
    initializers: [],
    inputs: [],
    outputs: [],
    valueInfo: [],
  };
  const { nodes, initializers, inputs, outputs, valueInfo } = graph;
  const message = new Message(bytes, path, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) {
      const where = `${path}.nodes[${nodes.length}]`;
      budget.spend('maxNodes', 1, where, 'too many nodes');
      nodes.push(readNode(message.bytes(), where, budget, depth));
    } else if (field === 2) {
      graph.name = message.name();
    } else if (field === 5) {
      const where = `${path}.initializers[${initializers.length}]`;
      initializers.push(readTensor(message.bytes(), where, budget));
    } else if (field === 11) {
      inputs.push(readValueInfo(message.bytes(), `${path}.inputs[${inputs.length}]`, budget));
    } else if (field === 12) {
      outputs.push(readValueInfo(message.bytes(), `${path}.outputs[${outputs.length}]`, budget));
    } else if (field === 13 && depth === 0) {
      const where = `${path}.value_info[${valueInfo.length}]`;
      valueInfo.push(readValueInfo(message.bytes(), where, budget));
    } else if (field === 15) {
      throw new RnnError(
        'INVALID_MODEL',
        `${path}.sparse_initializer`,
        'sparse weights are not read',
      );
    }
  }
  return graph;
}

function readNode(bytes: Uint8Array, path: string, budget: Budget, depth: number): NodeProto {
  const node: NodeProto = {
    path,
    name: '',
    op: '',
    domain: '',
    inputs: [],
    outputs: [],
    attributes: [],
  };
  const { attributes } = node;
  const message = new Message(bytes, path, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) node.inputs.push(message.name());
    else if (field === 2) node.outputs.push(message.name());
    else if (field === 3) node.name = message.name();
    else if (field === 4) node.op = message.name();
    else if (field === 7) node.domain = message.name();
    else if (field === 5) {
      const where = `${path}.attributes[${attributes.length}]`;
      attributes.push(readAttribute(message.bytes(), where, budget, depth));
    }
  }
  return node;
}

// Fields of AttributeProto that hold what no operator here takes.
const OTHER_ATTRIBUTES: Readonly<Record<number, readonly string[]>> = {
  10: ['tensors'],
  11: ['graphs'],
  14: ['type_proto'],
  15: ['type_protos'],
  22: ['sparse_tensor'],
  23: ['sparse_tensors'],
};

function readAttribute(
  bytes: Uint8Array,
  path: string,
  budget: Budget,
  depth: number,
): AttributeProto {
  budget.spend('maxEntries', 1, path, 'too many names, attributes and list entries');
  const attribute: AttributeProto = {
    path,
    name: '',
    type: 0,
    isReference: false,
    f: undefined,
    i: undefined,
    s: undefined,
    t: undefined,
    g: undefined,
    floats: [],
    ints: [],
    strings: [],
    others: [],
  };
  const graphs: Uint8Array[] = [];
  const message = new Message(bytes, path, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) attribute.name = message.name();
    else if (field === 2) attribute.f = message.float();
    else if (field === 3) attribute.i = message.int64();
    else if (field === 4) attribute.s = message.text();
    else if (field === 5) attribute.t = readTensor(message.bytes(), `${path}.t`, budget);
    else if (field === 6) graphs.push(message.bytes());
    else if (field === 7) readFloats(message, attribute.floats);
    else if (field === 8) readInts(message, attribute.ints);
    else if (field === 9) {
      budget.spend('maxEntries', 1, path, 'too many names, attributes and list entries');
      attribute.strings.push(message.text());
    } else if (field === 20) attribute.type = message.int32();
    else if (field === 21) attribute.isReference = true;
    else attribute.others.push(...(OTHER_ATTRIBUTES[field] ?? []));
  }
  if (graphs.length > 1) throw new RnnError('INVALID_MODEL', path, 'two graphs in one attribute');
  // Read last, when the name is known, so that paths inside name the branch.
  const inside = path.replace(/\.attributes\[\d+\]$/, `.${attribute.name}`);
  if (graphs[0]) attribute.g = readGraph(graphs[0], inside, budget, depth + 1);
  return attribute;
}

function readFloats(message: Message, into: number[]): void {
  const bytes = message.elements();
  if (bytes.length % 4 !== 0) {
    throw new RnnError('INVALID_MODEL', message.path, 'damaged list of floats');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  spendElements(message, bytes.length / 4);
  for (let at = 0; at < bytes.length; at += 4) into.push(view.getFloat32(at, true));
}

function readInts(message: Message, into: bigint[]): void {
  const bytes = message.elements();
  spendElements(message, bytes.length);
  varints(bytes, message.path, (value) => into.push(value));
}

function spendElements({ budget, path }: Message, count: number): void {
  budget.spend('maxEntries', count, path, 'too many names, attributes and list entries');
}

const TYPED_DATA: readonly number[] = [4, 5, 7, 10, 11];

/** Reads a TensorProto without decoding its numbers. */
export function readTensor(bytes: Uint8Array, path: string, budget: Budget): TensorProto {
  budget.spend('maxTensors', 1, path, 'too many tensors');
  const tensor: TensorProto = {
    path,
    name: '',
    dims: [],
    dataType: 0,
    raw: undefined,
    typed: new Map(),
    external: new Map(),
    isExternal: false,
  };
  const message = new Message(bytes, path, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) {
      const encoded = message.elements();
      spendElements(message, encoded.length);
      varints(encoded, `${path}.dims`, (dim) => tensor.dims.push(Number(dim)));
    } else if (field === 2) tensor.dataType = message.int32();
    else if (field === 3)
      throw new RnnError('INVALID_MODEL', path, 'tensors in segments are not read');
    else if (TYPED_DATA.includes(field)) {
      const chunks = tensor.typed.get(field) ?? [];
      chunks.push(message.elements());
      tensor.typed.set(field, chunks);
    } else if (field === 8) tensor.name = message.name();
    else if (field === 9) tensor.raw = message.bytes();
    else if (field === 13) readEntry(message.bytes(), tensor.external, path, budget);
    else if (field === 14) tensor.isExternal = message.int32() === 1;
  }
  return tensor;
}

function readEntry(
  bytes: Uint8Array,
  into: Map<string, string>,
  path: string,
  budget: Budget,
): void {
  const message = new Message(bytes, `${path}.external_data`, budget);
  let [key, value] = ['', ''];
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) key = message.name();
    else if (field === 2) value = message.name();
  }
  into.set(key, value);
}
