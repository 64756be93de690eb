// The kernels of the CPU in plain TypeScript, for pages that refuse WebAssembly: they run the same tables, on one
// ArrayBuffer, without eval. Each kernel means what its namesake in assembly/ means.
import * as id from '../assembly/ids.ts';
import type { Kernels } from '../kernels.ts';
import { argument, copy, cumsum, fill, gather } from './elements.ts';
import { fourier } from './fourier.ts';
import { matmul, pack, pick } from './gemm.ts';
import { BASE, PlainMemory, wordAt, type PlainKernel } from './memory.ts';
import { pointwise } from './pointwise.ts';
import { recurrent } from './recurrent.ts';
import { normalize, reduce, softmax } from './rows.ts';
import { unary } from './unary.ts';
import { conv, convTranspose, pool } from './windows.ts';

/** By number, see assembly/ids.ts. */
const KERNELS: Readonly<Record<number, PlainKernel>> = {
  [id.PACK]: pack,
  [id.PICK]: pick,
  [id.MATMUL]: matmul,
  [id.RECURRENT]: recurrent,
  [id.UNARY]: unary,
  [id.POINTWISE]: pointwise,
  [id.COPY]: copy,
  [id.FILL]: fill,
  [id.GATHER]: gather,
  [id.SOFTMAX]: softmax,
  [id.REDUCE]: reduce,
  [id.NORMALIZE]: normalize,
  [id.CONV]: conv,
  [id.CONV_TRANSPOSE]: convTranspose,
  [id.POOL]: pool,
  [id.ARGUMENT]: argument,
  [id.CUMSUM]: cumsum,
  [id.FOURIER]: fourier,
};

/** Kernels with a memory of their own. */
export function plainKernels(): Kernels {
  const memory = new PlainMemory();
  const run = (table: number, count: number): number => {
    let entry = wordAt(table);
    for (let k = 0; k < count; k++) {
      const { i32 } = memory;
      const kernel = KERNELS[i32[entry]!];
      if (!kernel || kernel(memory, entry + 2) === false) return k;
      entry += i32[entry + 1]!;
    }
    return -1;
  };
  return { memory, run, HEAP: { value: BASE } };
}
