// A stream on a GPU: the state of its layers stays in buffers of its own between steps.
import { RnnError } from '../../errors.ts';
import type { Tensor } from '../../tensor.ts';
import type { Bindings } from '../../gpu/program.ts';
import { uploadArray } from './executor.ts';
import type { DeviceArray, Executor } from './executor.ts';
import type { Entry, Plans } from './plan-cache.ts';
import {
  abortable,
  checkShapes,
  checkSignal,
  checkState,
  copyOf,
  StreamFeeds,
} from '../backend.ts';
import type { StreamSession, Tensors } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';

/** See {@link StreamSession}. */
export class WebGpuStream implements StreamSession {
  readonly #executor: Executor;
  readonly #plans: Plans;
  readonly #streamed: StreamedGraph;
  readonly #batch: number;
  readonly #feeds: StreamFeeds;
  /** State buffers by input, made at the first step, when shapes are known. */
  #buffers = new Map<string, GPUBuffer>();
  /** What `reset` goes back to, and the shapes of the state. */
  #initial: Tensors | undefined;
  /** A state that was restored before the first step. */
  #pending: Tensors | undefined;
  readonly #bindings = new WeakMap<Entry, Bindings>();
  #disposed = false;

  constructor(executor: Executor, plans: Plans, streamed: StreamedGraph, batch: number) {
    this.#executor = executor;
    this.#plans = plans;
    this.#streamed = streamed;
    this.#batch = batch;
    this.#feeds = new StreamFeeds(streamed, batch, executor.options.maxUnrolled);
  }

  #check(): void {
    this.#executor.check();
    if (this.#disposed) throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  async step(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    this.#check();
    checkSignal(signal);
    const initial = this.#initial ?? this.#feeds.initial(feeds);
    const prepared = this.#plans.preparer.prepare({ ...initial, ...feeds });
    const submit = (
      entry: Entry,
      arrays: readonly (readonly [string, DeviceArray])[],
    ): (() => Promise<Record<string, Tensor>>) => {
      this.#check();
      this.#begin(entry, initial);
      for (const [name, data] of arrays) {
        const state = this.#buffers.get(name);
        if (state) this.#write(state, data);
        else entry.program.upload(name, data);
      }
      let bindings = this.#bindings.get(entry);
      if (!bindings) this.#bindings.set(entry, (bindings = entry.program.bind(this.#buffers)));
      return this.#executor.execute(entry, bindings);
    };
    const read = await this.#executor.call(this.#plans, feeds, prepared, outputs, signal, submit);
    return read();
  }

  async warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#check();
    checkSignal(signal);
    const initial = this.#initial ?? this.#feeds.initial(feeds);
    const prepared = this.#plans.preparer.prepare({ ...initial, ...feeds });
    await abortable(this.#executor.warmUp(this.#plans, feeds, prepared, outputs), signal);
  }

  /** Makes the state buffers at the first step; later ones find them. */
  #begin(entry: Entry, initial: Tensors): void {
    if (this.#initial) return;
    const pending = this.#pending;
    if (pending) checkShapes(pending, initial);
    this.#buffers = entry.program.createState();
    this.#initial = initial;
    this.#pending = undefined;
    this.#fill(pending ?? initial);
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
  #later(work: () => void): void {
    this.#executor.enter(work).catch(() => undefined);
  }

  reset(): void {
    this.#check();
    this.#later(() => {
      this.#pending = undefined;
      if (this.#initial && !this.#disposed) this.#fill(this.#initial);
    });
  }

  async snapshot(): Promise<Record<string, Tensor>> {
    this.#check();
    const read = await this.#executor.enter(() => {
      this.#check();
      const initial = this.#initial;
      if (!initial) return () => Promise.resolve({ ...this.#pending });
      const names = Object.keys(initial);
      const buffers = names.map((name) => this.#buffers.get(name));
      const encoder = this.#executor.device.createCommandEncoder();
      const values = this.#executor.readBack(encoder, Object.values(initial), buffers);
      return async () => {
        const tensors = await this.#executor.guard(values);
        return Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
      };
    });
    return read();
  }

  restore(state: Tensors): void {
    this.#check();
    checkState(state, this.#streamed.slots);
    if (Object.keys(state).length === 0) return this.reset();
    if (this.#initial) checkShapes(state, this.#initial);
    const copy = copyOf(state);
    this.#later(() => {
      if (this.#disposed) return;
      if (this.#initial) this.#fill(copy);
      else this.#pending = copy;
    });
  }

  fork(): StreamSession {
    this.#check();
    const other = new WebGpuStream(this.#executor, this.#plans, this.#streamed, this.#batch);
    this.#later(() => {
      if (this.#disposed) return;
      other.#pending = this.#pending;
      if (!this.#initial) return;
      const { device } = this.#executor;
      const encoder = device.createCommandEncoder();
      for (const [name, from] of this.#buffers) {
        const { label, size, usage } = from;
        const to = device.createBuffer({ label, size, usage });
        encoder.copyBufferToBuffer(from, 0, to, 0, size);
        other.#buffers.set(name, to);
      }
      device.queue.submit([encoder.finish()]);
      other.#initial = this.#initial;
    });
    return other;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#later(() => {
      for (const buffer of this.#buffers.values()) buffer.destroy();
      this.#buffers.clear();
    });
  }
}
