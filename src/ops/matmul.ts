// Matrix products.
import { formatDims } from '../tensor.ts';
import { define, mismatch } from './define.ts';
import { sameType } from './elementwise.ts';
import {
  broadcastDims,
  broadcastStrides,
  broadcastTo,
  forEachIndex,
  offsetOf,
} from './indexing.ts';
import { sameDims } from './shapes.ts';
import { storing } from './value.ts';

/** numpy.matmul: batches broadcast, and an input of one axis is a row or a column. */
const matMul = define('MatMul', [2, 2], (call) => {
  const type = sameType(call, [0, 1], 'number');
  const [a, b] = [call.input(0).dims, call.input(1).dims];
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [rows, inner] = left.slice(-2) as [number, number];
  const [depth, columns] = right.slice(-2) as [number, number];
  if (a.length === 0 || b.length === 0 || inner !== depth) {
    const [what, got] = ['inner sizes of a matrix product', [a, b].map(formatDims).join(' and ')];
    throw mismatch(`${call.path}.inputs`, what, got, 'equal ones');
  }
  const [outerLeft, outerRight] = [left.slice(0, -2), right.slice(0, -2)];
  const batch = broadcastDims([outerLeft, outerRight], `${call.path}.inputs`);
  const dims = [...batch, ...(a.length === 1 ? [] : [rows]), ...(b.length === 1 ? [] : [columns])];
  const fill = (out: Float64Array): void => {
    const [x, y] = [call.data(0), call.data(1)];
    const store = storing(type);
    const [xStrides, yStrides] = [
      broadcastStrides(outerLeft, batch),
      broadcastStrides(outerRight, batch),
    ];
    forEachIndex(batch, (index, flat) => {
      const xAt = offsetOf(index, xStrides) * rows * inner;
      const yAt = offsetOf(index, yStrides) * inner * columns;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          let sum = 0;
          for (let k = 0; k < inner; k++)
            sum += x[xAt + i * inner + k]! * y[yAt + k * columns + j]!;
          out[(flat * rows + i) * columns + j] = store(sum);
        }
      }
    });
  };
  return [{ dims, fill }];
});

/** alpha · A · B + beta · C, with A and B transposed on demand. */
const gemm = define('Gemm', [2, 3], (call) => {
  const biased = call.optional(2) !== undefined;
  const type = sameType(call, biased ? [0, 1, 2] : [0, 1], 'number');
  const [transA, transB] = [call.flag('transA', false), call.flag('transB', false)];
  const oriented = (slot: number, transposed: boolean): [number, number] => {
    const { dims } = call.input(slot);
    if (dims.length !== 2) throw mismatch(call.at(slot), 'shape', dims, 'a matrix');
    return transposed ? [dims[1]!, dims[0]!] : [dims[0]!, dims[1]!];
  };
  const [rows, inner] = oriented(0, transA);
  const [depth, columns] = oriented(1, transB);
  const [alpha, beta] = [call.float('alpha', 1), call.float('beta', 1)];
  if (inner !== depth) throw mismatch(call.at(1), 'inner size', depth, inner);
  const dims = [rows, columns];
  const bias = call.optional(2)?.dims ?? [];
  if (!sameDims(broadcastDims([dims, bias], call.at(2)), dims)) {
    throw mismatch(call.at(2), 'shape', bias, `one that broadcasts to ${formatDims(dims)}`);
  }
  const fill = (out: Float64Array): void => {
    const [a, b] = [call.data(0), call.data(1)];
    const c = biased ? broadcastTo(call.data(2), bias, dims) : undefined;
    const store = storing(type);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          sum +=
            a[transA ? k * rows + i : i * inner + k]! *
            b[transB ? j * inner + k : k * columns + j]!;
        }
        const at = i * columns + j;
        out[at] = store(alpha * sum + (c === undefined ? 0 : beta * c[at]!));
      }
    }
  };
  return { params: { transA, transB, alpha, beta }, outputs: [{ dims, fill }] };
});

/** MatMul and Gemm. */
export const products = [matMul, gemm];
