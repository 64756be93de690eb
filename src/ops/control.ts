// Control flow: nodes that hold graphs, and the lists of tensors that loops hand on. The interpreter
// of numbers and the one of shapes run the same operators, each over values of its own kind; what
// comes out is a row of ordinary nodes, so no kernel ever knows of a loop.
import { RnnError } from '../errors.ts';
import {
  isGraph,
  MAX_LIVE_ELEMENTS,
  MAX_UNROLLED_NODES,
  type Attribute,
  type Graph,
  type Node,
} from '../graph.ts';
import { formatDims, sizeOf } from '../tensor.ts';
import { invalid, mismatch } from './define.ts';
import type { HostValue, Operator, ValueType } from './operator.ts';

/** A list of tensors. Operators of sequences make and read it; no other operator takes one. */
export class Sequence<V> {
  /** The tensors in order. */
  readonly items: readonly V[];

  constructor(items: readonly V[]) {
    this.items = items;
  }
}

/** What a name may stand for. */
export type Item<V> = V | Sequence<V>;

/** Values by name; a graph inside of a node sees those of the graph around it. */
export class Scope<T> {
  readonly #values = new Map<string, T>();
  readonly #outer: Scope<T> | undefined;

  constructor(outer?: Scope<T>) {
    this.#outer = outer;
  }

  get(name: string): T | undefined {
    return this.#values.get(name) ?? this.#outer?.get(name);
  }

  set(name: string, value: T): void {
    this.#values.set(name, value);
  }
}

/** Iterations from which a loop is kept as one; shorter ones are unrolled. */
export const MIN_LOOP_STEPS = 16;

/** Iterations that a loop which is kept has at most; a longer one is several of them. */
export const MAX_LOOP_STEPS = 256;

/** Whether a node is inside the body of a loop. */
export const isInLoop = (path: string): boolean => path.includes('.body');

/** Counts what loops come to, and ends them before they take the memory of the machine. */
export class Unrolling {
  readonly #maxNodes: number;
  readonly #holdsNodes: boolean;
  #nodes = 0;
  #elements = 0;

  /**
   * @param maxNodes nodes of all iterations of all loops
   * @param holdsNodes false for who computes an iteration and forgets it
   */
  constructor(maxNodes = MAX_UNROLLED_NODES, holdsNodes = true) {
    this.#maxNodes = maxNodes;
    this.#holdsNodes = holdsNodes;
  }

  /**
   * Counts the iterations of a loop whose number is known, for who holds no nodes: as many as it comes to
   * where it is held as one.
   *
   * @returns false where each iteration is to be counted by itself
   */
  addSteps(node: Node, nodes: number, steps: number, path: string): boolean {
    if (this.#holdsNodes || isInLoop(path) || steps < MIN_LOOP_STEPS) return false;
    this.addIteration(node, nodes * Math.ceil(steps / MAX_LOOP_STEPS), path);
    return true;
  }

  /** Counts one iteration of a loop. */
  addIteration({ op, name }: Node, nodes: number, path: string): void {
    this.#nodes += nodes;
    if (this.#nodes <= this.#maxNodes) return;
    const what = `${op} '${name}' and the loops around it come to more than ${this.#maxNodes} nodes`;
    throw new RnnError('LIMIT_EXCEEDED', path, `${what} when unrolled (limits.maxUnrolled)`);
  }

  /** Counts a tensor that is kept until the loop is over. */
  keep({ dims }: ValueType, { op, name }: Node, path: string): void {
    this.#elements += sizeOf(dims);
    if (this.#elements <= MAX_LIVE_ELEMENTS) return;
    const what = `${op} '${name}' and the loops around it collect more than ${MAX_LIVE_ELEMENTS} elements`;
    throw new RnnError('LIMIT_EXCEEDED', path, what);
  }
}

/** What an interpreter does for a node of control flow. */
export interface Flow<V> {
  readonly unrolling: Unrolling;
  /** The numbers of a value, where they are known. */
  numbers(value: V): HostValue | undefined;
  /** A value of known numbers. */
  literal(value: HostValue): V;
  /** The output of an ordinary operator. */
  apply(op: string, inputs: readonly V[], attributes?: Readonly<Record<string, Attribute>>): V;
  /** Gets a graph of the node ready. The function runs it once, from its inputs to its outputs. */
  enter(graph: Graph, key: string): (inputs: readonly Item<V>[]) => readonly Item<V>[];
  /**
   * Holds a loop as one node, where the interpreter can: the outputs by slot. Undefined where it must be
   * unrolled.
   */
  repeat?(repeat: Repeat<V>): readonly V[] | undefined;
}

/** A loop whose number of iterations is known, in the form that `Loop` and `Scan` have in common. */
export interface Repeat<V> {
  /** Inputs: the counter and the condition of a Loop, states, parts of sequences. Outputs: the condition, states, parts. */
  readonly graph: Graph;
  readonly steps: number;
  /** Shapes of the counter and of the condition, where the graph has these. */
  readonly counter?: readonly [count: readonly number[], condition: readonly number[]];
  /** What the states begin with. */
  readonly states: readonly Item<V>[];
  /** What the graph gets a part of in each iteration. */
  readonly sequences: readonly Along<V>[];
  /** How the parts that the graph makes are put together; undefined where nobody wants them. */
  readonly stacked: readonly (Omit<Along<V>, 'x'> | undefined)[];
}

/** Parts along an axis, the first one last where it is reversed. */
export interface Along<V> {
  readonly x: V;
  readonly axis: number;
  readonly reversed: boolean;
}

/** A node of control flow as its operator sees it. */
export interface ControlCall<V> {
  readonly node: Node;
  readonly path: string;
  readonly inputs: readonly (Item<V> | undefined)[];
  readonly flow: Flow<V>;
}

/** How values pass between a node and a graph inside of it, by name. */
export interface Wiring {
  readonly graph: Graph;
  /** Name of the attribute that holds the graph. */
  readonly key: string;
  /** From a value around the node to the input of the graph that it becomes. */
  readonly enters: readonly (readonly [outside: string, inside: string])[];
  /**
   * From an output of the graph to the output of the node that it becomes; for a carried value from
   * the input of the graph, which after the last iteration, or where there is none, is what comes out.
   */
  readonly leaves: readonly (readonly [inside: string, outside: string])[];
  /** From an output of the graph to the input that it becomes in the next iteration. */
  readonly repeats: readonly (readonly [from: string, to: string])[];
  /** Values inside whose numbers decide how often the graph runs. */
  readonly decides: readonly string[];
}

/** An operator of control flow. */
export interface ControlOperator {
  /** ONNX operator name. */
  readonly name: string;
  /** Input slots whose numbers must be known when a plan is made. */
  readonly hostInputs?: readonly number[];
  /** True where the output does not depend on the numbers of the inputs. */
  readonly shapeOnly?: true;
  /** As of an {@link Operator}, where it does not depend on a graph inside. */
  readonly resultType?: Operator['resultType'];
  /** What to do where such numbers are not known. */
  readonly advice: string;
  /**
   * The graphs inside of a node.
   *
   * @throws RnnError `INVALID_MODEL` for a node whose inputs and outputs are not those of its graphs
   */
  readonly wire?: (node: Node, path: string) => readonly Wiring[];
  /** The outputs by slot. */
  readonly run: <V extends ValueType>(call: ControlCall<V>) => readonly (Item<V> | undefined)[];
}

/** The graph that a node must have under this name. */
export function graphOf({ op, name, attributes }: Node, key: string, path: string): Graph {
  const graph = attributes[key];
  if (!isGraph(graph)) throw invalid(`${path}.${key}`, `${op} '${name}'`, 'nothing', 'a graph');
  return graph;
}

/** The tensor in a slot that must have one. */
export function tensorOf<V>({ node, path, inputs }: ControlCall<V>, slot: number): V {
  const found = inputs[slot];
  if (found !== undefined && !(found instanceof Sequence)) return found;
  throw notA('a tensor', node, found, `${path}.inputs[${slot}]`);
}

/** The sequence in a slot that must have one. */
export function sequenceOf<V>({ node, path, inputs }: ControlCall<V>, slot: number): Sequence<V> {
  const found = inputs[slot];
  if (found instanceof Sequence) return found;
  throw notA('a sequence', node, found, `${path}.inputs[${slot}]`);
}

/** The inputs of an ordinary operator, none of which may be a sequence. */
export function tensorsOf<V>(
  node: Node,
  inputs: readonly (Item<V> | undefined)[],
  path: string,
): readonly (V | undefined)[] {
  return inputs.map((input, slot) => {
    if (input instanceof Sequence) throw notA('a tensor', node, input, `${path}.inputs[${slot}]`);
    return input;
  });
}

function notA(expected: string, { op, name }: Node, got: unknown, path: string): RnnError {
  const kind = got instanceof Sequence ? 'a sequence' : got === undefined ? 'nothing' : 'a tensor';
  return invalid(path, `input of ${op} '${name}'`, kind, expected);
}

/** The error for a graph that gives a sequence. */
export function sequenceOutput(name: string): RnnError {
  return invalid('graph.outputs', `'${name}'`, 'a sequence', 'a tensor');
}

/** The numbers of a value that control flow depends on. */
export function numbersOf<V extends ValueType>(
  { node, flow }: ControlCall<V>,
  value: V,
  { advice }: Pick<ControlOperator, 'advice'>,
  what: string,
  path: string,
): readonly number[] {
  const known = flow.numbers(value);
  if (known) return [...known.data];
  const unknown = `the ${what} of ${node.op} '${node.name}' is only known when the model runs`;
  throw new RnnError('UNSUPPORTED_OPERATOR', path, `${unknown}: ${advice}`);
}

/** The one number of a value that control flow depends on, of this kind. */
export function numberOf<V extends ValueType>(
  call: ControlCall<V>,
  value: V,
  operator: Pick<ControlOperator, 'advice'>,
  what: string,
  kind: 'bool' | 'int64',
  path: string,
): number {
  const { node } = call;
  const isKind = value.type === kind || (kind === 'int64' && value.type === 'int32');
  if (!isKind) throw invalid(path, `${what} of ${node.op} '${node.name}'`, value.type, kind);
  if (sizeOf(value.dims) !== 1) {
    throw mismatch(path, `${what} of ${node.op} '${node.name}'`, value.dims, 'one element');
  }
  return numbersOf(call, value, operator, what, path)[0]!;
}

/** Integers as a value. */
export function integers<V>(flow: Flow<V>, values: readonly number[], dims = [values.length]): V {
  return flow.literal({ type: 'int64', dims, data: Float64Array.from(values) });
}

/** `x[…, from:to, …]` along an axis; without the axis where `drop` is true. */
export function part<V>(
  flow: Flow<V>,
  x: V,
  axis: number,
  [from, to]: readonly [number, number],
  drop: boolean,
): V {
  const list = (value: number): V => integers(flow, [value]);
  const slice = flow.apply('Slice', [x, list(from), list(to), list(axis)]);
  return drop ? flow.apply('Squeeze', [slice, list(axis)]) : slice;
}

/**
 * Tensors one after the other along an axis, a new one where `isNew` is true.
 *
 * @throws RnnError `INVALID_MODEL` for tensors that differ in type, or in shape elsewhere
 */
export function joined<V extends ValueType>(
  { node, flow }: Pick<ControlCall<V>, 'node' | 'flow'>,
  values: readonly V[],
  axis: number,
  isNew: boolean,
  path: string,
): V {
  const [first] = values;
  if (first === undefined) throw mismatch(path, `tensors of ${node.op} '${node.name}'`, 0, 'some');
  const kindOf = ({ type, dims }: V): string =>
    `${type} ${formatDims(isNew ? dims : dims.map((dim, k) => (k === axis ? '·' : dim)))}`;
  values.forEach((value, i) => {
    if (kindOf(value) === kindOf(first)) return;
    const what = `tensor ${i} that ${node.op} '${node.name}' puts together`;
    throw invalid(path, what, kindOf(value), kindOf(first));
  });
  const at = integers(flow, [axis]);
  const parts = isNew ? values.map((value) => flow.apply('Unsqueeze', [value, at])) : values;
  return flow.apply('Concat', parts, { axis });
}
