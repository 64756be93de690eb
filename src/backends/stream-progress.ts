// How many steps the state of a stream contains, and what the stream goes on from when its device is lost.
import type { Tensors } from './backend.ts';

/** The steps since a stream began, or was last reset, restored or rolled back. */
export class StepCount {
  /** Whether it began with the initial state. */
  readonly fromInitial: boolean;
  #before: number;
  /** Of a fork: the count of its source, until the fork has its state. */
  #source: StepCount | undefined;
  #submitted = 0;
  readonly #refused: number[] = [];

  /** @param before steps that the state has at the beginning of the count */
  constructor(before: number, fromInitial: boolean) {
    this.#before = before;
    this.fromInitial = fromInitial;
  }

  /** Steps in the state: those whose work was submitted. */
  get steps(): number {
    return this.#begin + this.#submitted - this.#refused.length;
  }

  get #begin(): number {
    return this.#source?.steps ?? this.#before;
  }

  /** A step has been submitted. @returns its number, for the other methods */
  add(): number {
    return ++this.#submitted;
  }

  /** The device has refused the work of a step, which has not moved the state then. */
  refuse(number: number): void {
    this.#refused.push(number);
  }

  /** Steps in the state as it was after one of them. */
  stepsAfter(number: number): number {
    return this.#begin + number - this.#refused.filter((other) => other < number).length;
  }

  /** The count of a fork, which goes on with that of this one until it is settled. */
  fork(): StepCount {
    const other = new StepCount(0, this.fromInitial);
    other.#source = this;
    return other;
  }

  /** Called when a fork has taken the state of its source. */
  settle(): void {
    this.#before = this.#begin;
    this.#source = undefined;
  }
}

/** A state on the host; that of `undefined` is the initial one. */
interface Saved {
  readonly state: Tensors | undefined;
  readonly steps: number;
}

const INITIAL: Saved = { state: undefined, steps: 0 };

/**
 * Both of the above for one stream, whatever device it is on. A reset or a restore counts from when it is
 * called, for nothing tells its caller if a loss comes before it takes effect. So each step says to which count
 * it belongs, that of the time when it was called.
 */
export class StreamProgress {
  readonly #every: number;
  #count = new StepCount(0, true);
  #saved = INITIAL;

  /** @param every steps between two copies of the state; 0 for none */
  constructor(every: number) {
    this.#every = every;
  }

  /** What the steps that are called now belong to. */
  get count(): StepCount {
    return this.#count;
  }

  /** Whether the state is to be copied to the host after the next steps that are submitted together. */
  isDue(count: StepCount, steps: number): boolean {
    if (this.#every === 0 || count !== this.#count) return false;
    return Math.floor((count.steps + steps) / this.#every) > Math.floor(count.steps / this.#every);
  }

  /** Takes a copy of the state, as it was after a step. One that has been overtaken is left. */
  keep(count: StepCount, number: number, state: Tensors): void {
    const steps = count.stepsAfter(number);
    if (count === this.#count && steps > this.#saved.steps) this.#saved = { state, steps };
  }

  /** The stream was told to go on from another state; undefined is the initial one. */
  begin(state: Tensors | undefined): void {
    this.#count = new StepCount(0, state === undefined);
    this.#saved = this.#every > 0 ? { state, steps: 0 } : INITIAL;
  }

  /**
   * The device is lost: back to the latest copy.
   *
   * @returns that copy, and whether more than steps was lost: there is no copy, and the state was not the
   *   initial one
   */
  rollBack(): { readonly state: Tensors | undefined; readonly isLost: boolean } {
    const { steps, fromInitial } = this.#count;
    const { state } = this.#saved;
    this.#count = new StepCount(this.#saved.steps, state === undefined);
    return { state, isLost: this.#every === 0 && (steps > 0 || !fromInitial) };
  }

  /** That of a fork. Its count is to be settled when it has its state. */
  fork(): StreamProgress {
    const other = new StreamProgress(this.#every);
    other.#count = this.#count.fork();
    other.#saved = this.#saved;
    return other;
  }
}
