// What can be said of a graph at one set of input shapes without running it: types, shapes, and the
// numbers that follow from shapes and constants.
import { RnnError } from '../errors.ts';
import type { Graph, Node } from '../graph.ts';
import { isGraph, recurrentAttributes } from '../graph.ts';
import type { HostValue, ValueType } from '../ops/operator.ts';
import { operatorOf } from '../ops/registry.ts';
import { toHost } from '../ops/value.ts';
import { sizeOf } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { PlanValue } from './lowering.ts';

/** What is known of the inputs of a call. */
export interface InputFacts {
  /** Shape of every input. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
  /** Numbers of the inputs that decide shapes or branches, see `hostInputsOf`. */
  readonly host: ReadonlyMap<string, HostValue>;
}

// Larger values are made on the device even where they are known: float64 copies cost memory.
const MAX_HOST_ELEMENTS = 1 << 20;

/** A node with its shapes known that is left to run. */
export interface PlannedNode {
  readonly node: Node;
  readonly path: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly types: readonly ValueType[];
}

/** A value while the planner fills it in. */
export type Value = { -readonly [K in keyof PlanValue]: PlanValue[K] };

/** Values by name; a branch sees those of the graph around it. */
export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  get(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#outer?.get(name);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

/** A constant as a value; float64 numbers are made only when someone asks for them. */
function constantValue(name: string, tensor: Tensor): Value {
  let host: HostValue | undefined;
  return {
    name,
    type: tensor.type,
    dims: tensor.dims,
    tensor,
    constant: true,
    get host() {
      return (host ??= toHost(tensor, `constants['${name}']`));
    },
  };
}

/** Whether the numbers of a value are at hand, without making them. */
const isHost = (value: Value): boolean => value.tensor !== undefined || value.host !== undefined;

/** Learns types, shapes and host values of `graph` and lists the nodes that are left to run. */
function learn(graph: Graph, scope: Scope, path: string, list: PlannedNode[]): void {
  // Branches may use the same names for different constants, and weights are known by name.
  const prefix = path === 'graph' ? '' : `${path}/`;
  for (const [name, tensor] of graph.constants) {
    scope.set(name, constantValue(prefix + name, tensor));
  }
  graph.nodes.forEach((node, i) => {
    const where = `${path}.nodes[${i}]`;
    const inputs = node.inputs.map((name) => (name === '' ? undefined : scope.get(name)!));
    if (node.op === 'If') return inlineIf(node, inputs[0]!, scope, where, list);
    const operator = operatorOf(node, where);
    const known = (slot: number): HostValue | undefined => inputs[slot]?.host;
    for (const slot of operator.hostInputs ?? []) {
      if (inputs[slot] && known(slot) === undefined) {
        throw new RnnError(
          'UNSUPPORTED_OPERATOR',
          `${where}.inputs[${slot}]`,
          `${node.op} '${node.name}' needs the numbers of '${node.inputs[slot]}' to know its shape, ` +
            'and they are only known when the model runs',
        );
      }
    }
    const types = operator.infer(node, inputs, known, where);
    const small = types.every((type) => sizeOf(type.dims) <= MAX_HOST_ELEMENTS);
    const isKnown = operator.shapeOnly
      ? inputs.every((input) => input !== undefined)
      : inputs.every((input) => input === undefined || isHost(input));
    const constant = inputs.every((input) => input === undefined || input.constant);
    let hosts: readonly HostValue[] = [];
    if (isKnown && small) {
      const empty = new Float64Array(0);
      // Those that only look at shapes must not make float64 copies of weights.
      const numbers = ({ type, dims, host }: Value): HostValue =>
        host ?? { type, dims, data: empty };
      const shape = ({ type, dims }: Value): HostValue => ({ type, dims, data: empty });
      hosts = operator.evaluate(
        node,
        inputs.map((value) => value && (operator.shapeOnly ? shape(value) : numbers(value))),
        where,
      );
    }
    const outputs = node.outputs.map((name, slot): Value | undefined => {
      const type = types[slot];
      if (name === '' || type === undefined) return undefined;
      const host = hosts[slot];
      const value: Value = {
        name: prefix + name,
        type: type.type,
        dims: type.dims,
        constant: constant && !!host,
      };
      if (host) value.host = host;
      scope.set(name, value);
      return value;
    });
    if (hosts.length === 0) list.push({ node, path: where, inputs, outputs, types });
  });
}

function inlineIf(
  node: Node,
  condition: Value,
  scope: Scope,
  path: string,
  list: PlannedNode[],
): void {
  if (condition.host === undefined) {
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      path,
      `If '${node.name}' depends on numbers that are only known when the model runs`,
    );
  }
  const key = condition.host.data[0] === 0 ? 'else_branch' : 'then_branch';
  const branch = node.attributes[key];
  if (!isGraph(branch)) throw new RnnError('INVALID_MODEL', `${path}.${key}`, 'expected a graph');
  const inner = new Scope(scope);
  learn(branch, inner, `${path}.${key}`, list);
  node.outputs.forEach((name, slot) => {
    if (name !== '') scope.set(name, inner.get(branch.outputs[slot]!.name)!);
  });
}

/** A row of lengths that a recurrent layer reads from an input: none may exceed its time steps. */
export interface LengthCheck {
  readonly input: string;
  readonly steps: number;
}

/** What can be said of a graph at one set of shapes without running it. */
export interface Inference {
  /** Type and shape of a value of the graph, with its numbers where they are known. */
  readonly value: (name: string) => PlanValue | undefined;
  readonly lengths: readonly LengthCheck[];
}

/** An inference with what a plan is made from. */
export interface Learned extends Inference {
  readonly scope: Scope;
  readonly list: readonly PlannedNode[];
}

/** Learns a graph; `bufferOf` gives the buffers of inputs whose numbers are not known. */
export function learnGraph(
  graph: Graph,
  { dims, host }: InputFacts,
  bufferOf?: (value: Value) => number,
): Learned {
  const scope = new Scope();
  for (const { name, type } of graph.inputs) {
    const value: Value = { name, type, dims: dims.get(name)!, constant: false };
    const known = host.get(name);
    if (known) value.host = known;
    else if (bufferOf) value.buffer = bufferOf(value);
    scope.set(name, value);
  }
  const list: PlannedNode[] = [];
  learn(graph, scope, 'graph', list);
  const inputs = new Set(graph.inputs.map(({ name }) => scope.get(name)!));
  const producer = new Map(list.flatMap((item) => item.outputs.map((value) => [value, item])));
  const lengths = list.flatMap(({ node, inputs: [x, , , , value] }): LengthCheck[] => {
    if (node.op !== 'Recurrent' || !value) return [];
    let from = value;
    for (let item = producer.get(from); item; item = producer.get(from)) {
      if (item.node.op !== 'Cast' && item.node.op !== 'Identity') break;
      from = item.inputs[0]!;
    }
    const steps = x!.dims[recurrentAttributes(node).layout]!;
    return inputs.has(from) ? [{ input: from.name, steps }] : [];
  });
  return { scope, list, lengths, value: (name) => scope.get(name) };
}

/** Types, shapes and known numbers of a graph at one set of input shapes. */
export function inferGraph(graph: Graph, inputs: InputFacts): Inference {
  return learnGraph(graph, inputs);
}
