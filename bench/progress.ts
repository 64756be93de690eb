// A bar on the terminal, on stderr so that the table can go to a file; nothing where there is no terminal.

const WIDTH = 24;

/** How far a run of `total` parts is. */
export class Progress {
  readonly #total: number;
  readonly #start = performance.now();
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Says what comes next. */
  show(doing: string): void {
    if (!process.stderr.isTTY) return;
    const fraction = this.#done / this.#total;
    const full = Math.round(fraction * WIDTH);
    const left = (performance.now() - this.#start) * (1 / fraction - 1);
    const eta = this.#done > 0 ? `, ${durationOf(left)} left` : '';
    const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
    const line = `${bar} ${this.#done}/${this.#total}${eta}  ${doing}`;
    process.stderr.write(`\r\u001B[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  }

  /** One part is done: takes the bar away, so that a line can be printed in its place. */
  step(): void {
    this.#done++;
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  }
}

/** `40 s`, `12 min`, `3.5 h`. */
function durationOf(ms: number): string {
  if (ms < 90_000) return `${Math.ceil(ms / 1000)} s`;
  return ms < 5_400_000 ? `${Math.ceil(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
