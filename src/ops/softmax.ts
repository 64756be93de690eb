// Softmax and LogSoftmax along one axis.
import { define, type Call, type Description } from './define.ts';
import { splitDims } from './indexing.ts';
import { axisOf } from './shapes.ts';

function softmax(
  call: Call,
  finish: (shifted: number, sum: number) => number,
): Description<{ axis: number }> {
  const { dims } = call.input(0, 'float');
  const axis = axisOf(call.int('axis', -1), dims.length, `${call.path}.axis`);
  const [outer, size, inner] = splitDims(dims, axis);
  const fill = (out: Float64Array): void => {
    const x = call.data(0);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (k: number): number => (o * size + k) * inner + i;
        let max = -Infinity;
        for (let k = 0; k < size; k++) max = Math.max(max, x[at(k)]!);
        let sum = 0;
        for (let k = 0; k < size; k++) sum += Math.exp(x[at(k)]! - max);
        for (let k = 0; k < size; k++) out[at(k)] = finish(x[at(k)]! - max, sum);
      }
    }
  };
  return { params: { axis }, outputs: [{ dims, fill }] };
}

/** Softmax and LogSoftmax. */
export const softmaxes = [
  define('Softmax', [1, 1], (call) => softmax(call, (x, sum) => Math.exp(x) / sum)),
  define('LogSoftmax', [1, 1], (call) => softmax(call, (x, sum) => x - Math.log(sum))),
];
