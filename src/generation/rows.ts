// Which token of which row a step is for: rows begin when their prompt ends and end at a stop token.
import { RnnError } from '../errors.ts';
import type { ScoredToken } from './types.ts';
import { uniformNumbers } from './random.ts';

/** What one step gives for a row: a token, which may be the one that ends it. */
export type RowToken = (ScoredToken & { readonly isStop: boolean }) | undefined;

/** The rows of a batch, step by step. Step 0 reads as many tokens as the shortest prompt has. */
export class Rows {
  readonly #prompts: readonly (readonly number[])[];
  readonly #stops: ReadonlySet<number>;
  readonly #maxSteps: number;
  readonly #uniform: readonly (() => number)[];
  readonly #counts: number[];
  readonly #ended: boolean[];
  /** Steps whose numbers have been made, and whose results have been taken. */
  #fed = 0;
  #taken = 0;
  /** Tokens of the shortest prompt. */
  readonly shortest: number;

  /** @param places which random numbers each row has */
  constructor(
    prompts: readonly (readonly number[])[],
    { stops, maxSteps, seed }: { stops: ReadonlySet<number>; maxSteps: number; seed: number },
    places: readonly number[],
  ) {
    this.#prompts = prompts;
    this.#stops = stops;
    this.#maxSteps = maxSteps;
    this.#uniform = places.map((place) => uniformNumbers(seed, place));
    this.#counts = prompts.map(() => 0);
    this.#ended = prompts.map(() => false);
    this.shortest = Math.min(...prompts.map(({ length }) => length));
  }

  /** Whether prompts differ in length, so that some rows are given tokens while others choose theirs. */
  get isRagged(): boolean {
    return this.#prompts.some(({ length }) => length > this.shortest);
  }

  /** Whether all rows have ended. */
  get ended(): boolean {
    return this.#ended.every(Boolean);
  }

  /** How many steps there can be from now on. */
  get left(): number {
    const longest = Math.max(...this.#prompts.map(({ length }) => length));
    return longest - this.shortest + this.#maxSteps - this.#fed;
  }

  /** The token that a row is given at a step. */
  #given(row: number, step: number): number | undefined {
    return this.#prompts[row]![this.shortest + step];
  }

  /** The random numbers and the given tokens (-1 where there is none) of the next steps, [count, B]. */
  feed(count: number): { uniform: Float32Array; forced: BigInt64Array } {
    const batch = this.#prompts.length;
    const uniform = new Float32Array(count * batch).fill(0.5);
    const forced = new BigInt64Array(count * batch);
    for (let i = 0; i < forced.length; i++) {
      const [step, row] = [this.#fed + Math.floor(i / batch), i % batch];
      const given = this.#given(row, step);
      forced[i] = BigInt(given ?? -1);
      if (given === undefined) uniform[i] = this.#uniform[row]!();
    }
    this.#fed += count;
    return { uniform, forced };
  }

  /**
   * Takes what the next step has chosen.
   *
   * @returns a place for each row; undefined where no row has a token
   * @throws RnnError `INVALID_MODEL` where a row that goes on has no token
   */
  take(tokens: readonly number[], logProbs: readonly number[]): readonly RowToken[] | undefined {
    const step = this.#taken++;
    const result = tokens.map((token, row): RowToken => {
      if (this.#ended[row] || this.#given(row, step) !== undefined) return undefined;
      if (token < 0) {
        const what = `scores of row ${row} at step ${this.#counts[row]}, got NaN, expected numbers`;
        throw new RnnError('INVALID_MODEL', 'outputs', what);
      }
      const isStop = this.#stops.has(token);
      if (!isStop) this.#counts[row]!++;
      this.#ended[row] = isStop || this.#counts[row]! >= this.#maxSteps;
      return { token, logProb: logProbs[row] ?? NaN, isStop };
    });
    return result.every((token) => token === undefined) ? undefined : result;
  }
}
