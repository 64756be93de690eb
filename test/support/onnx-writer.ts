// Writes ONNX files for tests, so that a test can hold the model it is about.
// Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { DataType, Tensor } from '../../src/tensor.ts';

/**
 * An attribute. A number is an INT, unless it has a fraction or its name is one of those that ONNX
 * declares as FLOAT (alpha, epsilon, …); `{ float }` and `{ floats }` insist.
 */
export type OnnxAttribute =
  | number
  | bigint
  | string
  | boolean
  | readonly number[]
  | readonly bigint[]
  | readonly string[]
  | Tensor
  | OnnxGraph
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graphs: readonly OnnxGraph[] }
  | { readonly tensors: readonly Tensor[] };

/** A node; outputs may be left out as `''`. */
export interface OnnxNode {
  readonly op: string;
  readonly name?: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute | undefined>>;
}

/** A declared value, a tensor or a sequence of them; without `dims` the rank is left open. */
export interface OnnxValue {
  readonly name: string;
  readonly type: DataType;
  readonly dims?: readonly (number | string)[];
  readonly sequence?: boolean;
}

/** A graph, also for the branches of an If and the bodies of loops. */
export interface OnnxGraph {
  readonly name?: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs?: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
  readonly valueInfo?: readonly OnnxValue[];
}

/** What a file says besides its graph. */
export interface OnnxOptions {
  /** Version of the default domain; 22 when left out. */
  readonly opset?: number;
  /** Versions of other domains. */
  readonly domains?: Readonly<Record<string, number>>;
  readonly irVersion?: number;
  /** Numbers of tensors as bytes, as nearly every exporter writes them, or as typed fields. */
  readonly rawData?: boolean;
}

/** TensorProto.DataType. */
export const ONNX_TYPE: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

// Attributes that ONNX declares as FLOAT or FLOATS.
const FLOAT_NAMES = new Set(
  (
    'alpha beta gamma epsilon momentum clip value_float value_floats activation_alpha ' +
    'activation_beta ratio bias lambd max min high low'
  ).split(' '),
);

type Write = (writer: BinaryWriter) => BinaryWriter;

const message = (field: number, write: Write): Write => {
  return (writer) => write(writer.tag(field, 2).fork()).join();
};
const text =
  (field: number, value: string): Write =>
  (writer) =>
    writer.tag(field, 2).string(value);
const integer = (field: number, value: number | bigint): Write => {
  return (writer) => writer.tag(field, 0).int64(value.toString());
};
const all = (...writes: readonly Write[]): Write => {
  return (writer) => writes.reduce((last, write) => write(last), writer);
};
const each = <T>(items: readonly T[], write: (item: T) => Write): Write => all(...items.map(write));

/** The bits of a number as float16, rounded to nearest, ties to even. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const steps = size / 2 ** (exponent - 10);
  const floor = Math.floor(steps);
  const up = steps - floor > 0.5 || (steps - floor === 0.5 && floor % 2 === 1);
  return sign | ((exponent + 14) * 1024 + floor + Number(up));
}

function rawBytes({ type, data }: Tensor): Uint8Array {
  if (type === 'float16') {
    return new Uint8Array(Uint16Array.from(data as Float32Array, halfBits).buffer);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Numbers of a tensor as the typed field of its element type, packed. */
function typedField({ type, data }: Tensor): Write {
  const packed = (field: number, one: (writer: BinaryWriter, value: never) => unknown): Write =>
    message(field, (writer) => {
      for (const value of data) one(writer, value as never);
      return writer;
    });
  switch (type) {
    case 'float32':
      return packed(4, (writer, value) => writer.float(value));
    case 'float64':
      return packed(10, (writer, value) => writer.double(value));
    case 'int64':
      return packed(7, (writer, value: bigint) => writer.int64(value.toString()));
    case 'uint32':
    case 'uint64':
      return packed(11, (writer, value: bigint) => writer.uint64(value.toString()));
    case 'float16':
      return packed(5, (writer, value) => writer.int32(halfBits(value)));
    default:
      return packed(5, (writer, value) => writer.int32(value));
  }
}

function tensorProto(value: Tensor, name: string, raw: boolean): Write {
  return all(
    each(value.dims, (dim) => integer(1, dim)),
    integer(2, ONNX_TYPE[value.type]),
    name === '' ? all() : text(8, name),
    raw ? (writer) => writer.tag(9, 2).bytes(rawBytes(value)) : typedField(value),
  );
}

// AttributeProto.AttributeType and the field that holds each.
function attributeValue(name: string, value: OnnxAttribute, raw: boolean): Write {
  const float =
    (number: number): Write =>
    (writer) =>
      writer.tag(2, 5).float(number);
  const floats = (list: readonly number[]): Write =>
    all(
      each(list, (number) => (writer) => writer.tag(7, 5).float(number)),
      integer(20, 6),
    );
  const isFloat = (number: unknown): boolean =>
    typeof number === 'number' && (FLOAT_NAMES.has(name) || !Number.isInteger(number));
  if (typeof value === 'string') return all(text(4, value), integer(20, 3));
  if (typeof value === 'boolean') return all(integer(3, Number(value)), integer(20, 2));
  if (typeof value === 'bigint') return all(integer(3, value), integer(20, 2));
  if (typeof value === 'number') {
    return isFloat(value)
      ? all(float(value), integer(20, 1))
      : all(integer(3, value), integer(20, 2));
  }
  if (Array.isArray(value)) {
    const list = value as readonly (number | bigint | string)[];
    if (typeof list[0] === 'string') {
      return all(
        each(list as readonly string[], (item) => text(9, item)),
        integer(20, 8),
      );
    }
    if (list.length === 0 ? FLOAT_NAMES.has(name) : list.some(isFloat)) {
      return floats(list as readonly number[]);
    }
    return all(
      each(list as readonly number[], (item) => integer(8, item)),
      integer(20, 7),
    );
  }
  const object = value as Exclude<
    OnnxAttribute,
    number | bigint | string | boolean | readonly unknown[]
  >;
  if ('float' in object) return all(float(object.float), integer(20, 1));
  if ('floats' in object) return floats(object.floats);
  if ('tensors' in object) {
    return all(
      each(object.tensors, (item) => message(10, tensorProto(item, '', raw))),
      integer(20, 9),
    );
  }
  if ('graphs' in object) {
    return all(
      each(object.graphs, (item) => message(11, graphProto(item, raw))),
      integer(20, 10),
    );
  }
  if ('nodes' in object) return all(message(6, graphProto(object, raw)), integer(20, 5));
  return all(message(5, tensorProto(object as Tensor, '', raw)), integer(20, 4));
}

function nodeProto(node: OnnxNode, raw: boolean): Write {
  return all(
    each(node.inputs, (name) => text(1, name)),
    each(node.outputs, (name) => text(2, name)),
    node.name === undefined ? all() : text(3, node.name),
    text(4, node.op),
    each(Object.entries(node.attributes ?? {}), ([name, value]) =>
      value === undefined
        ? all()
        : message(5, all(text(1, name), attributeValue(name, value, raw))),
    ),
    node.domain === undefined ? all() : text(7, node.domain),
  );
}

function valueInfo({ name, type, dims, sequence = false }: OnnxValue): Write {
  const shape =
    dims &&
    message(
      2,
      each(dims, (dim) => message(1, typeof dim === 'string' ? text(2, dim) : integer(1, dim))),
    );
  const tensorType = message(1, all(integer(1, ONNX_TYPE[type]), shape ?? all()));
  const whole = sequence ? message(4, message(1, tensorType)) : tensorType;
  return all(text(1, name), message(2, whole));
}

function graphProto(graph: OnnxGraph, raw: boolean): Write {
  return all(
    each(graph.nodes, (node) => message(1, nodeProto(node, raw))),
    text(2, graph.name ?? 'graph'),
    each(Object.entries(graph.initializers ?? {}), ([name, value]) =>
      message(5, tensorProto(value, name, raw)),
    ),
    each(graph.inputs ?? [], (value) => message(11, valueInfo(value))),
    each(graph.outputs, (value) => message(12, valueInfo(value))),
    each(graph.valueInfo ?? [], (value) => message(13, valueInfo(value))),
  );
}

/**
 * The bytes of an ONNX file.
 *
 * @example
 * ```ts
 * const bytes = writeOnnx({
 *   nodes: [{ op: 'LeakyRelu', inputs: ['x'], outputs: ['y'], attributes: { alpha: 0.1 } }],
 *   inputs: [{ name: 'x', type: 'float32', dims: ['batch', 3] }],
 *   outputs: [{ name: 'y', type: 'float32', dims: ['batch', 3] }],
 * });
 * ```
 */
export function writeOnnx(graph: OnnxGraph, options: OnnxOptions = {}): Uint8Array {
  const { opset = 22, domains = {}, irVersion = 10, rawData = true } = options;
  const versions: readonly (readonly [string, number])[] = [
    ['', opset],
    ...Object.entries(domains),
  ];
  return all(
    integer(1, irVersion),
    text(2, 'webgpu-rnn tests'),
    message(7, graphProto(graph, rawData)),
    each(versions, ([domain, version]) => message(8, all(text(1, domain), integer(2, version)))),
  )(new BinaryWriter()).finish();
}
