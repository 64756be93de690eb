// What Loop and Scan share: a body that runs again and again on what it made the iteration before.
import { isGraph, type Graph, type Node } from '../graph.ts';
import { formatDims } from '../tensor.ts';
import { graphOf, joined, Sequence, type ControlCall, type Item } from './control.ts';
import { invalid } from './define.ts';
import type { ValueType } from './operator.ts';
import { axisOf } from './shapes.ts';

/** Nodes of one iteration, those of the graphs inside of it too, and the iteration itself. */
export function nodesOf(graph: Graph): number {
  const inside = graph.nodes.flatMap(({ attributes }) => Object.values(attributes).filter(isGraph));
  return inside.reduce((sum, inner) => sum + nodesOf(inner), 1 + graph.nodes.length);
}

/** Pairs of names, as many as the second list has. */
export const pairs = (
  from: readonly string[],
  to: readonly string[],
): (readonly [string, string])[] =>
  from.slice(0, to.length).map((name, k) => [name, to[k]!] as const);

/** The names of inputs or outputs. */
export const namesOf = (infos: readonly { readonly name: string }[]): string[] =>
  infos.map(({ name }) => name);

/**
 * The body of a node, checked against it.
 *
 * @param inputs how many the body has
 * @param carried values that go from iteration to iteration
 * @param hidden outputs of the body before them that are none of the node
 */
export function bodyOf(
  node: Node,
  path: string,
  inputs: number,
  carried: number,
  hidden: number,
): Graph {
  const body = graphOf(node, 'body', path);
  const what = `of the body of ${node.op} '${node.name}'`;
  if (body.inputs.length !== inputs) {
    throw invalid(`${path}.body.inputs`, `inputs ${what}`, body.inputs.length, inputs);
  }
  const [got, min] = [body.outputs.length, hidden + Math.max(carried, node.outputs.length)];
  if (got < min) throw invalid(`${path}.body.outputs`, `outputs ${what}`, got, `${min} or more`);
  return body;
}

/** Refuses an input that is left out. */
export function checkGiven({ op, name, inputs }: Node, slot: number, path: string): void {
  if (inputs[slot]) return;
  throw invalid(`${path}.inputs[${slot}]`, `input of ${op} '${name}'`, 'nothing', 'a value');
}

/** Refuses carried values that change their type, or with `dims` their shape, in an iteration. */
export function checkCarried<V extends ValueType>(
  { node, path }: ControlCall<V>,
  before: readonly (Item<V> | undefined)[],
  after: readonly Item<V>[],
  first: number,
  withDims: boolean,
): void {
  const kindOf = (item: Item<V>): string => {
    if (item instanceof Sequence) return 'a sequence';
    return withDims ? `${item.type} ${formatDims(item.dims)}` : item.type;
  };
  after.forEach((item, k) => {
    const [got, expected] = [kindOf(item), kindOf(before[k]!)];
    if (got === expected) return;
    const what = `value that ${node.op} '${node.name}' carries to its next iteration`;
    throw invalid(`${path}.body.outputs[${first + k}]`, what, got, expected);
  });
}

/** Collects those outputs of the iterations that somebody wants. */
export class Scans<V extends ValueType> {
  readonly #call: ControlCall<V>;
  readonly #body: Graph;
  readonly #first: number;
  readonly #rows: (V[] | undefined)[];

  /**
   * @param first the first output of the body that is collected
   * @param hidden outputs of the body that are none of the node
   */
  constructor(call: ControlCall<V>, body: Graph, first: number, hidden: number) {
    this.#call = call;
    this.#body = body;
    this.#first = first;
    this.#rows = body.outputs
      .slice(first)
      .map((_, k) => (call.node.outputs[first - hidden + k] ? [] : undefined));
  }

  /** Adds the outputs of an iteration. */
  add(items: readonly Item<V>[]): void {
    const { node, path, flow } = this.#call;
    this.#rows.forEach((row, k) => {
      const item = items[k];
      if (row === undefined || item === undefined) return;
      if (item instanceof Sequence) {
        const what = `output of each iteration of ${node.op} '${node.name}'`;
        throw invalid(this.#pathOf(k), what, 'a sequence', 'a tensor');
      }
      flow.unrolling.keep(item, node, path);
      row.push(item);
    });
  }

  /** The iterations of each output along a new axis, the first one last where it is reversed. */
  stacked(axes: readonly number[] = [], reversed: readonly boolean[] = []): (V | undefined)[] {
    return this.#rows.map((row, k) => {
      if (row === undefined) return undefined;
      const path = this.#pathOf(k);
      const { type, dims } = this.#body.outputs[this.#first + k]!;
      const axis = axisOf(axes[k] ?? 0, (row[0]?.dims ?? dims).length + 1, path);
      const ordered = reversed[k] ? row.toReversed() : row;
      if (row.length > 0) return joined(this.#call, ordered, axis, true, path);
      // Nothing was made: the shape is the one declared, with nothing where the file is silent.
      const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : 0));
      const empty = sizes.toSpliced(axis, 0, 0);
      return this.#call.flow.literal({ type, dims: empty, data: new Float64Array(0) });
    });
  }

  #pathOf(k: number): string {
    return `${this.#call.path}.body.outputs[${this.#first + k}]`;
  }
}
