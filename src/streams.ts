// Many streams of a model that are computed together. The machinery is a chunk of its own.
import { RnnError } from './errors.ts';
import type { ValueInfo } from './graph.ts';
import type { Tensors } from './backends/backend.ts';
import { checkCount, checkOptions } from './backends/check-options.ts';
import { disposeWhenCollected, forgetCollected } from './backends/finalize.ts';
import type { Group, Member } from './backends/group/group.ts';
import type { GroupParts } from './backends/group/parts.ts';
import type { StreamedGraph } from './backends/stateful-graph.ts';
import type { TracedResults } from './backends/trace.ts';
import { tracedCall } from './backends/traced-call.ts';
import { STREAM_OPTIONS, type StreamOptions } from './load-options.ts';
import {
  CALL_OPTIONS,
  checkChunk,
  outputNames,
  STEP_OPTIONS,
  type CallOptions,
  type StreamState,
  type TraceOptions,
} from './stream.ts';
import type { Tensor } from './tensor.ts';

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

/** A group that is there when its chunk has been loaded, and its places. */
class LoadedGroup {
  readonly group: Promise<Group>;
  readonly capacity: number;
  readonly outputs: readonly ValueInfo[];
  readonly streamed: StreamedGraph;
  /** Streams that have joined and not left. */
  size = 0;
  #loaded: Group | undefined;
  #disposed = false;

  constructor(parts: GroupParts, outputs: readonly ValueInfo[]) {
    this.capacity = parts.capacity;
    this.outputs = outputs;
    this.streamed = parts.streamed;
    this.group = this.#load(parts);
    this.group.catch(() => undefined); // whoever calls is told
  }

  async #load(parts: GroupParts): Promise<Group> {
    const { makeGroup } = await import('./backends/group/index.ts');
    this.#loaded = await makeGroup(parts);
    if (this.#disposed) this.#loaded.dispose();
    return this.#loaded;
  }

  /** Work with the group, at once where it has been loaded. */
  with<T>(work: (group: Group) => T): T | Promise<T> {
    return this.#loaded ? work(this.#loaded) : this.group.then(work);
  }

  /**
   * Takes a place.
   *
   * @throws RnnError `LIMIT_EXCEEDED` where there is none, `DISPOSED`
   */
  take(path: string): void {
    if (this.#disposed) {
      throw new RnnError('DISPOSED', 'streams', 'the streams have been disposed of');
    }
    if (this.size >= this.capacity) {
      const what = `${this.size} streams have joined, expected at most the capacity, ${this.capacity}`;
      throw new RnnError('LIMIT_EXCEEDED', path, what);
    }
    this.size++;
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

/** A stream in the group that it is one of. */
interface Joined {
  readonly group: Group;
  readonly member: Member;
}

/**
 * A stream of a {@link StreamGroup}, with the calls of a {@link Stream}. They may overlap, and take effect in the
 * order in which they are made.
 */
export class GroupStream {
  /** Names of the state tensors, as in {@link GroupStream.snapshot}. */
  readonly stateNames: readonly string[];
  readonly #held: LoadedGroup;
  /** The group and the model, which must not be collected before their streams. */
  readonly #owners: readonly object[];
  /** Undefined until the group has been loaded. */
  #joined: Joined | undefined;
  readonly #ready: Promise<Joined>;
  /** Calls that wait for that. */
  #early = 0;
  #left = false;

  /** @internal */
  constructor(held: LoadedGroup, owners: readonly object[], joined: Joined | Promise<Joined>) {
    this.#held = held;
    this.#owners = owners;
    this.stateNames = held.streamed.slots.map(({ input }) => input);
    if (joined instanceof Promise) {
      this.#ready = joined.then((there) => (this.#joined = there));
      this.#ready.catch(() => undefined); // whoever calls is told
    } else {
      this.#joined = joined;
      this.#ready = Promise.resolve(joined);
    }
  }

  /** Work that is begun at once where no call before it waits. */
  #with<T>(work: (joined: Joined) => T | Promise<T>): T | Promise<T> {
    if (this.#left) throw new RnnError('DISPOSED', 'stream', 'the stream has left its group');
    if (this.#joined && this.#early === 0) return work(this.#joined);
    this.#early++;
    return this.#ready.then((joined) => {
      this.#early--;
      return work(joined);
    });
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
   *   once for each stream after a loss of the GPU that took its state, which then goes on from its checkpoint or
   *   begins anew, and for the steps that were called before that was known
   */
  step(feeds: Tensors, options?: CallOptions): Promise<Record<string, Tensor>>;
  /** The same with a look inside, as {@link Stream.step} has it. Steps with the same `trace` are one batch. */
  step(feeds: Tensors, options: CallOptions & TraceOptions): Promise<TracedResults>;
  async step(
    feeds: Tensors,
    options: CallOptions & Partial<TraceOptions> = {},
  ): Promise<Record<string, Tensor>> {
    checkOptions(options, STEP_OPTIONS);
    const { outputs: all, streamed } = this.#held;
    const outputs = outputNames(all, options.outputs);
    checkChunk(streamed.chunk, feeds);
    const { trace, signal } = options;
    const owned = ownFeeds(feeds);
    const step = async (names: readonly string[]): Promise<Record<string, Tensor>> =>
      await this.#with(({ group, member }) => group.step(member, owned, names, signal));
    if (trace === undefined) return await step(outputs);
    return await tracedCall(streamed.graph, trace, outputs, step);
  }

  /**
   * How many steps there are in the state: those computed since the stream began, or was last reset or restored. A reset
   * or restore counts once it takes effect, after the calls before it.
   * After a loss of the GPU it is the number of the checkpoint, so that the next step to send is the one with this
   * index; 0 where there is none.
   */
  get steps(): number {
    return this.#joined ? this.#joined.group.stepsOf(this.#joined.member) : 0;
  }

  /** Back to the initial state, after the steps called before. */
  reset(): void {
    if (!this.#left) this.#quietly(({ group, member }) => group.reset(member));
  }

  /** Work that nobody waits for. It fails where the group cannot be loaded, as the next call says. */
  #quietly(work: (joined: Joined) => void): void {
    void Promise.resolve(this.#with(work)).catch(() => undefined);
  }

  /** The state after the steps called before, as a stream of the model alone has it; empty when there was none. */
  async snapshot(): Promise<StreamState> {
    return await this.#with(({ group, member }) => group.snapshot(member));
  }

  /**
   * Takes a state from `snapshot`, of this stream, another of the group, or one that `model.stream()` has made with
   * the same options for one row. Steps called afterwards go on from it, also where nobody waits.
   *
   * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` when it is the state of something else
   */
  async restore(state: StreamState): Promise<void> {
    await this.#with(({ group, member }) => group.restore(member, state));
  }

  /**
   * Another stream of the group, which takes a place of it and goes on from the state of this one, independently.
   * The state is copied on the device, with the next batch.
   *
   * @throws RnnError `LIMIT_EXCEEDED` where `capacity` streams have joined, `DISPOSED`
   */
  fork(): GroupStream {
    if (!this.#left) this.#held.take('stream.fork');
    const joined = this.#with(({ group, member }) => ({ group, member: group.fork(member) }));
    return new GroupStream(this.#held, this.#owners, joined);
  }

  /** Gives the place in the group back, after the calls made before. A second call does nothing. */
  leave(): void {
    if (this.#left) return;
    this.#quietly(({ group, member }) => group.leave(member));
    this.#left = true;
    this.#held.size--;
  }

  /** Same as {@link GroupStream.leave}, as a {@link Stream} has it. */
  dispose(): void {
    this.leave();
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
