// GraphProto → Graph: names resolved, weights decoded, operators in the form of opset 22.
import { RnnError } from '../../errors.ts';
import type { Graph, Node, ValueInfo } from '../../graph.ts';
import type { Tensor } from '../../tensor.ts';
import { UniqueNames } from '../../unique-names.ts';
import type { Budget } from '../limits.ts';
import { attributesOf, attributeValue, kindOf } from './attributes.ts';
import type { GraphProto, NodeProto, TensorProto } from './model.ts';
import { inOrder } from './order.ts';
import { refuseUnknownAttributes } from './known-attributes.ts';
import { isRecurrent, toRecurrent } from './recurrent.ts';
import { Scope } from './scope.ts';
import { toTensor, type ExternalFiles } from './tensor.ts';
import { toFloatLstm } from './quantized-lstm.ts';
import type { UpgradeContext } from './upgrade-context.ts';
import { upgrade } from './upgrade.ts';
import { toDeclared, toValueInfo, type ValueInfoProto } from './value-info.ts';

/** What is the same for every graph of a file. */
export interface FileContext {
  readonly opset: number;
  readonly external: ExternalFiles;
  readonly mayMove: boolean;
  readonly budget: Budget;
  /** Names that no value of the file has. */
  readonly values: UniqueNames;
  /** Names that no dimension of the file has. */
  readonly dims: UniqueNames;
}

/** Names of all values in a graph and in the graphs inside of it. */
export function valueNames(graph: GraphProto, into = new Set<string>()): Set<string> {
  for (const { name } of [...graph.inputs, ...graph.initializers, ...graph.outputs]) into.add(name);
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...node.outputs]) into.add(name);
    for (const { g } of node.attributes) if (g) valueNames(g, into);
  }
  return into;
}

/** Symbols of all dimensions of a graph's inputs and outputs. */
export function dimNames({ inputs, outputs }: GraphProto): Set<string> {
  const dims = [...inputs, ...outputs].flatMap((info) => info.dims ?? []);
  return new Set(dims.filter((dim) => typeof dim === 'string'));
}

/** Translates a graph, and with `outer` a sub-graph that sees the values around it. */
export function convertGraph(proto: GraphProto, file: FileContext, outer?: Scope): Graph {
  const scope = new Scope(outer, file.values);
  const tensor = (found: TensorProto): Tensor =>
    toTensor(found, file.external, file.budget, file.mayMove);
  for (const initializer of proto.initializers) {
    const name = scope.define(initializer.name, initializer.path);
    scope.constants.set(name, tensor(initializer));
  }
  // Before IR version 4 every weight was an input too; since then it is an input's default.
  const weights = new Set(proto.initializers.map(({ name }) => name));
  const inputs = proto.inputs.filter(({ name }) => !weights.has(name));
  for (const input of inputs) declareInput(input, file, scope, outer !== undefined);
  const names = new UniqueNames();
  const nodes: Node[] = [];
  const indices = new Map(proto.nodes.map((node, i) => [node, i]));
  for (const node of inOrder(proto)) {
    if (node.op === 'Constant') {
      addConstant(node, scope, tensor);
    } else {
      const name = names.take(node.name || `${node.op}_${indices.get(node)}`);
      nodes.push(...convertNode(node, name, names, file, scope));
    }
  }
  const outputs = proto.outputs.map((output) =>
    declareOutput(output, file, scope, outer !== undefined),
  );
  const untyped = outer ? [] : proto.outputs.filter(isUntyped).map(({ name }) => scope.find(name)!);
  const declared = outer
    ? []
    : [...proto.outputs, ...proto.valueInfo].flatMap((info) => {
        const name = scope.find(info.name);
        return name === undefined ? [] : (toDeclared(info, name) ?? []);
      });
  return {
    name: proto.name || 'onnx',
    inputs: [...scope.inputs.values()],
    outputs,
    constants: scope.constants,
    nodes,
    ...(declared.length > 0 && { declared }),
    ...(untyped.length > 0 && { untyped }),
  };
}

function declareInput(info: ValueInfoProto, file: FileContext, scope: Scope, inner: boolean): void {
  const name = scope.define(info.name, info.path);
  if (!inner && info.dims === undefined && info.otherType === undefined && info.elemType !== 0) {
    throw new RnnError('INVALID_MODEL', info.path, `input '${info.name}' has no shape`);
  }
  scope.inputs.set(name, describe(info, name, file, inner));
}

function declareOutput(
  info: ValueInfoProto,
  file: FileContext,
  scope: Scope,
  inner: boolean,
): ValueInfo {
  const name = scope.find(info.name);
  if (name === undefined || info.name === '') {
    throw new RnnError('INVALID_MODEL', info.path, `nothing makes the output '${info.name}'`);
  }
  return describe(info, name, file, inner || isUntyped(info));
}

/** Whether a file says nothing of what a value is. */
const isUntyped = ({ elemType, otherType }: ValueInfoProto): boolean =>
  elemType === 0 && otherType === undefined;

/**
 * Inside of a sub-graph a file may leave types out, and name sequences; of outputs it may leave types out
 * too. What such values are follows from the nodes.
 */
function describe(
  info: ValueInfoProto,
  name: string,
  file: FileContext,
  mayFollow: boolean,
): ValueInfo {
  const isSequence = info.otherType === 'a sequence' && info.elemType === 0;
  const follows = mayFollow && (isUntyped(info) || isSequence);
  const known = follows ? { ...info, elemType: 1, otherType: undefined } : info;
  return toValueInfo(known, name, (dim) => file.dims.take(dim), file.budget);
}

function convertNode(
  proto: NodeProto,
  name: string,
  names: UniqueNames,
  file: FileContext,
  scope: Scope,
): readonly Node[] {
  const { path, op } = proto;
  refuseUnknownAttributes(proto);
  const attributes = attributesOf(
    proto.attributes,
    {
      tensor: (found) => toTensor(found, file.external, file.budget, file.mayMove),
      graph: (found) => convertGraph(found, file, scope),
    },
    path,
  );
  const inputs = proto.inputs.map((input, slot) => {
    const found = input === '' ? '' : scope.find(input);
    if (found === undefined) {
      const what = `${op} '${name}' reads '${input}', which nothing makes`;
      throw new RnnError('INVALID_MODEL', `${path}.inputs[${slot}]`, what);
    }
    return found;
  });
  const outputs = proto.outputs.map((output, slot) =>
    output === '' ? '' : scope.define(output, `${path}.outputs[${slot}]`),
  );
  const node: Node = { op, name, inputs: trimmed(inputs), outputs: trimmed(outputs), attributes };
  if (isRecurrent(op)) return [toRecurrent(node, scope, path)];
  const context: UpgradeContext = {
    opset: file.opset,
    path,
    known: (value) => scope.constant(value),
    value: (base: string) => scope.fresh(base),
    constant: (base: string, value: Tensor) => {
      const fresh = scope.fresh(base);
      scope.constants.set(fresh, value);
      return fresh;
    },
  };
  if (op === 'DynamicQuantizeLSTM') {
    return [toRecurrent(toFloatLstm(node, context, file.budget), scope, path)];
  }
  return upgrade(node, context).map((made) =>
    made.name === name ? made : { ...made, name: names.take(made.name) },
  );
}

/** Slots without the empty ones at the end, which say nothing. */
function trimmed(slots: readonly string[]): readonly string[] {
  return slots.slice(0, slots.findLastIndex((slot) => slot !== '') + 1);
}

/** A Constant node is a constant; all its forms but those of strings and sparse tensors. */
function addConstant(proto: NodeProto, scope: Scope, tensor: (proto: TensorProto) => Tensor): void {
  const { path, attributes } = proto;
  const [attribute] = attributes;
  const [output = ''] = proto.outputs;
  if (attribute === undefined || attributes.length > 1) {
    const what = `Constant '${proto.name}', got ${attributes.length} attributes, expected 1`;
    throw new RnnError('INVALID_MODEL', path, what);
  }
  const name = scope.define(output, `${path}.outputs[0]`);
  const where = `${path}.${attribute.name}`;
  const noGraph = (): never => {
    throw new RnnError('INVALID_MODEL', where, 'got a graph, expected a value');
  };
  const make = (): Tensor => {
    const form = `${attribute.name}: ${kindOf(attribute)}`;
    // Not through attributeValue: integers have all 64 bits here.
    if (form === 'value_int: int') return integers([attribute.i ?? 0n], []);
    if (form === 'value_ints: ints') return integers(attribute.ints, [attribute.ints.length]);
    const value = attributeValue(attribute, { tensor, graph: noGraph }, where);
    if (form === 'value: tensor') return value as Tensor;
    if (form === 'value_float: float') return floats([value as number], []);
    if (form === 'value_floats: floats') {
      return floats(value as readonly number[], [attribute.floats.length]);
    }
    const what = `value of Constant '${proto.name}', got ${form}`;
    const expected = 'a tensor or numbers; text and sparse tensors are not read';
    throw new RnnError('INVALID_MODEL', where, `${what}, expected ${expected}`);
  };
  scope.constants.set(name, make());
}

function integers(values: readonly bigint[], dims: readonly number[]): Tensor {
  return { type: 'int64', dims, data: BigInt64Array.from(values) };
}

function floats(values: readonly number[], dims: readonly number[]): Tensor {
  return { type: 'float32', dims, data: Float32Array.from(values) };
}
