// Buffers for reading results back: taken, mapped, and used again.

/** A buffer to read results back with. */
export interface Staging {
  readonly buffer: GPUBuffer;
  /** Rejects with `OUT_OF_MEMORY` where there was no room for the buffer, which is destroyed then. */
  readonly room: Promise<void>;
}

/** Makes a buffer, see `ModelResources.allocate`. */
type Allocate = (descriptor: GPUBufferDescriptor) => {
  readonly buffers: readonly GPUBuffer[];
  readonly room: Promise<void>;
};

/** Buffers kept for later calls: those of calls that overlap at their peak are not all needed again. */
const MAX_FREE = 4;

/** A pool of read-back buffers of one device. */
export class ReadbackPool {
  readonly #allocate: Allocate;
  readonly #free: Staging[] = [];
  readonly #used = new Set<Staging>();

  constructor(allocate: Allocate) {
    this.#allocate = allocate;
  }

  /**
   * A buffer of at least `size` bytes that can be copied to and mapped.
   *
   * @throws RnnError `LIMIT_EXCEEDED` where no buffer can be that large
   */
  acquire(size: number): Staging {
    const index = this.#free.findIndex(({ buffer }) => buffer.size >= size);
    const staging = index >= 0 ? this.#free.splice(index, 1)[0]! : this.#make(size);
    this.#used.add(staging);
    return staging;
  }

  #make(size: number): Staging {
    // One that is too small will not be asked for again as long as this call keeps coming.
    this.#free.pop()?.buffer.destroy();
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const { buffers, room } = this.#allocate({ label: 'results to read back', size, usage });
    return { buffer: buffers[0]!, room };
  }

  /** Gives a buffer back, unmapped. */
  release(staging: Staging): void {
    // After destroy it is not in use any more.
    if (this.#used.delete(staging) && this.#free.length < MAX_FREE) this.#free.push(staging);
    else staging.buffer.destroy();
  }

  /** Destroys a buffer that cannot be used again. */
  discard(staging: Staging): void {
    this.#used.delete(staging);
    staging.buffer.destroy();
  }

  /** Destroys all buffers, those in use too: their mapping is rejected. */
  destroy(): void {
    for (const { buffer } of [...this.#free.splice(0), ...this.#used]) buffer.destroy();
    this.#used.clear();
  }
}
