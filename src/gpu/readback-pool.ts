// Buffers for reading results back: taken, mapped, and used again.

/** A pool of read-back buffers of one device. */
export class ReadbackPool {
  readonly #device: GPUDevice;
  readonly #free: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least `size` bytes that can be copied to and mapped. */
  acquire(size: number): GPUBuffer {
    const index = this.#free.findIndex((buffer) => buffer.size >= size);
    if (index >= 0) return this.#free.splice(index, 1)[0]!;
    // One that is too small will not be asked for again as long as this call keeps coming.
    this.#free.pop()?.destroy();
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    return this.#device.createBuffer({ label: 'staging', size, usage });
  }

  /** Gives a buffer back, unmapped. */
  release(buffer: GPUBuffer): void {
    this.#free.push(buffer);
  }

  destroy(): void {
    for (const buffer of this.#free.splice(0)) buffer.destroy();
  }
}
