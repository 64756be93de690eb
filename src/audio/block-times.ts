// How long blocks took.

/** What the statistics cover: the latest blocks. */
const WINDOW = 1024;

/** Times of blocks, in milliseconds as the clock of the thread tells them. */
export interface BlockStatistics {
  /** Blocks that were computed. */
  readonly blocks: number;
  /** Blocks that took longer than the deadline. */
  readonly misses: number;
  /**
   * Mean of all blocks. Many blocks make it exact also where one block takes less than the clock can tell, if they begin at any
   * time between two ticks of it.
   */
  readonly mean: number;
  /** Half of the latest 1024 blocks took no longer; off by up to `resolution`. */
  readonly p50: number;
  /** 99 of 100 of the latest 1024 blocks took no longer; off by up to `resolution`. */
  readonly p99: number;
  /** The longest of all; off by up to `resolution`. */
  readonly max: number;
  /** The least difference that the clock can tell: 1 where an audio thread has only `Date.now`. */
  readonly resolution: number;
  /** What a block may take. */
  readonly deadline: number;
}

/** Collects times. It allocates only when asked for statistics. */
export class BlockTimes {
  readonly #times = new Float64Array(WINDOW);
  readonly #resolution: number;
  readonly #deadline: number;
  #blocks = 0;
  #misses = 0;
  #sum = 0;
  #max = 0;

  constructor(resolution: number, deadline: number) {
    this.#resolution = resolution;
    this.#deadline = deadline;
  }

  /** Adds a block, and says whether it surely took longer than the deadline. */
  add(elapsed: number): boolean {
    const time = Math.max(0, elapsed); // Date.now may be set back
    this.#times[this.#blocks++ % WINDOW] = time;
    this.#sum += time;
    this.#max = Math.max(this.#max, time);
    // A reading of k ticks means more than k - 1 of them.
    const isLate = time - this.#resolution >= this.#deadline;
    if (isLate) this.#misses++;
    return isLate;
  }

  /** See {@link BlockStatistics}; all 0 before the first block. */
  statistics(): BlockStatistics {
    const sorted = this.#times.slice(0, Math.min(this.#blocks, WINDOW)).toSorted();
    const quantile = (part: number): number =>
      sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
    return {
      blocks: this.#blocks,
      misses: this.#misses,
      mean: this.#blocks === 0 ? 0 : this.#sum / this.#blocks,
      p50: quantile(0.5),
      p99: quantile(0.99),
      max: this.#max,
      resolution: this.#resolution,
      deadline: this.#deadline,
    };
  }
}
