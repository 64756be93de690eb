// Names of values while a graph is rewritten: what each name of the old graph is called in the new.
import type { Graph } from '../graph.ts';

/** Hands out names that are free. */
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

/** From names of the old graph to names of the new one; a sub-graph sees those around it. */
export class Renames {
  readonly #outer: Renames | undefined;
  readonly #names = new Map<string, string>();

  constructor(outer?: Renames) {
    this.#outer = outer;
  }

  set(old: string, name: string): void {
    this.#names.set(old, name);
  }

  /** The new name; `''` stays, it stands for no value. */
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
