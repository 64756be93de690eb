// Many streams of a model that are computed together. The machinery is a chunk of its own.
import { RnnError } from './errors.ts';
import type { ValueInfo } from './graph.ts';
import type { Tensors } from './backends/backend.ts';
import { checkCount, checkOptions } from './backends/check-options.ts';
import { disposeWhenCollected, forgetCollected } from './backends/finalize.ts';
import type { GroupParts } from './backends/group/parts.ts';
import { STREAM_OPTIONS, type StreamOptions } from './load-options.ts';
import { CALL_OPTIONS, checkChunk, outputNames, type CallOptions } from './stream.ts';
import { LoadedGroup } from './backends/loaded-group.ts';
import { GroupStream } from './group-stream.ts';

/** Options of {@link Model.streams}: those of a stream, and how many there may be. */
export interface StreamsOptions extends Omit<StreamOptions, 'batch'> {
  /** Streams that there may be at a time; each takes a row of state on the device from the start. */
  readonly capacity: number;
  /**
   * Milliseconds that a step may wait for steps of other streams, unless all that have joined have one. With 0
   * (default) those go together that are called in the same task, before the page does anything else.
   */
  readonly maxWait?: number;
}

const { batch: _, ...OF_A_STREAM } = STREAM_OPTIONS;
const STREAMS_OPTIONS: Record<keyof StreamsOptions, true> = {
  ...OF_A_STREAM,
  capacity: true,
  maxWait: true,
};

/** @throws RnnError `INVALID_ARGUMENT` for options that are not what the types say */
export function checkStreamsOptions(options: StreamsOptions): void {
  checkOptions(options, STREAMS_OPTIONS);
  const { capacity, maxWait = 0, checkpoint } = options;
  checkCount('capacity', capacity);
  if (checkpoint !== undefined) checkCount('checkpoint', checkpoint);
  if (!Number.isFinite(maxWait) || maxWait < 0) {
    const what = `got ${String(maxWait)}, expected milliseconds, 0 or more`;
    throw new RnnError('INVALID_ARGUMENT', 'options.maxWait', what);
  }
}

/** What a {@link StreamGroup} has computed. */
export interface StreamCounts {
  /** Steps of all streams. */
  readonly steps: number;
  /** Batches that they were computed in. */
  readonly batches: number;
}

/**
 * Streams of one model that are computed together, made by `model.streams()`. Their states are rows of one batch on
 * the device. Whoever has a step pending is computed in one go: one submit on a GPU, one call on a CPU. Those that
 * have none are not waited for, and keep their states.
 *
 * Batches are rounded up to powers of two, so that few plans are made.
 *
 * @example
 * ```ts
 * const group = model.streams({ capacity: 100 });
 * const [a, b] = [group.join(), group.join()];
 * const [ya, yb] = await Promise.all([a.step({ X: one }), b.step({ X: other })]); // computed together
 * a.leave(); // its place is free again
 * ```
 */
export class StreamGroup {
  /** Streams that there may be at a time. */
  readonly capacity: number;
  readonly #held: LoadedGroup;
  /** The model, which must not be collected before its streams. */
  readonly #owner: object;

  /** @internal */
  constructor(parts: GroupParts, outputs: readonly ValueInfo[], owner: object) {
    this.capacity = parts.capacity;
    this.#held = new LoadedGroup(parts, outputs);
    this.#owner = owner;
    disposeWhenCollected(this, this.#held, 'StreamGroup');
  }

  /** Streams that have joined and not left. */
  get size(): number {
    return this.#held.size;
  }

  /** How many steps have been computed, in how many batches: their quotient is the mean size of a batch. */
  get counts(): StreamCounts {
    return { ...this.#held.counts };
  }

  /**
   * A new stream, which begins with the initial state.
   *
   * @throws RnnError `LIMIT_EXCEEDED` where `capacity` streams have joined, `DISPOSED`
   */
  join(): GroupStream {
    this.#held.take('streams.join');
    const joined = this.#held.with((group) => ({ group, member: group.join() }));
    return new GroupStream(this.#held, [this, this.#owner], joined);
  }

  /**
   * Makes ready what steps of such feeds need, in batches of one stream up to `streams` of them, all by default:
   * one plan for each power of two. States stay as they are.
   *
   * @param feeds tensors of one stream, as for {@link GroupStream.step}
   * @throws RnnError as {@link GroupStream.step} does
   */
  async warmUp(
    feeds: Tensors,
    options: CallOptions & { readonly streams?: number } = {},
  ): Promise<void> {
    checkOptions(options, { ...CALL_OPTIONS, streams: true });
    const outputs = outputNames(this.#held.outputs, options.outputs);
    checkChunk(this.#held.streamed.chunk, feeds);
    const { streams = this.capacity, signal } = options;
    checkCount('streams', streams);
    const group = await this.#held.group;
    await group.warmUp(feeds, outputs, streams, signal);
  }

  /** Frees the states of all streams. Further calls reject with `DISPOSED`; a second dispose does nothing. */
  dispose(): void {
    forgetCollected(this);
    this.#held.dispose();
  }

  /** Same as {@link StreamGroup.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
