// Names of values while a graph is rewritten: from the old graph to the new one.
import type { Graph } from '../graph.ts';

/** Names of the new graph by those of the old one; a sub-graph sees those of the graphs around it. */
export class Renames {
  readonly #outer: Renames | undefined;
  readonly #names = new Map<string, string>();

  constructor(outer?: Renames) {
    this.#outer = outer;
  }

  set(old: string, name: string): void {
    this.#names.set(old, name);
  }

  /** The new name; `''`, which stands for no value, stays. */
  get(old: string): string {
    return this.#names.get(old) ?? this.#outer?.get(old) ?? old;
  }
}

/** Names of all values that a graph makes, without those inside of its sub-graphs. */
export function definedNames({ inputs, constants, nodes }: Graph): string[] {
  return [
    ...inputs.map(({ name }) => name),
    ...constants.keys(),
    ...nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== '')),
  ];
}
