// Attributes of a node: AttributeProto → Attribute.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (message AttributeProto)
import { RnnError } from '../../errors.ts';
import type { Attribute, Graph } from '../../graph.ts';
import type { Tensor } from '../../tensor.ts';
import type { AttributeProto, GraphProto, TensorProto } from './model.ts';

/** What decodes the larger things that an attribute may hold. */
export interface Decoders {
  readonly tensor: (proto: TensorProto) => Tensor;
  readonly graph: (proto: GraphProto) => Graph;
}

// AttributeProto.AttributeType
const KINDS: Readonly<Record<number, string>> = {
  1: 'float',
  2: 'int',
  3: 'string',
  4: 'tensor',
  5: 'graph',
  6: 'floats',
  7: 'ints',
  8: 'strings',
  9: 'tensors',
  10: 'graphs',
  11: 'sparse_tensor',
  12: 'sparse_tensors',
  13: 'type_proto',
  14: 'type_protos',
};

/** The kind that a file states or, where an old one does not, the field that it fills. */
export function kindOf(proto: AttributeProto): string {
  if (proto.type !== 0) return KINDS[proto.type] ?? `type ${proto.type}`;
  if (proto.f !== undefined) return 'float';
  if (proto.i !== undefined) return 'int';
  if (proto.s !== undefined) return 'string';
  if (proto.t !== undefined) return 'tensor';
  if (proto.g !== undefined) return 'graph';
  if (proto.floats.length > 0) return 'floats';
  if (proto.strings.length > 0) return 'strings';
  return proto.others[0] ?? 'ints';
}

/**
 * The value of an attribute. Integers beyond 2^53 mean "as far as it goes" (the end of a Slice) and
 * become the largest safe integer.
 */
export function attributeValue(proto: AttributeProto, decode: Decoders, path: string): Attribute {
  if (proto.isReference) {
    throw new RnnError('INVALID_MODEL', path, 'refers to an attribute of a function around it');
  }
  const kind = kindOf(proto);
  switch (kind) {
    // Writers may leave out a field that holds zero.
    case 'float':
      return proto.f ?? 0;
    case 'int':
      return safeInteger(proto.i ?? 0n);
    case 'string':
      return proto.s ?? '';
    case 'floats':
      return proto.floats;
    case 'ints':
      return proto.ints.map(safeInteger);
    case 'strings':
      return proto.strings;
    case 'tensor':
      if (proto.t) return decode.tensor(proto.t);
      break;
    case 'graph':
      if (proto.g) return decode.graph(proto.g);
      break;
    default:
      throw new RnnError('INVALID_MODEL', path, `attributes of kind ${kind} are not read`);
  }
  throw new RnnError('INVALID_MODEL', path, `an attribute that says it is a ${kind} holds none`);
}

/**
 * The attributes of a node by name. Built with own properties only, so that a name such as
 * `__proto__` is a name like any other.
 */
export function attributesOf(
  protos: readonly AttributeProto[],
  decode: Decoders,
  path: string,
): Readonly<Record<string, Attribute>> {
  const found = new Map<string, Attribute>();
  for (const proto of protos) {
    const where = `${path}.${proto.name || 'attributes'}`;
    if (proto.name === '')
      throw new RnnError('INVALID_MODEL', where, 'an attribute without a name');
    if (found.has(proto.name)) throw new RnnError('INVALID_MODEL', where, 'given twice');
    found.set(proto.name, attributeValue(proto, decode, where));
  }
  return Object.fromEntries(found);
}

function safeInteger(value: bigint): number {
  const number = Number(value);
  return Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}
