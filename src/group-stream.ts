// One of the many streams that a group computes together.
import { RnnError } from './errors.ts';
import type { Tensors } from './backends/backend.ts';
import { checkOptions } from './backends/check-options.ts';
import type { Group, Member } from './backends/group/group.ts';
import type { TracedResults } from './backends/trace.ts';
import { tracedCall } from './backends/traced-call.ts';
import {
  checkChunk,
  outputNames,
  STEP_OPTIONS,
  type CallOptions,
  type StreamState,
  type TraceOptions,
} from './stream.ts';
import type { Tensor } from './tensor.ts';
import type { LoadedGroup } from './backends/loaded-group.ts';

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
