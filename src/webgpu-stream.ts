// A stream on a GPU: the state of its layers stays in buffers of its own between steps.
import { RnnError } from './errors.ts';
import { checkSignal, checkState, StreamFeeds } from './session.ts';
import type { Prepared, StreamSession, Tensors } from './session.ts';
import type { StreamedGraph } from './streaming.ts';
import { sizeOf } from './tensor.ts';
import type { Tensor } from './tensor.ts';
import type { Bound } from './webgpu/runner.ts';
import { fromDevice, uploadArray } from './webgpu-session.ts';
import type { Entry, Plans, WebGpuSession } from './webgpu-session.ts';

/** See {@link StreamSession}. */
export class WebGpuStream implements StreamSession {
  readonly #session: WebGpuSession;
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
  #bound = new WeakMap<Entry, Bound>();
  #disposed = false;

  constructor(session: WebGpuSession, plans: Plans, streamed: StreamedGraph, batch: number) {
    this.#session = session;
    this.#plans = plans;
    this.#streamed = streamed;
    this.#batch = batch;
    this.#feeds = new StreamFeeds(streamed, batch);
  }

  #check(): void {
    this.#session.check();
    if (this.#disposed) throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  #prepare(feeds: Tensors): { prepared: Prepared; initial: Tensors } {
    const initial = this.#initial ?? this.#feeds.initial(feeds);
    return { prepared: this.#plans.preparer.prepare({ ...initial, ...feeds }), initial };
  }

  async step(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<Record<string, Tensor>> {
    this.#check();
    checkSignal(signal);
    const { prepared, initial } = this.#prepare(feeds);
    const entry = this.#plans.get(prepared, outputs);
    const uploads = this.#session.arraysOf(feeds, this.#streamed.graph, this.#plans.preparer);
    const waits = this.#session.turns.busy || entry instanceof Promise;
    const owned = waits ? uploads.map(([name, data]) => [name, data.slice()] as const) : uploads;
    const read = await this.#session.turns.enter(() => {
      const go = (ready: Entry): (() => Promise<Record<string, Tensor>>) => {
        this.#check();
        checkSignal(signal);
        this.#begin(ready, initial);
        for (const [name, data] of owned) {
          const state = this.#buffers.get(name);
          if (state) this.#write(state, data);
          else ready.runner.upload(name, data);
        }
        let bound = this.#bound.get(ready);
        if (!bound) this.#bound.set(ready, (bound = ready.runner.bind(this.#buffers)));
        return this.#session.execute(ready, bound);
      };
      return entry instanceof Promise ? entry.then(go) : go(entry);
    });
    return read();
  }

  /** Makes the state buffers at the first step; later ones find them. */
  #begin(entry: Entry, initial: Tensors): void {
    if (this.#initial) return;
    const pending = this.#pending;
    if (pending) checkShapes(pending, initial);
    this.#buffers = entry.runner.createState();
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

  #write(buffer: GPUBuffer, data: Float32Array | Int32Array): void {
    const bytes = data.buffer as ArrayBuffer;
    this.#session.gpu.device.queue.writeBuffer(buffer, 0, bytes, data.byteOffset, data.byteLength);
  }

  reset(): void {
    this.#check();
    void this.#session.turns.enter(() => {
      this.#pending = undefined;
      if (this.#initial && !this.#disposed) this.#fill(this.#initial);
    });
  }

  async snapshot(): Promise<Record<string, Tensor>> {
    this.#check();
    const { turns, gpu, share } = this.#session;
    const read = await turns.enter(() => {
      this.#check();
      const initial = this.#initial;
      if (!initial) return () => Promise.resolve({ ...this.#pending });
      const { device } = gpu;
      const parts = Object.entries(initial).map(([name, { type, dims }]) => ({ name, type, dims }));
      const size = parts.reduce((sum, { dims }) => sum + Math.max(4, sizeOf(dims) * 4), 0);
      const staging = share.staging.take(size);
      const encoder = device.createCommandEncoder();
      let end = 0;
      const offsets = parts.map(({ name, dims }) => {
        const offset = end;
        const bytes = sizeOf(dims) * 4;
        if (bytes > 0) {
          encoder.copyBufferToBuffer(this.#buffers.get(name)!, 0, staging, offset, bytes);
        }
        end += Math.max(4, bytes);
        return offset;
      });
      device.queue.submit([encoder.finish()]);
      const mapped = staging.mapAsync(GPUMapMode.READ, 0, size);
      mapped.catch(() => undefined);
      return async () => {
        await gpu.guard(mapped);
        const bytes = staging.getMappedRange(0, size).slice(0);
        staging.unmap();
        share.staging.give(staging);
        return Object.fromEntries(
          parts.map((part, i) => [part.name, fromDevice(part, bytes, offsets[i]!)]),
        );
      };
    });
    return read();
  }

  restore(state: Tensors): void {
    this.#check();
    checkState(state, this.#streamed.slots);
    if (Object.keys(state).length === 0) return this.reset();
    if (this.#initial) checkShapes(state, this.#initial);
    const copy = Object.fromEntries(
      Object.entries(state).map(([name, value]) => [name, { ...value, data: value.data.slice() }]),
    ) as Record<string, Tensor>;
    // A shape that only shows in its turn has been checked by the step that made the buffers.
    void this.#session.turns.enter(() => {
      if (this.#disposed) return;
      if (this.#initial) this.#fill(copy);
      else this.#pending = copy;
    });
  }

  fork(): StreamSession {
    this.#check();
    const other = new WebGpuStream(this.#session, this.#plans, this.#streamed, this.#batch);
    void this.#session.turns.enter(() => {
      if (this.#disposed) return;
      other.#pending = this.#pending;
      if (!this.#initial) return;
      const { device } = this.#session.gpu;
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
    void this.#session.turns.enter(() => {
      for (const buffer of this.#buffers.values()) buffer.destroy();
      this.#buffers.clear();
    });
  }
}

function checkShapes(state: Tensors, expected: Tensors): void {
  for (const [name, { dims }] of Object.entries(state)) {
    const want = expected[name]?.dims ?? [];
    if (want.join() !== dims.join()) {
      throw new RnnError(
        'SHAPE_MISMATCH',
        `state.${name}`,
        `got [${dims.join(', ')}], expected [${want.join(', ')}]`,
      );
    }
  }
}
