// Static memory.

/** Four zeros, twice: what sums begin with where there is no bias. */
export const ZEROS: usize = memory.data(128, 16);

/** Where the memory of the caller begins. */
export const HEAP: usize = __heap_base;
