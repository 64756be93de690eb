// The memory of the plain kernels: one ArrayBuffer in place of that of WebAssembly, with the same addresses.

const PAGE = 65536;
/** Addresses are signed 32-bit numbers, and so is the end of the memory. */
const LIMIT = 2 ** 31 - PAGE;
/** Growing copies, so it takes more than was asked for: as much again, up to this many bytes. */
const AHEAD = 2 ** 26;

/** Where 32 zeros begin, in bytes: what sums begin with where there is no bias. Address 0 means nothing. */
export const ZEROS = 128;

/** Where the memory of the caller begins, in bytes. */
export const BASE = 256;

/** See the top of the file. Views are of the whole memory; growing replaces them. */
export class PlainMemory {
  f32 = new Float32Array(PAGE / 4);
  i32 = new Int32Array(this.f32.buffer);
  i16 = new Int16Array(this.f32.buffer);
  /** For loops that load much: V8 needs fewer instructions for a load than with a typed array. */
  view = new DataView(this.f32.buffer);

  /** The bytes. */
  get buffer(): ArrayBuffer {
    return this.f32.buffer;
  }

  /** @throws RangeError where there is no such memory */
  grow(pages: number): void {
    const { byteLength } = this.buffer;
    const needed = byteLength + pages * PAGE;
    if (needed > LIMIT) throw new RangeError(`${needed} bytes are more than 31 bits can address`);
    const bytes = Math.min(Math.max(needed, byteLength + Math.min(byteLength, AHEAD)), LIMIT);
    const f32 = new Float32Array(bytes / 4);
    f32.set(this.f32);
    this.f32 = f32;
    this.i32 = new Int32Array(f32.buffer);
    this.i16 = new Int16Array(f32.buffer);
    this.view = new DataView(f32.buffer);
  }
}

/** A kernel: reads its words from `p` on, and says false where it refuses its numbers. Indices are in words of 4 bytes. */
export type PlainKernel = (memory: PlainMemory, p: number) => boolean | void;

/** The word that an address in bytes is in. */
export const wordAt = (address: number): number => address >>> 2;
