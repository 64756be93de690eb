// Steps that wait for their batch, and which of them can be rows of one.
import type { Tensor } from '../../tensor.ts';
import type { Tensors } from '../backend.ts';
import type { CheckedCall } from '../prepare-call.ts';
import type { BatchAxes } from './batch-axes.ts';
import type { Member } from './members.ts';
import { rowOf, sameNumbers, stack } from './rows.ts';

/** Tensors of one row. */
export type Results = Record<string, Tensor>;

/** A step that waits for its batch. */
export interface Pending {
  readonly member: Member;
  readonly feeds: Tensors;
  readonly kind: StepKind;
  readonly signal: AbortSignal | undefined;
  /** Losses of the device that were known when it was called. */
  readonly calledAt: number;
  readonly resolve: (results: Results) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Steps that can be rows of one batch: the same shapes and outputs, and the same numbers in inputs that rows share or
 * that decide shapes.
 */
export class StepKind {
  readonly axes: BatchAxes;
  readonly outputs: readonly string[];
  /** Whether what is of this kind needs no other check: nothing of it depends on numbers. */
  readonly isChecked: boolean;
  readonly #like: readonly (readonly [name: string, feed: Tensor, isExact: boolean])[];

  /**
   * @param call check of the feeds
   * @param host inputs whose numbers decide shapes
   */
  constructor(
    call: CheckedCall,
    feeds: Tensors,
    axes: BatchAxes,
    outputs: readonly string[],
    host: ReadonlySet<string>,
  ) {
    this.axes = axes;
    this.outputs = outputs;
    this.isChecked = call.lengths.length === 0 && call.indices.length === 0;
    this.#like = Object.entries(feeds).map(([name, feed]) => {
      return [name, feed, host.has(name) || !axes.inputs.has(name)] as const;
    });
  }

  /** Whether some feeds, which may be anything, are of this kind. */
  fits(feeds: Tensors, outputs: readonly string[]): boolean {
    if (outputs.length !== this.outputs.length) return false;
    for (let i = 0; i < outputs.length; i++) if (outputs[i] !== this.outputs[i]) return false;
    let fed = 0;
    for (const [name, like, isExact] of this.#like) {
      const feed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
      if (feed?.type !== like.type || !Array.isArray(feed.dims)) return false;
      if (feed.dims.length !== like.dims.length) return false;
      for (const [axis, dim] of like.dims.entries()) if (feed.dims[axis] !== dim) return false;
      if (feed.data?.constructor !== like.data.constructor) return false;
      if (feed.data.length !== like.data.length) return false;
      if (isExact && !sameNumbers(feed.data, like.data)) return false;
      fed++;
    }
    for (const _ in feeds) fed--;
    return fed === 0;
  }

  /** What one row of a batch has computed. */
  resultsOf(results: Tensors, names: readonly string[], row: number): Results {
    const own: Results = {};
    for (const name of names) {
      const axis = this.axes.outputs.get(name);
      own[name] = axis === undefined ? results[name]! : rowOf(results[name]!, axis, row);
    }
    return own;
  }

  /** The feeds of a batch of `count` rows; those beyond the steps repeat the first. */
  batchOf(steps: readonly Tensors[], count: number): Tensors {
    const batch: Record<string, Tensor> = {};
    for (const [name] of this.#like) {
      const axis = this.axes.inputs.get(name);
      const rowAt = (row: number): Tensor => (steps[row] ?? steps[0])![name]!;
      batch[name] = axis === undefined ? rowAt(0) : stack(axis, count, rowAt);
    }
    return batch;
  }
}

/** Kinds of steps, and shapes, that are remembered. */
export const MAX_KINDS = 64;

/** The kinds that came last. */
export class StepKinds {
  #latestFirst: readonly StepKind[] = [];

  /** The kind of some feeds, which may be anything. */
  find(feeds: Tensors, outputs: readonly string[]): StepKind | undefined {
    const found = this.#latestFirst.find((kind) => kind.fits(feeds ?? {}, outputs));
    return found && this.add(found);
  }

  /** Puts a kind first. */
  add(kind: StepKind): StepKind {
    if (this.#latestFirst[0] !== kind) {
      const others = this.#latestFirst.filter((each) => each !== kind);
      this.#latestFirst = [kind, ...others].slice(0, MAX_KINDS);
    }
    return kind;
  }
}
