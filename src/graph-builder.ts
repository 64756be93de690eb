// Puts a graph together node by node. Knows no operator: callers say what comes out.
import type { Attribute, Graph, Node, ValueInfo } from './graph.ts';
import { tensor, type Tensor } from './tensor.ts';
import { UniqueNames } from './unique-names.ts';

/** A dimension: its size, or the name of one that is free. */
export type Dim = ValueInfo['dims'][number];

/** A value that is to leave the graph under `name`. */
export interface NamedOutput {
  readonly name: string;
  readonly value: ValueInfo;
}

/** The nodes of a graph while they are being written. */
export class GraphBuilder {
  readonly #inputs: ValueInfo[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #nodes: Node[] = [];
  readonly #names = new UniqueNames();

  /** The inputs declared so far. */
  get inputs(): readonly ValueInfo[] {
    return this.#inputs;
  }

  /** Declares an input of the graph. */
  input(info: ValueInfo): ValueInfo {
    this.#names.add(info.name);
    this.#inputs.push(info);
    return info;
  }

  /** `stem`, or `stem_1`, `stem_2` … when that is taken. */
  unique(stem: string): string {
    return this.#names.take(stem);
  }

  /** Names a constant. The same name again is the same constant: shared layers keep one copy. */
  constant(name: string, make: () => Tensor): string {
    if (!this.#constants.has(name)) {
      this.#names.add(name);
      this.#constants.set(name, make());
    }
    return name;
  }

  /** An int64 vector, as the shape operators want it. */
  ints(values: readonly number[]): string {
    return this.constant(`ints:${values.join(',')}`, () =>
      tensor(
        BigInt64Array.from(values, (value) => BigInt(value)),
        [values.length],
      ),
    );
  }

  /** One float32 number. */
  scalar(value: number): string {
    return this.constant(`number:${value}`, () => tensor(Float32Array.of(value), []));
  }

  /**
   * Appends a node and gives back the names of its outputs.
   *
   * @param outputs how many, or for each slot whether anybody wants it
   */
  nodes(
    op: string,
    stem: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number | readonly boolean[],
  ): string[] {
    const name = this.unique(stem);
    const wanted =
      typeof outputs === 'number' ? Array.from({ length: outputs }, () => true) : outputs;
    const names = wanted.map((wants, slot) => (wants ? this.unique(`${name}:${slot}`) : ''));
    this.#nodes.push({ op, name, inputs, outputs: names, attributes });
    return names;
  }

  /** Appends a node with one output. */
  node(
    op: string,
    stem: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.nodes(op, stem, inputs, attributes, 1)[0]!;
  }

  /** The finished graph, its outputs renamed as asked. */
  finish(name: string, outputs: readonly NamedOutput[]): Graph {
    const made = new Set(this.#nodes.flatMap((node) => node.outputs));
    const renamed = new Map<string, string>();
    const copies: Node[] = [];
    for (const { name: to, value } of outputs) {
      // An input that is an output too, or a value that leaves twice, needs a second name.
      if (made.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, to);
      else {
        const inputs = [value.name];
        copies.push({
          op: 'Identity',
          name: this.unique(to),
          inputs,
          outputs: [to],
          attributes: {},
        });
      }
    }
    const rename = (value: string): string => renamed.get(value) ?? value;
    return {
      name,
      inputs: this.#inputs,
      outputs: outputs.map(({ name: to, value }) => ({
        name: to,
        type: value.type,
        dims: value.dims,
      })),
      constants: this.#constants,
      nodes: [...this.#nodes, ...copies].map((node) => ({
        ...node,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      })),
    };
  }
}
