// Many streams of a model that are computed together. The machinery is a chunk of its own.
import { RnnError } from './errors.ts';
import type { ValueInfo } from './graph.ts';
import type { Tensors } from './backends/backend.ts';
import { checkOptions } from './backends/check-options.ts';
import { disposeWhenCollected, forgetCollected } from './backends/finalize.ts';
import type { Group, Member } from './backends/group/group.ts';
import type { GroupParts } from './backends/group/parts.ts';
import { STREAM_OPTIONS, type StreamOptions } from './load-options.ts';
import {
  CALL_OPTIONS,
  checkChunk,
  outputNames,
  type CallOptions,
  type StreamState,
} from './stream.ts';
import type { ChunkRule } from './backends/stateful-graph.ts';
import type { Tensor } from './tensor.ts';

/** Options of {@link Model.streams}: those of a stream, and how many there may be. */
export interface StreamsOptions extends Omit<StreamOptions, 'batch' | 'checkpoint'> {
  /** Streams that there may be at a time; each takes a row of state on the device from the start. */
  readonly capacity: number;
  /**
   * Milliseconds that a step may wait for steps of other streams, unless all that have joined have one. With 0
   * (default) those go together that are called in the same task, before the page does anything else.
   */
  readonly maxWait?: number;
}

const { batch: _, checkpoint: __, ...OF_A_STREAM } = STREAM_OPTIONS;
const STREAMS_OPTIONS: Record<keyof StreamsOptions, true> = {
  ...OF_A_STREAM,
  capacity: true,
  maxWait: true,
};

/** @throws RnnError `INVALID_ARGUMENT` for options that are not what the types say */
export function checkStreamsOptions(options: StreamsOptions): void {
  checkOptions(options, STREAMS_OPTIONS);
  const { capacity, maxWait = 0 } = options;
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    const what = `got ${String(capacity)}, expected a whole number from 1 up`;
    throw new RnnError('INVALID_ARGUMENT', 'options.capacity', what);
  }
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

/** What steps are checked with before they are copied. */
interface StepRules {
  readonly outputs: readonly ValueInfo[];
  readonly chunk: ChunkRule;
}

/** A group that is there when its chunk has been loaded. */
class LoadedGroup {
  readonly group: Promise<Group>;
  #loaded: Group | undefined;
  #disposed = false;

  constructor(parts: GroupParts) {
    this.group = this.#load(parts);
    this.group.catch(() => undefined); // whoever calls is told
  }

  async #load(parts: GroupParts): Promise<Group> {
    const { makeGroup } = await import('./backends/group/index.ts');
    this.#loaded = await makeGroup(parts);
    if (this.#disposed) this.#loaded.dispose();
    return this.#loaded;
  }

  get counts(): Group['counts'] {
    return this.#loaded?.counts ?? { steps: 0, batches: 0 };
  }

  get disposed(): boolean {
    return this.#disposed || this.#loaded?.disposed === true;
  }

  dispose(): void {
    this.#disposed = true;
    this.#loaded?.dispose();
  }
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
  readonly #rules: StepRules;
  /** How many have joined, and the model, which must not be collected before its streams. */
  readonly #joined: { readonly owner: object; size: number };
  #disposed = false;

  /** @internal */
  constructor(parts: GroupParts, outputs: readonly ValueInfo[], owner: object) {
    this.capacity = parts.capacity;
    this.#held = new LoadedGroup(parts);
    this.#rules = { outputs, chunk: parts.streamed.chunk };
    this.#joined = { owner, size: 0 };
    disposeWhenCollected(this, this.#held, 'StreamGroup');
  }

  /** Streams that have joined and not left. */
  get size(): number {
    return this.#joined.size;
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
    if (this.#disposed) {
      throw new RnnError('DISPOSED', 'streams', 'the streams have been disposed of');
    }
    if (this.size >= this.capacity) {
      const what = `${this.size} streams have joined, expected at most the capacity, ${this.capacity}`;
      throw new RnnError('LIMIT_EXCEEDED', 'streams.join', what);
    }
    this.#joined.size++;
    // A stream holds this group by it, so that it is not collected.
    const leave = (): void => void this.#joined.size--;
    return new GroupStream(this.#held.group, this.#rules, leave);
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
    const outputs = outputNames(this.#rules.outputs, options.outputs);
    checkChunk(this.#rules.chunk, feeds);
    const { streams = this.capacity, signal } = options;
    if (!Number.isSafeInteger(streams) || streams < 1) {
      const what = `got ${String(streams)}, expected a whole number from 1 up`;
      throw new RnnError('INVALID_ARGUMENT', 'options.streams', what);
    }
    const group = await this.#held.group;
    await group.warmUp(feeds, outputs, streams, signal);
  }

  /** Frees the states of all streams. Further calls reject with `DISPOSED`; a second dispose does nothing. */
  dispose(): void {
    this.#disposed = true;
    forgetCollected(this);
    this.#held.dispose();
  }

  /** Same as {@link StreamGroup.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A stream of a {@link StreamGroup}. Calls may overlap: they take effect in the order they are made. */
export class GroupStream {
  readonly #group: Promise<Group>;
  readonly #member: Promise<Member>;
  readonly #rules: StepRules;
  readonly #leave: () => void;
  #left = false;

  /** @internal */
  constructor(group: Promise<Group>, rules: StepRules, leave: () => void) {
    this.#group = group;
    this.#member = group.then((loaded) => loaded.join());
    this.#member.catch(() => undefined); // whoever calls is told
    this.#rules = rules;
    this.#leave = leave;
  }

  async #with<T>(work: (group: Group, member: Member) => T | Promise<T>): Promise<T> {
    if (this.#left) throw new RnnError('DISPOSED', 'stream', 'the stream has left its group');
    return await work(await this.#group, await this.#member);
  }

  /**
   * Runs the next chunk of the sequence of this stream, together with the steps of others that are pending, and
   * moves the state on. Steps of the same shapes and outputs, and with the same numbers in inputs without a batch
   * dimension, are one batch.
   *
   * @param feeds tensors of one row by input name, without the states
   * @returns tensors of one row by output name
   * @throws RnnError as `step` of a {@link Stream} does: feeds that do not fit reject this step, and no other.
   *   `UNSUPPORTED_OPERATOR` for a model whose batch dimension is not free or whose rows are not independent,
   *   with the name of the input, the state or the node; `DISPOSED` after {@link GroupStream.leave}; `DEVICE_LOST`
   *   once for each stream after a loss of the GPU that took its state, which then begins anew
   */
  async step(feeds: Tensors, options: CallOptions = {}): Promise<Record<string, Tensor>> {
    checkOptions(options, CALL_OPTIONS);
    const outputs = outputNames(this.#rules.outputs, options.outputs);
    checkChunk(this.#rules.chunk, feeds);
    const owned = ownFeeds(feeds);
    return await this.#with((group, member) => group.step(member, owned, outputs, options.signal));
  }

  /** Back to the initial state, after the steps called before. */
  reset(): void {
    this.#with((group, member) => group.reset(member)).catch(() => undefined);
  }

  /** The state after the steps called before, as a stream of the model alone has it; empty when there was none. */
  async snapshot(): Promise<StreamState> {
    return await this.#with((group, member) => group.snapshot(member));
  }

  /**
   * Takes a state from `snapshot`, of this stream, another of the group, or one that `model.stream()` has made with
   * the same options for one row. Steps called afterwards go on from it, also where nobody waits.
   *
   * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` when it is the state of something else
   */
  async restore(state: StreamState): Promise<void> {
    await this.#with((group, member) => group.restore(member, state));
  }

  /** Gives the place in the group back, after the calls made before. A second call does nothing. */
  leave(): void {
    if (this.#left) return;
    this.#with((group, member) => group.leave(member)).catch(() => undefined);
    this.#left = true;
    this.#leave();
  }

  /** Same as {@link GroupStream.leave}, for `using`. */
  [Symbol.dispose](): void {
    this.leave();
  }
}

/** Feeds in arrays of their own, for a caller may reuse its arrays as soon as its call returns. */
function ownFeeds(feeds: Tensors): Tensors {
  if (typeof feeds !== 'object' || feeds === null) return feeds; // refused later
  const owned: Record<string, Tensor> = {};
  for (const name of Object.keys(feeds)) {
    const value = feeds[name] as Partial<Tensor> | undefined;
    const isArray = ArrayBuffer.isView(value?.data) && 'slice' in value.data;
    const { type, dims, data } = (value ?? {}) as Tensor;
    owned[name] = isArray
      ? { type, dims: Array.isArray(dims) ? [...dims] : dims, data: data.slice() }
      : (value as Tensor);
  }
  return owned;
}
