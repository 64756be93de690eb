// Names, types and shapes of inputs and outputs. https://onnx.ai/onnx/repo-docs/IR.html#graphs
import { RnnError } from '../../errors.ts';
import type { DeclaredValue, ValueInfo } from '../../graph.ts';
import { elementCount, type Budget } from '../limits.ts';
import { Message } from './message.ts';
import { elementType, typeOfElements } from './types.ts';

/** Name, type and shape of a value; `undefined` for whatever the file leaves out. */
export interface ValueInfoProto {
  readonly path: string;
  name: string;
  /** Number in `TensorProto.DataType`; 0 when absent. */
  elemType: number;
  dims: (bigint | string | undefined)[] | undefined;
  /** What the value is when it is no tensor. */
  otherType: string | undefined;
}

/** Reads a ValueInfoProto. */
export function readValueInfo(bytes: Uint8Array, path: string, budget: Budget): ValueInfoProto {
  const info: ValueInfoProto = {
    path,
    name: '',
    elemType: 0,
    dims: undefined,
    otherType: undefined,
  };
  const message = new Message(bytes, path, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) info.name = message.name();
    else if (field === 2) readType(message.bytes(), info, budget);
  }
  return info;
}

const OTHER_TYPES: Readonly<Record<number, string>> = {
  4: 'a sequence',
  5: 'a map',
  7: 'an opaque type',
  8: 'a sparse tensor',
  9: 'an optional',
};

function readType(bytes: Uint8Array, info: ValueInfoProto, budget: Budget): void {
  const message = new Message(bytes, `${info.path}.type`, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) readTensorType(message.bytes(), info, budget);
    else if (OTHER_TYPES[field]) info.otherType = OTHER_TYPES[field];
  }
}

function readTensorType(bytes: Uint8Array, info: ValueInfoProto, budget: Budget): void {
  const message = new Message(bytes, `${info.path}.type`, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field === 1) info.elemType = message.int32();
    else if (field === 2) info.dims = readShape(message.bytes(), info, budget);
  }
}

function readShape(
  bytes: Uint8Array,
  { path }: ValueInfoProto,
  budget: Budget,
): (bigint | string | undefined)[] {
  const dims: (bigint | string | undefined)[] = [];
  const message = new Message(bytes, `${path}.dims`, budget);
  for (let field = message.next(); field !== 0; field = message.next()) {
    if (field !== 1) continue;
    const where = `${path}.dims[${dims.length}]`;
    budget.check('maxRank', dims.length + 1, `${path}.dims`, 'too many axes');
    const dimension = new Message(message.bytes(), where, budget);
    let dim: bigint | string | undefined;
    for (let inner = dimension.next(); inner !== 0; inner = dimension.next()) {
      if (inner === 1) dim = dimension.int64();
      else if (inner === 2) dim = dimension.name();
    }
    dims.push(dim);
  }
  return dims;
}

/**
 * What the file says of a value that its nodes make; undefined where it is no tensor or of a type that no
 * graph can carry, which is refused where such a value is computed.
 *
 * @param name its name in the graph
 */
export function toDeclared(info: ValueInfoProto, name: string): DeclaredValue | undefined {
  const { path, elemType, otherType } = info;
  const type = typeOfElements(elemType);
  if (otherType !== undefined || (elemType !== 0 && type === undefined)) return undefined;
  // Exporters write 0 for a size that they do not know.
  const dims = info.dims?.map((dim) =>
    typeof dim === 'bigint' && dim > 0n ? Number(dim) : undefined,
  );
  return { path, name, ...(type && { type }), ...(dims && { dims }) };
}

/**
 * An input or output as the graph describes it. Sizes that the file leaves open become free
 * dimensions: its own symbols, or, where it gives none or a 0, a name made of the value's.
 *
 * @param unique makes a name that no other dimension of the file has
 */
export function toValueInfo(
  info: ValueInfoProto,
  name: string,
  unique: (dim: string) => string,
  budget: Budget,
): ValueInfo {
  if (info.otherType !== undefined) {
    const what = `'${info.name}', got ${info.otherType}, expected a tensor`;
    throw new RnnError('INVALID_MODEL', `${info.path}.type`, what);
  }
  const { type } = elementType(info.elemType, `${info.path}.type`);
  const dims = (info.dims ?? []).map((dim, axis) => {
    if (typeof dim === 'string' && dim !== '') return dim;
    if (typeof dim === 'string' || dim === undefined || dim === 0n) {
      return unique(`${info.name}_dim_${axis}`);
    }
    return Number(dim);
  });
  const fixed = dims.map((dim) => (typeof dim === 'string' ? 1 : dim));
  elementCount(fixed, budget.limits, info.path);
  return { name, type, dims };
}
