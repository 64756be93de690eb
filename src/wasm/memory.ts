// The linear memory of a model: blocks are taken and given back, and the memory grows between calls only.
import { RnnError } from '../errors.ts';
import type { Kernels } from './kernels.ts';

const PAGE = 65536;
/** Addresses are multiples of this many bytes: one cache line. */
const ALIGNMENT = 64;
// Kernels read and write whole vectors, up to 28 bytes after the last element.
const SLACK = 64;

interface Block {
  readonly at: number;
  readonly size: number;
}

/** See the top of the file. Views are of the whole memory; growing replaces them. */
export class LinearMemory {
  #memory: Kernels['memory'] | undefined;
  /** Free blocks by address. */
  #free: Block[] = [];
  readonly #sizes = new Map<number, number>();
  #end: number;
  #f32: Float32Array<ArrayBuffer>;
  #i32: Int32Array<ArrayBuffer>;

  constructor({ memory, HEAP: base }: Kernels) {
    this.#memory = memory;
    this.#end = Math.ceil(base.value / ALIGNMENT) * ALIGNMENT;
    this.#f32 = new Float32Array(memory.buffer as ArrayBuffer);
    this.#i32 = new Int32Array(memory.buffer as ArrayBuffer);
  }

  /** The memory as float32, valid until the next `take`. */
  get f32(): Float32Array<ArrayBuffer> {
    return this.#f32;
  }

  /** The memory as int32, valid until the next `take`. */
  get i32(): Int32Array<ArrayBuffer> {
    return this.#i32;
  }

  /** Bytes of the block at an address. */
  sizeOf(at: number): number {
    return this.#sizes.get(at) ?? 0;
  }

  /**
   * A block of zeros or of old numbers, in bytes.
   *
   * @throws RnnError `OUT_OF_MEMORY`
   */
  take(bytes: number, label: string): number {
    const size = Math.ceil((bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    const index = this.#free.findIndex((block) => block.size >= size);
    let at = this.#end;
    if (index >= 0) {
      const block = this.#free[index]!;
      at = block.at;
      const left = { at: at + size, size: block.size - size };
      this.#free.splice(index, 1, ...(left.size > 0 ? [left] : []));
    } else {
      this.#grow(at + size, label);
      this.#end = at + size;
    }
    this.#sizes.set(at, size);
    return at;
  }

  #grow(bytes: number, label: string): void {
    const memory = this.#memory!; // whoever has disposed of a model takes nothing any more
    const more = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
    if (more <= 0) return;
    try {
      memory.grow(more);
    } catch (error) {
      const what = `needs ${bytes} bytes of memory in one piece, which cannot be had`;
      throw new RnnError('OUT_OF_MEMORY', label, what, { cause: error });
    }
    this.#f32 = new Float32Array(memory.buffer as ArrayBuffer);
    this.#i32 = new Int32Array(memory.buffer as ArrayBuffer);
  }

  /** Gives a block back. */
  give(at: number): void {
    const size = this.#sizes.get(at);
    if (size === undefined) return;
    this.#sizes.delete(at);
    const blocks = [...this.#free, { at, size }].toSorted((a, b) => a.at - b.at);
    this.#free = blocks.reduce<Block[]>((all, block) => {
      const last = all.at(-1);
      if (last && last.at + last.size === block.at) {
        all[all.length - 1] = { at: last.at, size: last.size + block.size };
      } else all.push(block);
      return all;
    }, []);
    const last = this.#free.at(-1);
    if (last && last.at + last.size === this.#end) {
      this.#end = last.at;
      this.#free.pop();
    }
  }

  /** Lets the memory go. */
  dispose(): void {
    this.#memory = undefined;
    this.#f32 = new Float32Array(0);
    this.#i32 = new Int32Array(0);
    this.#free = [];
    this.#sizes.clear();
  }
}
