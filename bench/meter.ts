// Counts what a run asks of a device, its GPU time and its memory, by wrapping the methods of the device. The
// engine needs no hooks for it.

/** What some work asked of a device. */
export interface DeviceUsage {
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  /** Bytes from the host to the device, and back. */
  readonly uploaded: number;
  readonly readBack: number;
  /** Runs of each pipeline by its label. */
  readonly kernels: Readonly<Record<string, number>>;
  /** Milliseconds within compute passes; absent where the device has no timestamps. */
  readonly gpuMs?: number;
}

const MAX_PASSES = 2048; // two timestamps each; a query set holds 4096: https://www.w3.org/TR/webgpu/#dom-gpudevice-createqueryset

type Method = (...given: never[]) => unknown;
type Methods<T> = { [K in keyof T]: T[K] extends Method ? K : never }[keyof T];

/** Replaces a method by one that wraps it; returns what restores the original. */
function wrapMethod<T extends object, K extends Methods<T>>(
  target: T,
  key: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = (target[key] as Method).bind(target) as T[K];
  target[key] = make(original);
  return () => void Reflect.deleteProperty(target, key);
}

class Timestamps {
  readonly #device: GPUDevice;
  readonly #queries: GPUQuerySet;
  #used = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * MAX_PASSES });
  }

  /** Timestamp writes of the next pass; undefined once the set is full. */
  next(): GPUComputePassTimestampWrites | undefined {
    if (this.#used === 2 * MAX_PASSES) return undefined;
    const [begin, end] = [this.#used++, this.#used++];
    return {
      querySet: this.#queries,
      beginningOfPassWriteIndex: begin,
      endOfPassWriteIndex: end,
    };
  }

  /** Milliseconds of all passes since the last read. */
  async read(): Promise<number> {
    const [count, device] = [this.#used, this.#device];
    this.#used = 0;
    if (count === 0) return 0;
    const size = count * 8;
    const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
    const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(this.#queries, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigInt64Array(staging.getMappedRange());
    let sum = 0n; // nanoseconds
    for (let i = 0; i < count; i += 2) sum += stamps[i + 1]! - stamps[i]!;
    for (const buffer of [staging, resolved]) buffer.destroy();
    return Number(sum) / 1e6;
  }
}

/** Counts the calls, the GPU time and the buffers of one device. */
export class Meter {
  readonly #device: GPUDevice;
  readonly #stamps: Timestamps | undefined;
  #live = 0;
  #peak = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    if (device.features.has('timestamp-query')) this.#stamps = new Timestamps(device);
    wrapMethod(device, 'createBuffer', (create) => (descriptor) => {
      const buffer = create(descriptor);
      this.#live += buffer.size;
      this.#peak = Math.max(this.#peak, this.#live);
      const undo = wrapMethod(buffer, 'destroy', (destroy) => () => {
        undo();
        this.#live -= buffer.size;
        return destroy();
      });
      return buffer;
    });
  }

  /** Starts a new peak of memory; returns the bytes of the buffers that exist now. */
  resetPeak(): number {
    return (this.#peak = this.#live);
  }

  /** Peak bytes of all buffers since {@link Meter.resetPeak}. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** Does the work and counts what it asks of the device. It is slower than unobserved work. */
  async observe(work: () => Promise<unknown>): Promise<DeviceUsage> {
    const device = this.#device;
    const { queue } = device;
    const kernels: Record<string, number> = {};
    let [dispatches, passes, submits, uploaded, readBack] = [0, 0, 0, 0, 0];
    const watchPass = (pass: GPUComputePassEncoder): void => {
      passes++;
      let label = '';
      wrapMethod(pass, 'setPipeline', (set) => (pipeline) => {
        label = pipeline.label;
        return set(pipeline);
      });
      wrapMethod(pass, 'dispatchWorkgroups', (dispatch) => (...grid) => {
        dispatches++;
        kernels[label] = (kernels[label] ?? 0) + 1;
        return dispatch(...grid);
      });
    };
    const watchEncoder = (encoder: GPUCommandEncoder): void => {
      wrapMethod(encoder, 'beginComputePass', (begin) => (descriptor) => {
        const timestampWrites = this.#stamps?.next();
        const pass = begin({ ...descriptor, ...(timestampWrites && { timestampWrites }) });
        watchPass(pass);
        return pass;
      });
      wrapMethod(encoder, 'copyBufferToBuffer', (copy) => (...given: unknown[]) => {
        const to = (given.length > 3 ? given[2] : given[1]) as GPUBuffer;
        if (to.usage & GPUBufferUsage.MAP_READ) readBack += Number(given.at(-1));
        return (copy as Method)(...(given as never[])) as undefined;
      });
    };
    const undo = [
      wrapMethod(device, 'createCommandEncoder', (create) => (descriptor) => {
        const encoder = create(descriptor);
        watchEncoder(encoder);
        return encoder;
      }),
      wrapMethod(queue, 'submit', (submit) => (buffers) => {
        submits++;
        return submit(buffers);
      }),
      wrapMethod(queue, 'writeBuffer', (write) => (...given) => {
        const [, , data, from = 0, size] = given;
        const unit = ArrayBuffer.isView(data) ? bytesOfElement(data) : 1;
        uploaded += size === undefined ? data.byteLength - from * unit : size * unit;
        return write(...given) as undefined;
      }),
    ];
    try {
      await work();
    } finally {
      for (const step of undo) step();
    }
    const gpuMs = await this.#stamps?.read();
    const counted = { dispatches, passes, submits, uploaded, readBack, kernels };
    return gpuMs === undefined || passes > MAX_PASSES ? counted : { ...counted, gpuMs };
  }
}

// Offsets into a view count its elements.
const bytesOfElement = (view: ArrayBufferView): number =>
  (view as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
