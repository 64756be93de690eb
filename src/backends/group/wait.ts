// How long a batch waits for steps of other streams.

/** Rounds of microtasks without a new step after which a batch goes. */
const IDLE_ROUNDS = 4;

/** The wait of one batch after the other. */
export class Wait {
  /** Ends a wait by time. */
  end: () => void = () => undefined;
  readonly #milliseconds: number;

  /** @param milliseconds that a step may wait; with 0 the steps of the same task go together */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /**
   * Waits until a batch should go.
   *
   * @param count of the steps that are pending
   * @param isComplete whether no other step can come
   */
  async forSteps(count: () => number, isComplete: boolean): Promise<void> {
    if (this.#milliseconds > 0 && !isComplete) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#milliseconds);
        this.end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      return;
    }
    for (let before = -1, idle = 0; idle < IDLE_ROUNDS;) {
      await undefined;
      idle = count() === before ? idle + 1 : 0;
      before = count();
    }
  }
}
