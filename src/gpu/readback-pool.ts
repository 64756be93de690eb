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

/** A pool of read-back buffers of one device. */
export class ReadbackPool {
  readonly #allocate: Allocate;
  readonly #free: Staging[] = [];

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
    if (index >= 0) return this.#free.splice(index, 1)[0]!;
    // One that is too small will not be asked for again as long as this call keeps coming.
    this.#free.pop()?.buffer.destroy();
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const { buffers, room } = this.#allocate({ label: 'results to read back', size, usage });
    return { buffer: buffers[0]!, room };
  }

  /** Gives a buffer back, unmapped. */
  release(staging: Staging): void {
    this.#free.push(staging);
  }

  destroy(): void {
    for (const { buffer } of this.#free.splice(0)) buffer.destroy();
  }
}
