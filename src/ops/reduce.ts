// Reductions over axes, and operators along one axis: ArgMax, ArgMin, TopK, CumSum.
import { define, defineEach, mismatch, type Call } from './define.ts';
import { broadcastStrides, forEachIndex, offsetOf, splitDims } from './indexing.ts';
import { axesOf, axisOf } from './shapes.ts';
import { storing } from './value.ts';

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function logSumExp(values: readonly number[]): number {
  const max = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return Number.isFinite(max) ? max + Math.log(sum(values.map((x) => Math.exp(x - max)))) : max;
}

type Reduction = (values: readonly number[]) => number;

// The identities, for no values: 0 for sums, 1 for products, ∓∞ for the maximum and the minimum.
const REDUCTIONS = {
  ReduceSum: sum,
  ReduceMean: (values) => sum(values) / values.length,
  ReduceMax: (values) => values.reduce((a, b) => Math.max(a, b), -Infinity),
  ReduceMin: (values) => values.reduce((a, b) => Math.min(a, b), Infinity),
  ReduceProd: (values) => values.reduce((a, b) => a * b, 1),
  ReduceL1: (values) => sum(values.map(Math.abs)),
  ReduceL2: (values) => Math.sqrt(sum(values.map((x) => x * x))),
  ReduceLogSum: (values) => Math.log(sum(values)),
  ReduceLogSumExp: logSumExp,
  ReduceSumSquare: (values) => sum(values.map((x) => x * x)),
} satisfies Record<string, Reduction>;

const reductions = defineEach(REDUCTIONS, (name, f: Reduction) =>
  define(
    name,
    [1, 2],
    (call) => {
      const { type, dims } = call.input(0, 'number');
      const given = call.numbers(1) ?? [];
      const all = given.length === 0 && !call.flag('noop_with_empty_axes', false);
      const axes = all ? [...dims.keys()] : axesOf(given, dims.length, call.at(1));
      const kept = dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
      const keep = call.flag('keepdims', true);
      const fill = (out: Float64Array): void => {
        const x = call.data(0);
        const store = storing(type);
        const groups = Array.from(out, (): number[] => []);
        const strides = broadcastStrides(kept, dims);
        forEachIndex(dims, (index, flat) => groups[offsetOf(index, strides)]!.push(x[flat]!));
        groups.forEach((group, i) => (out[i] = store(f(group))));
      };
      const into = keep ? kept : dims.filter((_, axis) => !axes.includes(axis));
      return { params: { axes }, outputs: [{ dims: into, fill }] };
    },
    { hostInputs: [1] },
  ),
);

/** Calls `visit` for each run along `axis`, with the position of each of its elements. */
function alongAxis(
  [outer, , inner]: readonly [number, number, number],
  visit: (run: number, at: (k: number, size: number) => number) => void,
): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit(o * inner + i, (k, size) => (o * size + k) * inner + i);
  }
}

/** Positions of a run, best first; NaN comes after every number, equal values in their order. */
function ranking(values: readonly number[], largest: boolean): number[] {
  const key = (k: number): number => {
    const value = largest ? values[k]! : -values[k]!;
    return Number.isNaN(value) ? -Infinity : value;
  };
  return [...values.keys()].toSorted((a, b) =>
    key(a) === key(b) ? a - b : key(b) > key(a) ? 1 : -1,
  );
}

function argument(call: Call, largest: boolean) {
  const { dims } = call.input(0, 'number');
  const axis = axisOf(call.int('axis', 0), dims.length, `${call.path}.axis`);
  const selectLast = call.flag('select_last_index', false);
  const size = dims[axis]!;
  if (size === 0) throw mismatch(call.at(0), `size of axis ${axis}`, 0, '1 or more');
  const fill = (out: Float64Array): void => {
    const x = call.data(0);
    alongAxis(splitDims(dims, axis), (run, at) => {
      const values = Array.from({ length: size }, (_, k) => x[at(k, size)]!);
      const best = values.reduce((a, b) => (largest ? Math.max(a, b) : Math.min(a, b)));
      // NaN is the best where there is one, as in PyTorch and NumPy. ONNX Runtime ignores it or not, depending
      // on the axis and the position.
      const isBest = (value: number): boolean => Object.is(value, best) || value === best;
      out[run] = selectLast ? values.findLastIndex(isBest) : values.findIndex(isBest);
    });
  };
  const kept = call.flag('keepdims', true) ? dims.with(axis, 1) : dims.toSpliced(axis, 1);
  return { params: { axis, selectLast }, outputs: [{ dims: kept, fill }] };
}

const topK = define(
  'TopK',
  [2, 2],
  (call) => {
    const { dims } = call.input(0, 'number');
    const axis = axisOf(call.int('axis', -1), dims.length, `${call.path}.axis`);
    const largest = call.flag('largest', true);
    const [k, size] = [call.scalar(1), dims[axis]!];
    if (k < 0 || k > size) throw mismatch(call.at(1), 'number of elements', k, `0 to ${size}`);
    const fill = (out: Float64Array, indices: boolean): void => {
      const x = call.data(0);
      alongAxis(splitDims(dims, axis), (_, at) => {
        const values = Array.from({ length: size }, (__, i) => x[at(i, size)]!);
        ranking(values, largest)
          .slice(0, k)
          .forEach((best, rank) => (out[at(rank, k)] = indices ? best : values[best]!));
      });
    };
    const into = dims.with(axis, k);
    return {
      params: { axis, k, largest },
      outputs: [
        { dims: into, fill: (out) => fill(out, false) },
        { dims: into, fill: (out) => fill(out, true) },
      ],
    };
  },
  { hostInputs: [1], resultType: (_, slot) => (slot === 0 ? 0 : 'int64') },
);

const cumSum = define(
  'CumSum',
  [2, 2],
  (call) => {
    const { type, dims } = call.input(0, 'number');
    call.input(1, 'integer');
    const axis = axisOf(call.scalar(1), dims.length, call.at(1));
    const [exclusive, reverse] = [call.flag('exclusive', false), call.flag('reverse', false)];
    const size = dims[axis]!;
    const fill = (out: Float64Array): void => {
      const x = call.data(0);
      const store = storing(type);
      alongAxis(splitDims(dims, axis), (_, at) => {
        let total = 0;
        for (let k = 0; k < size; k++) {
          const i = at(reverse ? size - 1 - k : k, size);
          if (exclusive) out[i] = total;
          total = store(total + x[i]!);
          if (!exclusive) out[i] = total;
        }
      });
    };
    return { params: { axis, exclusive, reverse }, outputs: [{ dims, fill }] };
  },
  { hostInputs: [1] },
);

/** Reductions, and operators along one axis. */
export const reducers = [
  ...reductions,
  define('ArgMax', [1, 1], (call) => argument(call, true), { resultType: () => 'int64' }),
  define('ArgMin', [1, 1], (call) => argument(call, false), { resultType: () => 'int64' }),
  topK,
  cumSum,
];
