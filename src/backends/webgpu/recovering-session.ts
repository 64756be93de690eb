// The webgpu backend of a Model: a graph that goes on with another device when its device is lost.
import { RnnError } from '../../errors.ts';
import { checkIsFeeds } from '../../feeds.ts';
import type { Graph } from '../../graph.ts';
import { leaseDevice, type Lease, type Loss } from '../../gpu/device.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import type { Tensor } from '../../tensor.ts';
import { abortable, checkSignal } from '../abort.ts';
import type { Feeds, GpuTensor, GpuTensors, Session, StreamSession, Usage } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import type { ShapeRange } from '../warm-up-range.ts';
import { ownedFeeds } from '../stream-state.ts';
import { refuseLostFeeds } from './gpu-tensors.ts';
import { RecoveringStream, type StreamHost } from './recovering-stream.ts';
import { DEFAULT_TIMEOUT, WebGpuSession, type SessionOptions } from './session.ts';
import { StreamProgress } from '../stream-progress.ts';

export { DEFAULT_TIMEOUT, leaseDevice } from './session.ts';

/** What happens after a loss. */
export interface RecoveryOptions extends SessionOptions {
  /** How many devices to ask for, one after the other, until a call succeeds on one; 0 for none. */
  readonly attempts: number;
  /** Milliseconds before the second attempt, doubled for each that follows. */
  readonly delay: number;
  /** Called once for each loss. Whatever it throws is the caller's. */
  readonly tell: (loss: Loss & { readonly recovered: Promise<void> }) => void;
}

/** Longest pause between two attempts, in milliseconds. */
const MAX_DELAY = 60_000;

/** A call that waits for the next device. */
interface Waiting {
  go(live: WebGpuSession): void;
  fail(error: unknown): void;
}

/** Ends with the signal, too. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });

/** See the top of the file. */
export class RecoveringSession implements Session, StreamHost {
  readonly backend = 'webgpu';
  readonly streams = new Set<RecoveringStream>();
  readonly #graph: Graph;
  readonly #plan: PlanOptions;
  readonly #options: RecoveryOptions;
  #live: WebGpuSession | undefined;
  #adapter: string;
  #forgetLoss: () => void;
  /** Attempts since a call has succeeded. */
  #attempts = 0;
  readonly #waiting = new Set<Waiting>();
  /** Ends attempts and pauses when the model is disposed of. */
  readonly #end = new AbortController();
  /** Makes the error of every call, once no other device is asked for any more. */
  #gone: (() => RnnError) | undefined;

  /**
   * The session takes over the lease.
   *
   * @throws RnnError as {@link WebGpuSession.create} does
   */
  static async create(
    graph: Graph,
    plan: PlanOptions,
    lease: Lease,
    options: RecoveryOptions,
  ): Promise<RecoveringSession> {
    const live = await WebGpuSession.create(graph, plan, lease, options);
    return new RecoveringSession(graph, plan, live, options);
  }

  private constructor(
    graph: Graph,
    plan: PlanOptions,
    live: WebGpuSession,
    options: RecoveryOptions,
  ) {
    this.#graph = graph;
    this.#plan = plan;
    this.#options = options;
    [this.#live, this.#adapter] = [live, live.adapter];
    this.#forgetLoss = live.gpu.onLost(() => this.#lose(live));
  }

  get live(): WebGpuSession | undefined {
    return this.#live;
  }

  get adapter(): string {
    return this.#adapter;
  }

  get usage(): Usage {
    return this.#live?.usage ?? { pipelines: 0, weightBytes: 0, kernels: {} };
  }

  get disposed(): boolean {
    return this.#end.signal.aborted;
  }

  check(): void {
    if (this.disposed) throw this.#end.signal.reason;
    if (this.#gone) throw this.#gone();
  }

  #lose(live: WebGpuSession): void {
    const { loss } = live.gpu;
    const error = live.gpu.lostError();
    const why = error.message.slice(`${error.path}: `.length);
    this.#live = undefined;
    live.abandon();
    for (const stream of this.streams) stream.lose(why);
    const recovered = this.#recover(error, why);
    recovered.catch(() => undefined); // the calls say so; nobody else may ask
    try {
      this.#options.tell({ ...loss!, recovered });
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown; // uncaught, as what a listener throws
      });
    }
  }

  async #recover(lost: RnnError, why: string): Promise<void> {
    const { attempts, delay } = this.#options;
    const { signal } = this.#end;
    let cause: unknown = lost;
    while (this.#attempts < attempts) {
      const attempt = ++this.#attempts;
      if (attempt > 1) await pause(Math.min(delay * 2 ** (attempt - 2), MAX_DELAY), signal);
      checkSignal(signal);
      const opening = this.#open();
      try {
        return this.#resume(await abortable(opening, signal));
      } catch (error) {
        opening.then(
          (late) => late.dispose(),
          () => undefined, // this is the error
        );
        checkSignal(signal);
        cause = error;
      }
    }
    const last = String((cause as Error | null)?.message ?? cause);
    const tried = `, and attempt ${attempts} of ${attempts} to go on with another failed: ${last}`;
    const message = `${why}${attempts > 0 ? tried : ''}; load the model again`;
    this.#gone = () => new RnnError('DEVICE_LOST', 'device', message, { cause });
    for (const { fail } of this.#take()) fail(this.#gone());
    throw this.#gone();
  }

  /** The graph on another device. */
  async #open(): Promise<WebGpuSession> {
    const { timeout = DEFAULT_TIMEOUT } = this.#options;
    const lease = await leaseDevice(undefined, timeout, 1);
    try {
      const session = await WebGpuSession.create(this.#graph, this.#plan, lease, this.#options);
      lease.gpu.check(); // what waits goes on waiting where this one is lost already
      return session;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** Goes on with what waits, in the order it was asked for, before anything that is asked for now. */
  #resume(live: WebGpuSession): void {
    checkSignal(this.#end.signal);
    [this.#live, this.#adapter] = [live, live.adapter];
    this.#forgetLoss = live.gpu.onLost(() => this.#lose(live));
    for (const { go } of this.#take()) go(live);
  }

  #take(): Waiting[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    return waiting;
  }

  async later<T>(
    signal: AbortSignal | undefined,
    work: (live: WebGpuSession) => T | Promise<T>,
  ): Promise<T> {
    this.check();
    checkSignal(signal);
    let waiting: Waiting;
    const result = new Promise<T>((resolve, reject) => {
      waiting = {
        go: (live) => {
          try {
            resolve(work(live));
          } catch (error) {
            reject(error);
          }
        },
        fail: reject,
      };
    });
    this.#waiting.add(waiting!);
    try {
      return await abortable(result, signal);
    } finally {
      this.#waiting.delete(waiting!);
    }
  }

  proving<T>(call: Promise<T>): Promise<T> {
    if (this.#attempts > 0) {
      const live = this.#live;
      call.then(
        () => {
          if (live === this.#live) this.#attempts = 0;
        },
        () => undefined,
      );
    }
    return call;
  }

  /** A call on the device, or on the next one. */
  async #call<T>(
    feeds: Feeds,
    signal: AbortSignal | undefined,
    work: (live: WebGpuSession, feeds: Feeds) => Promise<T>,
  ): Promise<T> {
    this.check();
    checkIsFeeds(feeds);
    refuseLostFeeds(feeds);
    const owned = ownedFeeds(feeds);
    return this.later(signal, (live) => this.proving(work(live, owned)));
  }

  run(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    if (this.#live) return this.proving(this.#live.run(feeds, outputs, signal));
    return this.#call(feeds, signal, (live, owned) => live.run(owned, outputs, signal));
  }

  runOnGpu(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    if (this.#live) return this.proving(this.#live.runOnGpu(feeds, outputs, signal));
    return this.#call(feeds, signal, (live, owned) => live.runOnGpu(owned, outputs, signal));
  }

  warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    if (this.#live) return this.proving(this.#live.warmUp(feeds, outputs, signal));
    return this.#call(feeds, signal, (live, owned) => live.warmUp(owned, outputs, signal));
  }

  async warmUpRange(
    range: ShapeRange,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    const warm = (live: WebGpuSession): Promise<void> =>
      this.proving(live.warmUpRange(range, outputs, signal));
    return this.#live ? warm(this.#live) : this.later(signal, warm);
  }

  encode(encoder: GPUCommandEncoder, feeds: Feeds, results: GpuTensors): void {
    this.check();
    if (this.#live) {
      const outputs = this.#graph.outputs.map(({ name }) => name);
      return this.#live.encode(encoder, feeds, results, outputs);
    }
    const what = 'the GPU device was lost, and the next one is not there yet';
    throw new RnnError('DEVICE_LOST', 'device', what);
  }

  /** The device in use; undefined between two, and after the last. */
  get device(): GPUDevice | undefined {
    return this.#live?.device;
  }

  stream(streamed: StreamedGraph, batch: number, checkpoint: number): StreamSession {
    const feeds = new StreamFeeds(streamed, batch, this.#options.limits ?? {}, true);
    const every = this.#options.attempts > 0 ? checkpoint : 0;
    return new RecoveringStream(this, { streamed, feeds }, new StreamProgress(every));
  }

  dispose(): void {
    if (this.disposed) return;
    this.#end.abort(new RnnError('DISPOSED', 'model', 'the model has been disposed of'));
    this.#forgetLoss();
    this.#live?.dispose();
    for (const { fail } of this.#take()) fail(this.#end.signal.reason);
  }
}
