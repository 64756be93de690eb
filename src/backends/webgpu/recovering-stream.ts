// A stream that outlives its device: on the next one it goes on from the latest copy of its state, or says that
// the state is lost.
import { RnnError } from '../../errors.ts';
import { checkIsFeeds } from '../../feeds.ts';
import type { Tensor } from '../../tensor.ts';
import { checkSignal } from '../abort.ts';
import type { Feeds, GpuTensor, StreamSession, Tensors } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import type { StreamFeeds } from '../stream-feeds.ts';
import { copyOf, ownedFeeds } from '../stream-state.ts';
import { refuseLostFeeds } from './gpu-tensors.ts';
import type { WebGpuSession } from './session.ts';
import { WebGpuStream, type StreamParts } from './stream.ts';
import type { StreamProgress } from '../stream-progress.ts';

/** What the streams of a model see of it. */
export interface StreamHost {
  /** The graph on a device that works; undefined between two devices, and after the last. */
  readonly live: WebGpuSession | undefined;
  readonly disposed: boolean;
  /** @throws RnnError `DISPOSED`, or `DEVICE_LOST` where there will be no other device */
  check(): void;
  /**
   * Does work on the next device, after what was asked for before.
   *
   * @param signal takes it back before
   */
  later<T>(
    signal: AbortSignal | undefined,
    work: (live: WebGpuSession) => T | Promise<T>,
  ): Promise<T>;
  /** A call, whose success proves that its device works. */
  proving<T>(call: Promise<T>): Promise<T>;
  /** The streams that are told of a loss. */
  readonly streams: Set<RecoveringStream>;
}

/** What a stream and its forks have in common on every device. */
export interface StreamFamily {
  readonly streamed: StreamedGraph;
  readonly feeds: StreamFeeds;
  /** What they have in common on the device of `live`, and that session. */
  current?: { readonly live: WebGpuSession; readonly parts: StreamParts };
}

function partsOf(family: StreamFamily, live: WebGpuSession): StreamParts {
  if (family.current?.live !== live) {
    family.current = { live, parts: live.streamParts(family.streamed, family.feeds) };
  }
  return family.current.parts;
}

/** See {@link StreamSession}. */
export class RecoveringStream implements StreamSession {
  readonly #host: StreamHost;
  readonly #family: StreamFamily;
  readonly #progress: StreamProgress;
  /** The state on the device; undefined until the first call on one. */
  #inner: WebGpuStream | undefined;
  /** What to begin with on the next device; undefined is the initial state. */
  #next: Tensors | undefined;
  /** Why the state is lost, until the caller knows. */
  #lost: string | undefined;
  #disposed = false;

  constructor(host: StreamHost, family: StreamFamily, progress: StreamProgress) {
    this.#host = host;
    this.#family = family;
    this.#progress = progress;
    host.streams.add(this);
  }

  get steps(): number {
    return this.#progress.count.steps;
  }

  /** The device is lost. @param why in words */
  lose(why: string): void {
    this.#inner = undefined;
    const { state, isLost } = this.#progress.rollBack();
    this.#next = state;
    if (isLost && this.#family.streamed.slots.length > 0) this.#lost = why;
  }

  /** @throws RnnError `DISPOSED` or `DEVICE_LOST` */
  #check(): void {
    if (this.#inner) return this.#inner.check();
    this.#host.check();
    if (this.#disposed) throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  /** @throws RnnError `DEVICE_LOST`, once after a loss that took the state */
  #checkState(): void {
    if (this.#lost === undefined) return;
    const what =
      `${this.#lost}, and the state of this stream with it: the stream begins anew with the next call; ` +
      `stream({ checkpoint: steps }) copies the state in time`;
    this.#lost = undefined;
    throw new RnnError('DEVICE_LOST', 'stream', what);
  }

  /** The state on a device that works. */
  #on(live: WebGpuSession): WebGpuStream {
    if (!this.#inner) {
      const parts = partsOf(this.#family, live);
      this.#inner = new WebGpuStream(parts, this.#progress, this.#next);
      this.#next = undefined;
    }
    return this.#inner;
  }

  /** Changes the state, after the calls made before. */
  #change(work: (inner: WebGpuStream) => void): void {
    const { live } = this.#host;
    if (live) work(this.#on(live));
    // Where it fails, the device is lost again, or for good, which the next call reports.
    else this.#host.later(undefined, (next) => work(this.#on(next))).catch(() => undefined);
  }

  step(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const { count } = this.#progress;
    if (this.#inner && this.#lost === undefined) {
      return this.#host.proving(this.#inner.step(feeds, outputs, signal, count));
    }
    return this.#begin(feeds, {}, signal, (inner, owned) =>
      inner.step(owned, outputs, signal, count),
    );
  }

  stepOnGpu(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    const { count } = this.#progress;
    return this.#begin(feeds, {}, signal, (inner, owned) =>
      inner.stepOnGpu(owned, outputs, signal, count),
    );
  }

  stepMany(
    feeds: Tensors,
    steps: number,
    each: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const { count } = this.#progress;
    return this.#begin(feeds, each, signal, (inner, owned, ownedEach) =>
      inner.stepMany(owned, steps, ownedEach, outputs, signal, count),
    );
  }

  /** Steps on a device that the stream may not have stepped on yet. */
  async #begin<T, F extends Feeds>(
    feeds: F,
    each: Tensors,
    signal: AbortSignal | undefined,
    work: (inner: WebGpuStream, feeds: F, each: Tensors) => Promise<T>,
  ): Promise<T> {
    this.#check();
    checkSignal(signal);
    this.#checkState();
    const { live } = this.#host;
    if (live) return this.#host.proving(work(this.#on(live), feeds, each));
    checkIsFeeds(feeds);
    refuseLostFeeds(feeds);
    const [owned, ownedEach] = [ownedFeeds(feeds), copyOf(each)];
    return this.#host.later(signal, (next) =>
      this.#host.proving(work(this.#on(next), owned, ownedEach)),
    );
  }

  async warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#check();
    checkSignal(signal);
    const { live } = this.#host;
    if (live) return this.#host.proving(this.#on(live).warmUp(feeds, outputs, signal));
    checkIsFeeds(feeds);
    refuseLostFeeds(feeds);
    const owned = ownedFeeds(feeds);
    return this.#host.later(signal, (next) =>
      this.#host.proving(this.#on(next).warmUp(owned, outputs, signal)),
    );
  }

  reset(): void {
    this.#check();
    this.#set(undefined);
  }

  restore(state: unknown): void {
    this.#check();
    const { feeds } = this.#family;
    this.#set(this.#inner ? this.#inner.checkState(state) : feeds.checkState(state, undefined));
  }

  #set(state: Tensors | undefined): void {
    this.#lost = undefined;
    this.#progress.begin(state);
    this.#change((inner) => inner.set(state));
  }

  async snapshot(): Promise<Record<string, Tensor>> {
    this.#check();
    this.#checkState();
    const { live } = this.#host;
    if (live) return this.#on(live).snapshot();
    return this.#host.later(undefined, (next) => this.#on(next).snapshot());
  }

  fork(): StreamSession {
    this.#check();
    const progress = this.#progress.fork();
    const other = new RecoveringStream(this.#host, this.#family, progress);
    other.#lost = this.#lost;
    this.#change((inner) => {
      other.#inner = inner.fork(progress);
    });
    return other;
  }

  get disposed(): boolean {
    return this.#disposed || this.#host.disposed;
  }

  /** Takes effect after the calls made before, like any other. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#host.streams.delete(this);
    if (this.#inner) return this.#inner.dispose();
    // A call that waits for a device may have put it on one by then.
    if (!this.#host.live) {
      this.#host.later(undefined, () => this.#inner?.dispose()).catch(() => undefined);
    }
  }
}
