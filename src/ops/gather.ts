// Operators that read or write at positions that another input holds.
import { formatDims, sizeOf } from '../tensor.ts';
import { define, mismatch, type Call } from './define.ts';
import { sameType } from './elementwise.ts';
import { forEachIndex, offsetOf, splitDims, stridesOf } from './indexing.ts';
import { axisOf, sameDims, type Dims } from './shapes.ts';

/** A position counted from the front, as long as it is inside. */
function position(index: number, size: number, path: string): number {
  if (index < -size || index >= size)
    throw mismatch(path, 'index', index, `${-size} to ${size - 1}`);
  return index < 0 ? index + size : index;
}

/**
 * Checks indices whose numbers are known, so that a constant out of range is found when a plan is made.
 *
 * @param sizes of the axes that they index, in turn
 */
function checkKnown(call: Call, sizes: Dims): void {
  const known = call.host(1)?.data ?? [];
  known.forEach((index, i) => position(index, sizes[i % sizes.length]!, `${call.at(1)}[${i}]`));
}

const gather = define('Gather', [2, 2], (call) => {
  const { dims } = call.input(0);
  const indices = call.input(1, 'integer').dims;
  const axis = axisOf(call.int('axis', 0), dims.length, `${call.path}.axis`);
  const [outer, size, inner] = splitDims(dims, axis);
  checkKnown(call, [size]);
  const fill = (out: Float64Array): void => {
    const [x, at] = [call.data(0), call.data(1)];
    at.forEach((index, i) => {
      const row = position(index, size, `${call.at(1)}[${i}]`);
      for (let o = 0; o < outer; o++) {
        const from = (o * size + row) * inner;
        out.set(x.subarray(from, from + inner), (o * at.length + i) * inner);
      }
    });
  };
  return {
    params: { axis },
    outputs: [{ dims: dims.toSpliced(axis, 1, ...indices), fill }],
  };
});

/** The axis of GatherElements and ScatterElements; the indices stay within the input on all others. */
function elementAxis(call: Call): number {
  const { dims } = call.input(0);
  const indices = call.input(1, 'integer').dims;
  const axis = axisOf(call.int('axis', 0), dims.length, `${call.path}.axis`);
  if (indices.length !== dims.length || indices.some((dim, k) => k !== axis && dim > dims[k]!)) {
    throw mismatch(call.at(1), 'shape', indices, `one within ${formatDims(dims)}`);
  }
  checkKnown(call, [dims[axis]!]);
  return axis;
}

const gatherElements = define('GatherElements', [2, 2], (call) => {
  const { dims } = call.input(0);
  const indices = call.input(1).dims;
  const axis = elementAxis(call);
  const fill = (out: Float64Array): void => {
    const [x, at, strides] = [call.data(0), call.data(1), stridesOf(dims)];
    forEachIndex(indices, (index, flat) => {
      const k = position(at[flat]!, dims[axis]!, `${call.at(1)}[${flat}]`);
      out[flat] = x[offsetOf(index.with(axis, k), strides)]!;
    });
  };
  return { params: { axis }, outputs: [{ dims: indices, fill }] };
});

// The new element, from the old one and the update.
const COMBINE = {
  none: (_: number, update: number) => update,
  add: (old: number, update: number) => old + update,
  mul: (old: number, update: number) => old * update,
  max: Math.max,
  min: Math.min,
};

const REDUCTIONS = Object.keys(COMBINE) as (keyof typeof COMBINE)[];

const scatterElements = define('ScatterElements', [3, 3], (call) => {
  sameType(call, [0, 2], 'any');
  const { dims } = call.input(0);
  const indices = call.input(1).dims;
  const updates = call.input(2).dims;
  const reduction = call.text('reduction', REDUCTIONS);
  const combine = COMBINE[reduction];
  const axis = elementAxis(call);
  if (!sameDims(updates, indices)) {
    throw mismatch(call.at(2), 'shape', updates, indices);
  }
  const fill = (out: Float64Array): void => {
    const [at, values, strides] = [call.data(1), call.data(2), stridesOf(dims)];
    out.set(call.data(0));
    forEachIndex(indices, (index, flat) => {
      const k = position(at[flat]!, dims[axis]!, `${call.at(1)}[${flat}]`);
      const to = offsetOf(index.with(axis, k), strides);
      out[to] = combine(out[to]!, values[flat]!);
    });
  };
  return { params: { axis, reduction }, outputs: [{ dims, fill }] };
});

const scatterND = define('ScatterND', [3, 3], (call) => {
  const { dims } = call.input(0);
  const indices = call.input(1, 'integer').dims;
  const updates = call.input(2).dims;
  const reduction = call.text('reduction', REDUCTIONS);
  const combine = COMBINE[reduction];
  const depth = indices.at(-1) ?? 0;
  if (indices.length === 0 || depth > dims.length) {
    throw mismatch(call.at(1), 'shape', indices, `at most ${dims.length} indices at the end`);
  }
  const expected = [...indices.slice(0, -1), ...dims.slice(depth)];
  if (!sameDims(updates, expected)) throw mismatch(call.at(2), 'shape', updates, expected);
  const block = sizeOf(dims.slice(depth));
  if (depth > 0) checkKnown(call, dims.slice(0, depth));
  const fill = (out: Float64Array): void => {
    const [at, values, strides] = [call.data(1), call.data(2), stridesOf(dims)];
    out.set(call.data(0));
    for (let i = 0; i * block < values.length; i++) {
      const index = Array.from(at.subarray(i * depth, (i + 1) * depth), (k, axis) =>
        position(k, dims[axis]!, `${call.at(1)}[${i * depth + axis}]`),
      );
      const to = index.reduce((sum, k, axis) => sum + k * strides[axis]!, 0);
      for (let k = 0; k < block; k++) out[to + k] = combine(out[to + k]!, values[i * block + k]!);
    }
  };
  return { params: { reduction }, outputs: [{ dims, fill }] };
});

/** Gather, GatherElements, ScatterElements and ScatterND. */
export const gathers = [gather, gatherElements, scatterElements, scatterND];
