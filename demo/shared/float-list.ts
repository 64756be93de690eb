// Numbers that keep arriving, in one typed array.

/** A list of doubles that doubles its room when it is full. */
export class FloatList {
  #room = new Float64Array(1024);
  #length = 0;

  /** How many numbers there are. */
  get length(): number {
    return this.#length;
  }

  /** Adds numbers at the end. */
  push(...numbers: readonly number[]): void {
    this.append(numbers);
  }

  /** Adds all numbers of an array at the end. */
  append(numbers: ArrayLike<number>): void {
    const end = this.#length + numbers.length;
    if (end > this.#room.length) {
      const larger = new Float64Array(Math.max(end, this.#room.length * 2));
      larger.set(this.view());
      this.#room = larger;
    }
    this.#room.set(numbers, this.#length);
    this.#length = end;
  }

  /** The numbers from `start` on, without a copy: good until the next `append`. */
  view(start = 0): Float64Array {
    return this.#room.subarray(start, this.#length);
  }

  /** Forgets all numbers. */
  clear(): void {
    this.#length = 0;
  }
}
