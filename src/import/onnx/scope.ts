// Names while a file is translated: which value a name means here.
// ONNX lets sub-graphs read the values around them; a file may also reuse a name inside, which the
// graph does not allow, so such a value gets a new one.
// https://onnx.ai/onnx/repo-docs/IR.html#names-within-a-graph
import { RnnError } from '../../errors.ts';
import type { ValueInfo } from '../../graph.ts';
import type { Tensor } from '../../tensor.ts';
import type { UniqueNames } from '../../unique-names.ts';

/** The values that a graph or sub-graph can see. */
export class Scope {
  /** Constants that this graph will own, by their names in it. */
  readonly constants = new Map<string, Tensor>();
  /** Inputs of this graph by their names in it. */
  readonly inputs = new Map<string, ValueInfo>();
  readonly #outer: Scope | undefined;
  /** Names free in the whole file. */
  readonly #free: UniqueNames;
  /** From names in the file to names in the graph. */
  readonly #names = new Map<string, string>();

  constructor(outer: Scope | undefined, free: UniqueNames) {
    this.#outer = outer;
    this.#free = free;
  }

  /** Makes a value of the file known and returns its name in the graph. */
  define(name: string, path: string): string {
    if (name === '') throw new RnnError('INVALID_MODEL', path, 'a value without a name');
    if (this.#names.has(name)) {
      throw new RnnError('INVALID_MODEL', path, `value '${name}' is defined twice`);
    }
    const unique = this.#outer?.find(name) === undefined ? name : this.#free.take(name);
    this.#names.set(name, unique);
    return unique;
  }

  /** A name for a value that the file does not have. */
  fresh(base: string): string {
    return this.#free.take(base);
  }

  /** Name in the graph of a value of the file; undefined when nothing has made it yet. */
  find(name: string): string | undefined {
    return this.#names.get(name) ?? this.#outer?.find(name);
  }

  /** The constant that has this name in the graph, here or around. */
  constant(name: string): Tensor | undefined {
    return this.constants.get(name) ?? this.#outer?.constant(name);
  }

  /** The graph input that has this name in the graph, here or around. */
  input(name: string): ValueInfo | undefined {
    return this.inputs.get(name) ?? this.#outer?.input(name);
  }
}
