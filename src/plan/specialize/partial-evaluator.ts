// Walks a graph at known shapes: what follows from shapes and constants is computed here, control
// flow is unrolled, and what is left to run comes out as one list.
import { RnnError } from '../../errors.ts';
import { MAX_LIVE_ELEMENTS, valuesRead, type Graph, type Node } from '../../graph.ts';
import {
  isInLoop,
  MAX_LOOP_STEPS,
  MIN_LOOP_STEPS,
  Scope,
  Sequence,
  tensorsOf,
  Unrolling,
  type Flow,
  type Item,
  type Repeat,
} from '../../ops/control.ts';
import type { HostValue, ValueType } from '../../ops/operator.ts';
import { CONTROL, operatorOf } from '../../ops/registry.ts';
import { toHost } from '../../ops/value.ts';
import { sizeOf } from '../../tensor.ts';
import type { Tensor } from '../../tensor.ts';
import type { Value } from '../values.ts';
import { loopCompiler, type LoopSite } from './loops/registry.ts';
import type { PlannedNode } from './planned-node.ts';

export type { PlannedNode } from './planned-node.ts';

// Larger values are made on the device even where they are known: float64 copies cost memory.
const MAX_HOST_ELEMENTS = 1 << 20;

// Iterations of a loop may make many of them. Beyond this, all but the smallest are the device's.
const MAX_HOST_TOTAL = 1 << 24;
const SMALLEST = 1 << 8;

/** What limits a specialization. */
export interface EvaluatorOptions {
  /** Nodes that loops may be unrolled to; a default where it is left out. */
  readonly maxUnrolled?: number;
  /** Elements that a run of the reference may hold at once; a default where it is left out. */
  readonly maxLiveElements?: number;
  /** Iterations from which a loop is kept as one node, Infinity for never; a default where it is left out. */
  readonly minLoopSteps?: number;
  /** Iterations of one such node, of which a longer loop has several; a default where it is left out. */
  readonly maxLoopSteps?: number;
}

/** The values that a graph sees, and where it is. */
interface Place {
  readonly scope: Scope<Item<Value>>;
  readonly path: string;
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

/**
 * The value as control flow passes it to another graph. It is not `constant` there: its numbers vary by
 * iteration and by plan, and packed weights are cached by name.
 */
function asLoopCarried(item: Item<Value>): Item<Value> {
  if (item instanceof Sequence || !item.constant) return item;
  const { name, type, dims, tensor } = item;
  const value = { name, type, dims, constant: false, ...(tensor && { tensor }) };
  return Object.defineProperty(value, 'host', { get: () => item.host, enumerable: true });
}

/** Whether the numbers of a value are at hand, without making them. */
const isHost = (value: Value): boolean => value.tensor !== undefined || value.host !== undefined;

/** See the top of the file. */
export class PartialEvaluator {
  /** What is left to run, in order. */
  readonly list: PlannedNode[] = [];
  /** The values of the outermost graph; its inputs are the caller's to set. */
  readonly scope = new Scope<Item<Value>>();
  readonly #unrolling: Unrolling;
  readonly #options: EvaluatorOptions;
  /** Where nodes go: the list, or the body of a loop that is kept. */
  #into = this.list;
  #hostElements = 0;

  constructor(options: EvaluatorOptions) {
    this.#options = options;
    this.#unrolling = new Unrolling(options.maxUnrolled);
  }

  /** Evaluates the outermost graph. */
  evaluate(graph: Graph): void {
    const place = { scope: this.scope, path: 'graph' };
    this.#constants(graph, place);
    graph.nodes.forEach((node, i) => this.#node(node, i, place));
  }

  #constants(graph: Graph, { scope, path }: Place): void {
    for (const [name, tensor] of graph.constants) {
      scope.set(name, constantValue(nameAt(path, name), tensor));
    }
  }

  #node(node: Node, index: number, { scope, path: outer }: Place): void {
    const path = `${outer}.nodes[${index}]`;
    const inputs = node.inputs.map((name) => (name === '' ? undefined : scope.get(name)!));
    const control = CONTROL.get(node.op);
    const results = control
      ? control.run({ node, path, inputs, flow: this.#flow(node, { scope, path }) })
      : this.#apply(node, tensorsOf(node, inputs, path), path, outer);
    node.outputs.forEach((name, slot) => {
      const found = results[slot];
      if (name !== '' && found) scope.set(name, control ? asLoopCarried(found) : found);
    });
  }

  #flow(node: Node, { scope, path }: Place): Flow<Value> {
    return {
      unrolling: this.#unrolling,
      numbers: (value) => value.host,
      literal: (host) => ({ name: '', type: host.type, dims: host.dims, host, constant: false }),
      apply: (op, inputs, attributes = {}) => {
        const name = `${node.name}/${op}`;
        const names = inputs.map((value) => value.name);
        const made = { op, name, inputs: names, outputs: [name], attributes };
        return this.#apply(made, inputs.map(asLoopCarried) as readonly Value[], path, path)[0]!;
      },
      enter: (graph, key) =>
        this.#enter(graph, { scope: new Scope(scope), path: `${path}.${key}` }),
      repeat: (repeat) =>
        isInLoop(path) ? undefined : this.#repeat(node, repeat, { scope, path }),
    };
  }

  /** Keeps a loop as one node; undefined where it must be unrolled. */
  #repeat(node: Node, repeat: Repeat<Value>, { scope, path }: Place): readonly Value[] | undefined {
    const compile = loopCompiler();
    if (!compile) return undefined;
    const { minLoopSteps = MIN_LOOP_STEPS, maxLoopSteps = MAX_LOOP_STEPS } = this.#options;
    const before = this.list.length;
    const site: LoopSite = {
      node,
      path,
      minSteps: minLoopSteps,
      maxSteps: maxLoopSteps,
      literal: (host) => ({ name: '', type: host.type, dims: host.dims, host, constant: false }),
      apply: (op, inputs, attributes = {}, at = path) => {
        const name = `${node.name}/${op}`;
        const names = inputs.map((value) => value?.name ?? '');
        const made = { op, name, inputs: names, outputs: [name], attributes };
        return this.#apply(made, inputs, at, at)[0]!;
      },
      body: (inputs) => {
        const list: PlannedNode[] = [];
        const place = { scope: new Scope(scope), path: `${path}.body` };
        const outputs = this.#enter(repeat.graph, place, list)(inputs);
        return { list, outputs };
      },
      position: () => this.list.length,
      takeBack: (position) => (this.list.length = position),
      insert: (item, position) => this.list.splice(position, 0, item),
      count: (nodes) => this.#unrolling.addIteration(node, nodes, path),
      keep: (value) => this.#unrolling.keep(value, node, path),
    };
    const results = compile(repeat, site);
    if (!results) this.list.length = before;
    return results;
  }

  /** @param into where the nodes of an iteration go; to those around it where it is left out */
  #enter(
    graph: Graph,
    place: Place,
    into?: PlannedNode[],
  ): (inputs: readonly Item<Value>[]) => readonly Item<Value>[] {
    const varying = new Set(graph.inputs.map(({ name }) => name));
    const varies = graph.nodes.map((node) => {
      const found = valuesRead(node).some((name) => varying.has(name));
      if (found) for (const name of node.outputs) varying.add(name);
      return found;
    });
    const evaluate = (inner: Place, which: boolean): void =>
      graph.nodes.forEach((node, i) => {
        if (varies[i] === which) this.#node(node, i, inner);
      });
    let isFirst = true;
    return (inputs) => {
      if (isFirst) {
        // What is the same in every iteration is done once.
        this.#constants(graph, place);
        evaluate(place, false);
        isFirst = false;
      }
      const inner = { ...place, scope: new Scope(place.scope) };
      graph.inputs.forEach(({ name }, k) => inner.scope.set(name, asLoopCarried(inputs[k]!)));
      const around = this.#into;
      this.#into = into ?? around;
      try {
        evaluate(inner, true);
      } finally {
        this.#into = around;
      }
      return graph.outputs.map(({ name }) => inner.scope.get(name)!);
    };
  }

  /** The outputs of an operator: their numbers where those are known, else a node that is to run. */
  #apply(
    node: Node,
    inputs: readonly (Value | undefined)[],
    path: string,
    outer: string,
  ): readonly (Value | undefined)[] {
    const operator = operatorOf(node, path);
    const known = (slot: number): HostValue | undefined => inputs[slot]?.host;
    for (const slot of operator.hostInputs ?? []) {
      if (inputs[slot] && known(slot) === undefined) {
        throw new RnnError(
          'UNSUPPORTED_OPERATOR',
          `${path}.inputs[${slot}]`,
          `${node.op} '${node.name}' needs the numbers of '${node.inputs[slot]}' to know its shape, ` +
            'and they are only known when the model runs',
        );
      }
    }
    const { types, params } = operator.infer(node, inputs, known, path);
    const isKnown = operator.shapeOnly
      ? inputs.every((input) => input !== undefined)
      : inputs.every((input) => input === undefined || isHost(input));
    const constant = inputs.every((input) => input === undefined || input.constant);
    let hosts: readonly HostValue[] = [];
    if (isKnown && this.#isSmall(types, outer)) {
      const empty = new Float64Array(0);
      // Those that only look at shapes must not make float64 copies of weights.
      const numbers = ({ type, dims, host }: Value): HostValue =>
        host ?? { type, dims, data: empty };
      const shape = ({ type, dims }: Value): HostValue => ({ type, dims, data: empty });
      hosts = operator.evaluate(
        node,
        inputs.map((value) => value && (operator.shapeOnly ? shape(value) : numbers(value))),
        path,
      );
    }
    const outputs = node.outputs.map((name, slot): Value | undefined => {
      const type = types[slot];
      if (name === '' || type === undefined) return undefined;
      const host = hosts[slot];
      return {
        name: nameAt(outer, name),
        type: type.type,
        dims: type.dims,
        constant: constant && !!host,
        ...(host && { host }),
      };
    });
    if (hosts.length === 0) this.#into.push({ node, path, inputs, outputs, types, params });
    return outputs;
  }

  /** Whether values should be computed here, where they can be. */
  #isSmall(types: readonly ValueType[], outer: string): boolean {
    const sizes = types.map(({ dims }) => sizeOf(dims));
    if (sizes.some((size) => size > MAX_HOST_ELEMENTS)) return false;
    const total = sizes.reduce((a, b) => a + b, 0);
    const max = outer === 'graph' ? MAX_LIVE_ELEMENTS : MAX_HOST_TOTAL;
    if (total > SMALLEST && this.#hostElements + total > max) return false;
    this.#hostElements += total;
    return true;
  }
}

/** Graphs inside may use the same names for different constants, and weights are known by name. */
function nameAt(path: string, name: string): string {
  return path === 'graph' ? name : `${path}/${name}`;
}
