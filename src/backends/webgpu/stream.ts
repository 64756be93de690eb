// A stream on a GPU: the state of its layers stays in buffers of its own between steps.
import { RnnError } from '../../errors.ts';
import { uploadArray, type DeviceArray } from '../../plan/device-array.ts';
import type { Tensor } from '../../tensor.ts';
import type { Bindings } from '../../gpu/program.ts';
import { checkSignal, abortable } from '../abort.ts';
import type { Feeds, GpuTensor, Tensors } from '../backend.ts';
import { ownedUploads, type Uploads } from '../prepare-call.ts';
import type { StreamFeeds } from '../stream-feeds.ts';
import { checkShapes, copyOf, portable } from '../stream-state.ts';
import type { CachedPlan, CallWork, Executor } from './executor.ts';
import { resultsOf } from './gpu-results.ts';
import { gpuFeedsOf, type GpuFeed } from './gpu-tensors.ts';
import type { PlanCache } from './plan-cache.ts';
import type { ReadBack } from './read-back.ts';
import type { StepCount, StreamProgress } from '../stream-progress.ts';

/** What a stream and its forks have in common. */
export interface StreamParts {
  readonly executor: Executor;
  readonly plans: PlanCache;
  readonly feeds: StreamFeeds;
  /** The streams of the model that have not been disposed of. */
  readonly streams: Set<WebGpuStream>;
}

/** The state of a stream on one device, for as long as that lives. See {@link RecoveringStream}. */
export class WebGpuStream {
  readonly #parts: StreamParts;
  readonly #executor: Executor;
  readonly #plans: PlanCache;
  readonly #feeds: StreamFeeds;
  readonly #progress: StreamProgress;
  /** State buffers by input, made at the first step, when shapes are known. */
  #buffers = new Map<string, GPUBuffer>();
  /** What `reset` goes back to, and the shapes of the state. */
  #initial: Tensors | undefined;
  /** The state to begin with, where it is not the initial one. */
  #pending: Tensors | undefined;
  /** Why a fork has no state: there was no room for it. */
  #failure: RnnError | undefined;
  readonly #bindings = new WeakMap<CachedPlan, Bindings>();
  #disposed = false;

  /** @param begin the state to begin with; left out for the initial one */
  constructor(parts: StreamParts, progress: StreamProgress, begin?: Tensors) {
    this.#parts = parts;
    this.#progress = progress;
    this.#pending = begin;
    this.#executor = parts.executor;
    this.#plans = parts.plans;
    this.#feeds = parts.feeds;
    parts.plans.retain();
    parts.streams.add(this);
  }

  /** @throws RnnError `DISPOSED` or `DEVICE_LOST` */
  check(): void {
    this.#executor.check();
    if (this.#disposed) throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  /** @param count of the steps at the time of the call, which this one belongs to */
  async step(
    feeds: Feeds,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    count: StepCount,
  ): Promise<Record<string, Tensor>> {
    const call = this.#call(feeds, outputs, signal, (ready, onGpu) =>
      this.#submit(count, 1, (work) =>
        this.#executor.execute(ready.program, this.#bindingsOf(ready), { ...work, feeds: onGpu }),
      ),
    );
    const pending = await abortable(call, signal);
    return abortable(pending.read(), signal);
  }

  /** Like {@link step}, but the outputs stay on the GPU, each in a buffer of its own. */
  async stepOnGpu(
    feeds: Feeds,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    count: StepCount,
  ): Promise<Record<string, GpuTensor>> {
    const call = this.#call(feeds, outputs, signal, (ready, onGpu) => {
      const bindings = this.#bindingsOf(ready);
      return this.#submit(count, 1, (work) =>
        this.#executor.executeOnGpu(ready.program, bindings, { ...work, feeds: onGpu }),
      );
    });
    return resultsOf(this.#executor, call, signal);
  }

  /** Several steps in one submit, read back at once. */
  async stepMany(
    feeds: Tensors,
    steps: number,
    each: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    count: StepCount,
  ): Promise<Record<string, Tensor>> {
    // What holds of the first step holds of the others, which have the same shapes.
    const first = Object.entries(each).map(([name, { type, dims, data }]) => {
      const part = data.slice(0, data.length / steps);
      return [name, { type, dims: dims.slice(1), data: part }];
    });
    const tables = Object.entries(each).map(
      ([name, value]) => [name, uploadArray(name, value).slice()] as const,
    );
    const all = { ...feeds, ...(Object.fromEntries(first) as Tensors) };
    const what = { count: steps, each: tables };
    const call = this.#call(all, outputs, signal, (ready) =>
      this.#submit(count, steps, (work) =>
        this.#executor.executeMany(ready.program, this.#bindingsOf(ready), what, work),
      ),
    );
    const pending = await abortable(call, signal);
    return abortable(pending.read(), signal);
  }

  /** Checks a call of one step or several, and submits it in its turn. */
  async #call<T>(
    feeds: Feeds,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    submit: (plan: CachedPlan, onGpu: readonly GpuFeed[]) => T,
  ): Promise<T> {
    const { call, initial, uploads, onGpu } = this.#begin(feeds, signal);
    const plan = this.#plans.get(call, outputs, uploads);
    return this.#executor.call(plan, uploads, signal, (ready, arrays) => {
      const execute = (data: Uploads): T => {
        this.#upload(ready, data);
        return submit(ready, onGpu);
      };
      const started = this.#start(ready, initial);
      if (!started) return execute(arrays);
      const owned = ownedUploads(arrays);
      return started.then(() => {
        this.#executor.check(); // a model may be disposed of meanwhile
        return execute(owned);
      });
    });
  }

  /** Submits steps, with a copy of the state after them where one is due. */
  #submit<T>(count: StepCount, steps: number, submit: (work: CallWork) => T): T {
    const progress = this.#progress;
    const numbers: number[] = [];
    const pending = submit({
      refused: () => numbers.forEach((number) => count.refuse(number)),
      ...(progress.isDue(count, steps) && {
        also: this.#state(),
        arrived: (state) => progress.keep(count, numbers.at(-1)!, state),
      }),
    });
    for (let step = 0; step < steps; step++) numbers.push(count.add());
    return pending;
  }

  /** The state as it is on the device. */
  #state(): ReadBack[] {
    return Object.entries(this.#initial!).map(([name, { type, dims }]) => ({
      name,
      type,
      dims,
      buffer: this.#buffers.get(name)!,
    }));
  }

  async warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    const { call, uploads } = this.#begin(feeds, signal);
    const warm = this.#plans.warmUp(call, outputs, uploads);
    await abortable(this.#executor.during(warm), signal);
    this.#executor.check();
  }

  /** Checks a step. */
  #begin(feeds: Feeds, signal: AbortSignal | undefined) {
    this.check();
    checkSignal(signal);
    const { call, initial } = this.#feeds.check(feeds, this.#initial);
    const onGpu = gpuFeedsOf(feeds, this.#executor.device);
    return { call, initial, uploads: this.#feeds.checker.uploadsOf(feeds), onGpu };
  }

  /**
   * Makes the state buffers at the first step; later ones find them.
   *
   * @returns at the first step, whether there is room for them: where there is none, the stream is as before
   */
  #start({ program }: CachedPlan, initial: Tensors): Promise<void> | undefined {
    if (this.#failure) throw this.#failure;
    if (this.#initial) {
      // A step that was called before this one, with other shapes, may have begun meanwhile.
      if (this.#initial !== initial) checkShapes(initial, this.#initial);
      return undefined;
    }
    const pending = this.#pending;
    if (pending) checkShapes(pending, initial);
    const { state, room } = program.createState();
    this.#buffers = state;
    this.#initial = initial;
    this.#pending = undefined;
    return room.then(
      () => this.#fill(pending ?? initial),
      (error: unknown) => {
        this.#buffers = new Map();
        this.#initial = undefined;
        this.#pending = pending;
        throw error;
      },
    );
  }

  #upload({ program }: CachedPlan, uploads: Uploads): void {
    for (const [name, data] of uploads) {
      const state = this.#buffers.get(name);
      if (state) this.#write(state, data);
      else program.upload(name, data);
    }
  }

  #bindingsOf(plan: CachedPlan): Bindings {
    let bindings = this.#bindings.get(plan);
    if (!bindings) this.#bindings.set(plan, (bindings = plan.program.bind(this.#buffers)));
    return bindings;
  }

  #fill(state: Tensors): void {
    for (const [name, value] of Object.entries(state)) {
      const buffer = this.#buffers.get(name);
      if (buffer) this.#write(buffer, uploadArray(name, value));
    }
  }

  #write(buffer: GPUBuffer, data: DeviceArray): void {
    const bytes = data.buffer as ArrayBuffer;
    this.#executor.device.queue.writeBuffer(buffer, 0, bytes, data.byteOffset, data.byteLength);
  }

  /** Work that nobody waits for. It fails on a lost device only, which the next call reports. */
  #later(work: () => void | Promise<void>): void {
    this.#executor.queue.run(work).catch(() => undefined);
  }

  async snapshot(): Promise<Record<string, Tensor>> {
    this.check();
    const pending = await this.#executor.queue.run(() => {
      this.#executor.check();
      if (this.#failure) throw this.#failure;
      return this.#initial && this.#executor.readBack(this.#state());
    });
    return portable(pending ? await pending.read() : copyOf(this.#pending ?? {}));
  }

  /** A state to {@link set}, copied. @throws RnnError as `checkedState` does */
  checkState(state: unknown): Tensors | undefined {
    return this.#feeds.checkState(state, this.#initial);
  }

  /** Goes on from another state after the calls made before; undefined is the initial one. */
  set(state: Tensors | undefined): void {
    this.check();
    this.#later(() => {
      this.#failure = undefined;
      if (this.#initial) this.#fill(state ?? this.#initial);
      else this.#pending = state;
    });
  }

  /** @param progress of the fork, which is settled when it has its state */
  fork(progress: StreamProgress): WebGpuStream {
    this.check();
    const other = new WebGpuStream(this.#parts, progress);
    const { count } = progress;
    this.#later(async () => {
      await other.#copyFrom(this);
      count.settle();
    });
    return other;
  }

  /** Takes the state of another stream. Where there is no room for it, later calls say so. */
  async #copyFrom(source: WebGpuStream): Promise<void> {
    this.#pending = source.#pending;
    this.#failure = source.#failure;
    if (!source.#initial) return;
    const { device, resources } = this.#executor;
    const from = [...source.#buffers];
    try {
      this.#executor.check();
      const { buffers, room } = resources.allocate(
        from.map(([, { label, size, usage }]) => ({ label, size, usage })),
      );
      const encoder = device.createCommandEncoder();
      from.forEach(([, buffer], i) => {
        encoder.copyBufferToBuffer(buffer, 0, buffers[i]!, 0, buffer.size);
      });
      this.#buffers = new Map(from.map(([name], i) => [name, buffers[i]!]));
      this.#initial = source.#initial;
      await room;
      this.#executor.check();
      device.queue.submit([encoder.finish()]);
    } catch (error) {
      this.#buffers = new Map();
      this.#initial = undefined;
      this.#failure = error as RnnError;
    }
  }

  /** Takes effect after the calls made before, like any other. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#later(() => this.free());
  }

  /** Frees the state at once, and the plans where no fork has them. A second call does nothing. */
  free(): void {
    this.#disposed = true;
    if (!this.#parts.streams.delete(this)) return;
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
    this.#plans.release();
  }
}
