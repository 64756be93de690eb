// Writes nodes into a graph that is there: before its own nodes, and after them.
import type { Attribute, Graph, Node, ValueInfo } from '../graph.ts';
import { tensor, type DataType, type Tensor } from '../tensor.ts';
import { UniqueNames } from '../unique-names.ts';

/** A graph with additions. Names that are there stay; those of what is added begin with `generate.`. */
export class GraphEditor {
  readonly #graph: Graph;
  readonly #names: UniqueNames;
  readonly #inputs: ValueInfo[];
  readonly #constants = new Map<string, Tensor>();
  readonly #before: Node[] = [];
  readonly #after: Node[] = [];
  readonly #known = new Map<string, string>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#inputs = [...graph.inputs];
    this.#names = new UniqueNames([
      ...graph.inputs.map(({ name }) => name),
      ...graph.constants.keys(),
      ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
    ]);
  }

  /** Declares an input, and gives back its name. */
  input(stem: string, type: DataType, dims: readonly number[]): string {
    const name = this.#names.take(`generate.${stem}`);
    this.#inputs.push({ name, type, dims });
    return name;
  }

  /** Takes an input away. What reads it must be given the value by {@link before}. */
  dropInput(name: string): void {
    this.#inputs.splice(
      this.#inputs.findIndex((info) => info.name === name),
      1,
    );
  }

  /**
   * A constant. Its name says its content, because the weights of all graphs of a model share one table of
   * names.
   */
  #constant(content: string, make: () => Tensor): string {
    let name = this.#known.get(content);
    if (name === undefined) {
      name = this.#names.take(`generate.${content}`);
      this.#known.set(content, name);
      this.#constants.set(name, make());
    }
    return name;
  }

  /** Whole numbers as int64, [n] or the given shape. */
  ints(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.#constant(`ints:${values.join(',')}:${dims.join('x')}`, () =>
      tensor(BigInt64Array.from(values, BigInt), dims),
    );
  }

  /** 0, 1 … as int64 [1, n]. */
  range(n: number): string {
    return this.#constant(`range:${n}`, () =>
      tensor(
        BigInt64Array.from({ length: n }, (_, i) => BigInt(i)),
        [1, n],
      ),
    );
  }

  /** One float32, [1]. */
  float(value: number): string {
    return this.#constant(`float:${value}`, () => tensor(Float32Array.of(value), [1]));
  }

  #make(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly string[],
  ): Node {
    return { op, name: this.#names.take(`generate.${op}`), inputs, outputs, attributes };
  }

  /** A node after those of the graph; the name of its first output. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    stem = `${op}:0`,
  ): string {
    const output = this.#names.take(`generate.${stem}`);
    this.#after.push(this.#make(op, inputs, attributes, [output]));
    return output;
  }

  /** The best `k` of each row of x [B, V], best first, and their places, both [B, k]. */
  topK(x: string, k: number): readonly [values: string, places: string] {
    const values = this.#names.take('generate.best');
    const places = this.#names.take('generate.places');
    this.#after.push(this.#make('TopK', [x, this.ints([k])], { axis: 1 }, [values, places]));
    return [values, places];
  }

  /** A node before those of the graph, whose output is `output`, or a new value. */
  before(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = this.#names.take(`generate.${op}:0`),
  ): string {
    this.#before.push(this.#make(op, inputs, attributes, [output]));
    return output;
  }

  /** Reads `now` in place of `old` in the nodes of the graph. */
  graph(outputs: readonly ValueInfo[], replaced: ReadonlyMap<string, string> = new Map()): Graph {
    const { nodes, constants, name } = this.#graph;
    const renamed = nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((input) => replaced.get(input) ?? input),
    }));
    return {
      name,
      inputs: this.#inputs,
      outputs: [...this.#graph.outputs, ...outputs],
      constants: new Map([...constants, ...this.#constants]),
      nodes: [...this.#before, ...(replaced.size > 0 ? renamed : nodes), ...this.#after],
    };
  }

  /** The inputs so far. */
  get inputs(): readonly ValueInfo[] {
    return this.#inputs;
  }
}
