// The interpreter of a program: entries of [kernel, words, arguments …], one after the other.
import { argument, copy, cumsum, fill, gather, pointwise, unary } from './elements';
import { fourier } from './fourier';
import { matmul, pack, pick } from './gemm';
import * as id from './ids';
import { int } from './math';
export { HEAP } from './memory';
import { recurrent } from './recurrent';
import { normalize, reduce, softmax } from './rows';
import { conv, convTranspose, pool } from './windows';

/**
 * Runs `count` entries.
 *
 * @returns -1, or the number of the entry that refused its numbers
 */
export function run(entry: usize, count: i32): i32 {
  for (let k = 0; k < count; k++) {
    const p = entry + 8;
    switch (int(entry, 0)) {
      case id.PACK: pack(p); break;
      case id.PICK: pick(p); break;
      case id.MATMUL: matmul(p); break;
      case id.RECURRENT: recurrent(p); break;
      case id.UNARY: unary(p); break;
      case id.POINTWISE: pointwise(p); break;
      case id.COPY: copy(p); break;
      case id.FILL: fill(p); break;
      case id.GATHER: if (!gather(p)) return k; break;
      case id.SOFTMAX: softmax(p); break;
      case id.REDUCE: reduce(p); break;
      case id.NORMALIZE: normalize(p); break;
      case id.CONV: conv(p); break;
      case id.CONV_TRANSPOSE: convTranspose(p); break;
      case id.POOL: pool(p); break;
      case id.ARGUMENT: argument(p); break;
      case id.CUMSUM: cumsum(p); break;
      case id.FOURIER: fourier(p); break;
      default: return k;
    }
    entry += <usize>int(entry, 1) << 2;
  }
  return -1;
}
