// What the float64 reference may hold at once: a file of a hundred bytes can ask for any amount.
import { RnnError } from '../errors.ts';
import { MAX_LIVE_ELEMENTS, type Node } from '../graph.ts';
import { formatDims, sizeOf } from '../tensor.ts';

/** Counts the elements of values before they are allocated. */
export class ElementBudget {
  readonly #max: number;
  #used = 0;

  constructor(max: number = MAX_LIVE_ELEMENTS) {
    this.#max = max;
  }

  /** Elements that are held. */
  get used(): number {
    return this.#used;
  }

  /** @throws RnnError `LIMIT_EXCEEDED` where the outputs of a node are more than what is left */
  take(
    { op, name }: Node,
    outputs: readonly { readonly dims: readonly number[] }[],
    path: string,
  ): void {
    const size = outputs.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
    this.#used += size;
    if (this.#used <= this.#max) return;
    const shapes = outputs.map(({ dims }) => formatDims(dims)).join(' and ');
    const what = `${op} '${name}' makes ${shapes}, ${this.#used} elements with those before it`;
    throw new RnnError(
      'LIMIT_EXCEEDED',
      path,
      `${what}, at most ${this.#max} (limits.maxLiveElements)`,
    );
  }

  /** Forgets what has been counted since `used` was this much, except values of so many elements. */
  release(used: number, remaining: number): void {
    this.#used = used + remaining;
  }
}
