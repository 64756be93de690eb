// Graph → graph that computes the same with less: constants are folded, branches of known conditions
// taken, nodes without effect and nodes that nothing reads removed. Names of inputs and outputs stay.
// The planner folds what depends on the shapes of a run.
import { isGraph, type Attribute, type Graph, type Node } from '../graph.ts';
import { RnnError } from '../errors.ts';
import type { DataType, Tensor } from '../tensor.ts';
import { KnownValues } from './known-values.ts';
import { UniqueNames } from '../unique-names.ts';
import { definedNames, Renames } from './names.ts';
import { renamed, withoutDead } from '../prune.ts';

/** A graph that is being written. */
interface Level {
  readonly nodes: Node[];
  readonly constants: Map<string, Tensor>;
  readonly nodeNames: UniqueNames;
  /** New names of the values of a sub-graph; those of the outermost graph stay. */
  readonly nameOf: (old: string) => string;
}

/** A smaller graph that gives the same outputs for the same inputs, up to float32 rounding. */
export function simplify(graph: Graph): Graph {
  const writer = new Writer(definedNames(graph));
  const renames = new Renames();
  const level: Level = {
    nodes: [],
    constants: new Map(),
    nodeNames: new UniqueNames(graph.nodes.map(({ name }) => name)),
    nameOf: (old) => old,
  };
  writer.write(graph, level, renames, true);
  const nodes = withOutputNames(graph, level, renames);
  const { untyped = [], ...rest } = graph;
  const outputs = graph.outputs.map((output, i) => {
    if (!untyped.includes(output.name)) return output;
    return { ...output, type: writer.typeOf(renames.get(output.name), `graph.outputs[${i}]`) };
  });
  return withoutDead({ ...rest, outputs, nodes, constants: level.constants });
}

class Writer {
  readonly #known = new KnownValues();
  readonly #values: UniqueNames;

  constructor(taken: Iterable<string>) {
    this.#values = new UniqueNames(taken);
  }

  /**
   * The element type of a value.
   *
   * @throws RnnError `INVALID_MODEL` where nothing tells it
   */
  typeOf(name: string, path: string): DataType {
    const type = this.#known.type(name);
    if (type !== undefined) return type;
    const what = `'${name}' has no type in the file, and what makes it does not tell one`;
    throw new RnnError('INVALID_MODEL', `${path}.type`, `${what}: export it with its type`);
  }

  /** Adds the content of a graph to `level`, and the new names of its values to `renames`. */
  write(whole: Graph, level: Level, renames: Renames, outermost = false): void {
    const graph = withoutDead(whole);
    for (const [name, value] of graph.constants) {
      const kept = level.nameOf(name);
      renames.set(name, kept);
      level.constants.set(kept, value);
      this.#known.setConstant(kept, value);
    }
    for (const { name, type, dims } of graph.inputs) {
      const kept = level.nameOf(name);
      renames.set(name, kept);
      // The declared inputs of a loop body do not bind what it is given.
      if (outermost) this.#known.setType(kept, type, dims);
    }
    for (const node of graph.nodes) this.#writeNode(node, level, renames, outermost);
  }

  #writeNode(old: Node, level: Level, renames: Renames, outermost: boolean): void {
    const node = { ...old, inputs: old.inputs.map((name) => renames.get(name)) };
    const [source = '', [target = '', ...others]] = [node.inputs[0], node.outputs];
    if (source !== '' && others.every((name) => name === '') && this.#doesNothing(node)) {
      renames.set(target, source);
      return;
    }
    const branch = this.#knownBranch(node);
    if (branch && branch.outputs.length >= node.outputs.length) {
      const inner = new Renames(renames);
      this.write(branch, { ...level, nameOf: (name) => this.#values.take(name) }, inner);
      node.outputs.forEach((name, k) => renames.set(name, inner.get(branch.outputs[k]!.name)));
      return;
    }
    const outputs = node.outputs.map((name) => {
      if (name === '') return '';
      const kept = level.nameOf(name);
      renames.set(name, kept);
      return kept;
    });
    const folded = this.#known.fold({ ...node, outputs });
    if (folded) {
      outputs.forEach((name, slot) => {
        if (name === '') return;
        level.constants.set(name, folded[slot]!);
        this.#known.setConstant(name, folded[slot]!);
      });
      return;
    }
    // Nodes of the outermost graph keep their names; those from branches get new ones.
    const name = outermost ? node.name : level.nodeNames.take(node.name);
    const written = { ...node, name, outputs, attributes: this.#attributes(node, renames) };
    level.nodes.push(written);
    this.#known.addOutputs(written);
  }

  #attributes(node: Node, renames: Renames): Node['attributes'] {
    const entries = Object.entries(node.attributes);
    if (!entries.some(([, value]) => isGraph(value))) return node.attributes;
    return Object.fromEntries(
      entries.map(([key, value]): [string, Attribute] => [
        key,
        isGraph(value) ? this.#subGraph(value, renames) : value,
      ]),
    );
  }

  /** A sub-graph that is not inlined. Its values get names that no value around it has. */
  #subGraph(graph: Graph, outer: Renames): Graph {
    const renames = new Renames(outer);
    const level: Level = {
      nodes: [],
      constants: new Map(),
      nodeNames: new UniqueNames(),
      nameOf: (old) => this.#values.take(old),
    };
    this.write(graph, level, renames);
    const rename = <T extends { readonly name: string }>(info: T): T => ({
      ...info,
      name: renames.get(info.name),
    });
    return withoutDead({
      ...graph,
      inputs: graph.inputs.map(rename),
      outputs: graph.outputs.map(rename),
      nodes: level.nodes,
      constants: level.constants,
    });
  }

  #doesNothing(node: Node): boolean {
    if (node.op === 'Identity') return true;
    if (node.op === 'Cast') {
      const type = this.#known.type(node.inputs[0]!);
      return type !== undefined && type === this.#known.typeOf(node, 0);
    }
    if (node.op !== 'Dropout') return false;
    const training = node.inputs[2] ?? '';
    return training === '' || Number(this.#known.constant(training)?.data[0] ?? 1) === 0;
  }

  /** The branch that an If takes, where that is known. */
  #knownBranch(node: Node): Graph | undefined {
    const condition = node.op === 'If' ? this.#known.constant(node.inputs[0] ?? '') : undefined;
    if (condition?.data.length !== 1) return undefined;
    const branch = node.attributes[Number(condition.data[0]) === 0 ? 'else_branch' : 'then_branch'];
    return isGraph(branch) ? branch : undefined;
  }
}

/** The nodes, with the outputs of the graph under their original names. */
function withOutputNames({ outputs }: Graph, level: Level, renames: Renames): readonly Node[] {
  const made = new Set(level.nodes.flatMap((node) => node.outputs));
  const outputNames = new Set(outputs.map(({ name }) => name));
  const back = new Map<string, string>();
  const copies: Node[] = [];
  const nodeNames = new UniqueNames(level.nodes.map(({ name }) => name));
  for (const { name } of outputs) {
    const source = renames.get(name);
    if (source === name) continue;
    const value = level.constants.get(source);
    if (value !== undefined) level.constants.set(name, value);
    else if (made.has(source) && !outputNames.has(source) && !back.has(source))
      back.set(source, name);
    else copies.push(copy(source, name, nodeNames));
  }
  return [...level.nodes, ...copies].map((node) => renamed(node, back));
}

/** An input that is an output as well, or one value under two names. */
function copy(source: string, name: string, nodeNames: UniqueNames): Node {
  const node = nodeNames.take(`Identity_${name}`);
  return { op: 'Identity', name: node, inputs: [source], outputs: [name], attributes: {} };
}
