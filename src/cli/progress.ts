// A bar on a terminal for work that takes long enough to be wondered about.

/** Where the bar is drawn. */
export interface Terminal {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

const PATIENCE_MS = 500;
const EVERY_MS = 100;
const WIDTH = 30;

/** Tells how far work has come; draws nothing where nobody watches. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #total: number;
  readonly #unit: string;
  readonly #start = performance.now();
  #drawn = 0;

  constructor(terminal: Terminal, total: number, unit: string) {
    this.#terminal = terminal;
    this.#total = total;
    this.#unit = unit;
  }

  at(done: number): void {
    const now = performance.now();
    if (!this.#terminal.isTTY || now - this.#start < PATIENCE_MS) return;
    if (now - this.#drawn < EVERY_MS) return;
    this.#drawn = now;
    const fraction = done / this.#total;
    const bar = '█'.repeat(Math.round(fraction * WIDTH)).padEnd(WIDTH, '░');
    const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
    this.#terminal.write(`\r${bar} ${percent} ${done}/${this.#total} ${this.#unit}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawn > 0) this.#terminal.write('\r\u001b[K');
  }
}
