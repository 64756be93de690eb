// Names of values while a graph is rewritten: from the old graph to the new one.
import type { Graph } from '../graph.ts';

/** Makes names that are not taken yet. */
export class FreeNames {
  readonly #taken: Set<string>;
  readonly #next = new Map<string, number>();

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** `base`, or `base_1`, `base_2` … where that is taken. */
  take(base: string): string {
    let name = base;
    let count = this.#next.get(base) ?? 0;
    while (this.#taken.has(name)) name = `${base}_${++count}`;
    this.#next.set(base, count);
    this.#taken.add(name);
    return name;
  }
}

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
