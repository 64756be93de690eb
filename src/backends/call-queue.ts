// First in, first out: calls that overlap take effect in the order they were made.

/** A queue of work that starts at once when nothing is before it. */
export class CallQueue {
  #tail: Promise<unknown> | undefined;

  /** True while work that was entered before is not done. */
  get busy(): boolean {
    return this.#tail !== undefined;
  }

  /**
   * Runs `work` when all that entered before is done. Work that finishes without waiting, entered
   * while nobody waits, has run when this returns.
   */
  async run<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.#tail ? this.#tail.then(work) : work();
    if (!(result instanceof Promise)) return result;
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tail = tail;
    void tail.then(() => {
      if (this.#tail === tail) this.#tail = undefined;
    });
    return result;
  }
}
