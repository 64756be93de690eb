// Names that nobody has yet, for values, nodes and constants of a graph.

/** Hands out each name once. */
export class UniqueNames {
  readonly #taken: Set<string>;
  readonly #next = new Map<string, number>();

  /** @param taken names that are never handed out */
  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** Marks a name as taken that was not handed out here. */
  add(name: string): void {
    this.#taken.add(name);
  }

  /** `base`, or `base_1`, `base_2` … where that is taken; taken from now on. */
  take(base: string): string {
    let name = base;
    let count = this.#next.get(base) ?? 0;
    while (this.#taken.has(name)) name = `${base}_${++count}`;
    this.#next.set(base, count);
    this.#taken.add(name);
    return name;
  }
}
