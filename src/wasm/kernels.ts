// What runs the table of a program, in WebAssembly or in plain TypeScript.

/** Kernels with a memory of their own. */
export interface Kernels {
  /** Weights, programs and values. */
  readonly memory: {
    /** All bytes; another buffer after `grow`. */
    readonly buffer: ArrayBufferLike;
    /** Adds at least this many pages of 64 KiB; throws where they cannot be had. */
    grow(pages: number): unknown;
  };
  /** Runs `count` entries of the table at an address; -1, or the entry that refused its numbers. */
  readonly run: (entry: number, count: number) => number;
  /** Where the memory of the caller begins. */
  readonly HEAP: { readonly value: number };
}
