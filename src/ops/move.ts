// Operators that move numbers without changing them.
import { formatDims } from '../tensor.ts';
import { define, invalid, mismatch, type Call, type Output } from './define.ts';
import { sameType } from './elementwise.ts';
import {
  broadcastDims,
  broadcastTo,
  forEachIndex,
  offsetOf,
  splitDims,
  stridesOf,
} from './indexing.ts';
import { axesOf, axisOf, sameDims, type Dims } from './shapes.ts';

/** An output whose element at each index is that of the first input at the index `source(index)`. */
function moved(
  call: Call,
  dims: Dims,
  source: (index: readonly number[]) => readonly number[],
): Output {
  const { dims: from } = call.input(0);
  const strides = stridesOf(from);
  const fill = (out: Float64Array): void => {
    const x = call.data(0);
    forEachIndex(dims, (index, flat) => (out[flat] = x[offsetOf(source(index), strides)]!));
  };
  return { dims, fill };
}

const concat = define('Concat', [1, Infinity], (call) => {
  const slots = [...call.inputs.keys()];
  sameType(call, slots, 'any');
  const first = call.input(0).dims;
  const axis = axisOf(call.int('axis'), first.length, `${call.path}.axis`);
  const sizes = slots.map((slot) => {
    const { dims } = call.input(slot);
    if (!sameDims(dims, first.with(axis, dims[axis]!))) {
      throw mismatch(call.at(slot), 'shape', dims, `${formatDims(first)} but for axis ${axis}`);
    }
    return dims[axis]!;
  });
  const total = sizes.reduce((a, b) => a + b, 0);
  const [outer, , inner] = splitDims(first, axis);
  const fill = (out: Float64Array): void => {
    let to = 0;
    for (let o = 0; o < outer; o++) {
      for (const slot of slots) {
        const length = sizes[slot]! * inner;
        out.set(call.data(slot).subarray(o * length, (o + 1) * length), to);
        to += length;
      }
    }
  };
  return { params: { axis }, outputs: [{ dims: first.with(axis, total), fill }] };
});

const split = define(
  'Split',
  [1, 2],
  (call) => {
    const { dims } = call.input(0);
    const axis = axisOf(call.int('axis', 0), dims.length, `${call.path}.axis`);
    const total = dims[axis]!;
    let sizes = call.optional(1) && call.shape(1);
    if (sizes === undefined) {
      const parts = call.int('num_outputs', call.node.outputs.length);
      if (parts < 1) throw invalid(`${call.path}.num_outputs`, 'attribute', parts, '1 or more');
      const size = Math.ceil(total / parts); // the last part is the smaller one
      sizes = Array.from({ length: parts }, (_, i) =>
        Math.min(size, Math.max(total - i * size, 0)),
      );
    }
    const sum = sizes.reduce((a, b) => a + b, 0);
    if (sum !== total) throw mismatch(call.at(1), `sum of sizes along axis ${axis}`, sum, total);
    let start = 0;
    const outputs = sizes.map((size) => {
      const from = start;
      start += size;
      return moved(call, dims.with(axis, size), (index) => index.with(axis, index[axis]! + from));
    });
    return { params: { axis }, outputs };
  },
  { hostInputs: [1] },
);

const slice = define(
  'Slice',
  [3, 5],
  (call) => {
    const { dims } = call.input(0);
    for (const slot of [1, 2]) call.input(slot, 'integer');
    const [firsts, ends] = [call.numbers(1)!, call.numbers(2)!];
    const axes = axesOf(call.numbers(3) ?? [...firsts.keys()], dims.length, call.at(3));
    const by = call.numbers(4) ?? firsts.map(() => 1);
    for (const [slot, list] of [ends, axes, by].entries()) {
      if (list.length !== firsts.length) {
        throw mismatch(call.at(slot + 2), 'number of bounds', list.length, firsts.length);
      }
    }
    // For every axis of the input, those that are not sliced as well.
    const [starts, steps, into] = [dims.map(() => 0), dims.map(() => 1), [...dims]];
    axes.forEach((axis, i) => {
      const [size, step] = [dims[axis]!, by[i]!];
      if (step === 0) throw invalid(`${call.at(4)}[${i}]`, 'step', 0, 'any other number');
      // A negative step may end one before the first element.
      const [min, max] = step > 0 ? [0, size] : [-1, size - 1];
      const bound = (at: number, low: number): number =>
        Math.min(Math.max(at < 0 ? at + size : at, low), max);
      const start = bound(firsts[i]!, 0);
      [starts[axis], steps[axis]] = [start, step];
      into[axis] = Math.max(Math.ceil((bound(ends[i]!, min) - start) / step), 0);
    });
    const output = moved(call, into, (index) =>
      index.map((at, axis) => starts[axis]! + at * steps[axis]!),
    );
    return { params: { starts, steps }, outputs: [output] };
  },
  { hostInputs: [1, 2, 3, 4] },
);

const transpose = define('Transpose', [1, 1], (call) => {
  const { dims } = call.input(0);
  const axes = [...dims.keys()];
  const perm = call.ints('perm') ?? axes.toReversed();
  const sorted = perm.toSorted((a, b) => a - b);
  if (!sameDims(sorted, axes)) {
    throw invalid(`${call.path}.perm`, 'order of axes', perm, `each of ${dims.length} once`);
  }
  const into = perm.map((axis) => dims[axis]!);
  const place = dims.map((_, axis) => perm.indexOf(axis));
  return {
    params: { perm },
    outputs: [moved(call, into, (index) => place.map((at) => index[at]!))],
  };
});

const expand = define(
  'Expand',
  [2, 2],
  (call) => {
    const { dims } = call.input(0);
    const into = broadcastDims([dims, call.shape(1)], call.at(1));
    return [{ dims: into, fill: (out) => out.set(broadcastTo(call.data(0), dims, into)) }];
  },
  { hostInputs: [1] },
);

const tile = define(
  'Tile',
  [2, 2],
  (call) => {
    const { dims } = call.input(0);
    const repeats = call.shape(1);
    if (repeats.length !== dims.length) {
      throw mismatch(call.at(1), 'number of repeats', repeats.length, dims.length);
    }
    const into = dims.map((dim, axis) => dim * repeats[axis]!);
    const output = moved(call, into, (index) => index.map((at, axis) => at % dims[axis]!));
    return { params: { repeats }, outputs: [output] };
  },
  { hostInputs: [1] },
);

// The index in the input of a padded position; negative for the constant.
const PADDING = {
  constant: (at: number, size: number) => (at < size ? at : -1),
  edge: (at: number, size: number) => Math.min(Math.max(at, 0), size - 1),
  wrap: (at: number, size: number) => ((at % size) + size) % size,
  reflect: (at: number, size: number) => {
    const period = 2 * Math.max(size - 1, 1);
    const folded = ((at % period) + period) % period;
    return Math.min(folded, period - folded, size - 1);
  },
};

const pad = define(
  'Pad',
  [2, 4],
  (call) => {
    const { type, dims } = call.input(0);
    const modes = Object.keys(PADDING) as (keyof typeof PADDING)[];
    const mode = call.text('mode', modes);
    call.input(1, 'integer');
    const pads = call.numbers(1)!;
    const axes = axesOf(call.numbers(3) ?? [...dims.keys()], dims.length, call.at(3));
    if (pads.length !== 2 * axes.length) {
      throw mismatch(call.at(1), 'number of pads', pads.length, 2 * axes.length);
    }
    const fillType = call.optional(2)?.type ?? type;
    if (fillType !== type) throw invalid(call.at(2), 'element type', fillType, type);
    const before = dims.map(() => 0);
    const into = [...dims];
    axes.forEach((axis, i) => {
      before[axis] = pads[i]!;
      into[axis]! += pads[i]! + pads[i + axes.length]!;
      if (into[axis]! < 0 || (into[axis]! > 0 && dims[axis] === 0 && mode !== 'constant')) {
        throw mismatch(
          call.at(1),
          `padded size of axis ${axis}`,
          into[axis],
          'one that can be filled',
        );
      }
    });
    const strides = stridesOf(dims);
    const fill = (out: Float64Array): void => {
      const x = call.data(0);
      const constant = call.numbers(2)?.[0] ?? 0;
      forEachIndex(into, (index, flat) => {
        const from = index.map((at, axis) => PADDING[mode](at - before[axis]!, dims[axis]!));
        out[flat] = from.some((at) => at < 0) ? constant : x[offsetOf(from, strides)]!;
      });
    };
    return { params: { mode, before }, outputs: [{ dims: into, fill }] };
  },
  { hostInputs: [1, 2, 3] },
);

const trilu = define(
  'Trilu',
  [1, 2],
  (call) => {
    const { dims } = call.input(0);
    if (dims.length < 2) throw mismatch(call.at(0), 'shape', dims, 'matrices');
    const upper = call.flag('upper', true);
    const k = call.optional(1) ? call.scalar(1) : 0;
    const [rows, columns] = dims.slice(-2) as [number, number];
    const fill = (out: Float64Array): void =>
      call.data(0).forEach((x, i) => {
        const distance = (i % columns) - (Math.floor(i / columns) % rows) - k;
        out[i] = (upper ? distance >= 0 : distance <= 0) ? x : 0;
      });
    return { params: { upper, k }, outputs: [{ dims, fill }] };
  },
  { hostInputs: [1] },
);

const reverseSequence = define('ReverseSequence', [2, 2], (call) => {
  const { dims } = call.input(0);
  const lengths = call.input(1, 'integer').dims;
  const [batchAxis, timeAxis] = [call.int('batch_axis', 1), call.int('time_axis', 0)];
  if (dims.length < 2 || batchAxis + timeAxis !== 1 || batchAxis * timeAxis !== 0) {
    const got = [batchAxis, timeAxis];
    throw invalid(call.path, 'batch_axis and time_axis', got, '0 and 1, in any order');
  }
  const [batch, steps] = [dims[batchAxis]!, dims[timeAxis]!];
  if (!sameDims(lengths, [batch])) {
    throw mismatch(call.at(1), 'shape', lengths, [batch]);
  }
  const output = moved(call, dims, (index) => {
    const [length, t] = [call.data(1)[index[batchAxis]!]!, index[timeAxis]!];
    return t < length ? index.with(timeAxis, length - 1 - t) : index;
  });
  const fill = (out: Float64Array): void => {
    call.data(1).forEach((length, row) => {
      if (length >= 0 && length <= steps) return;
      throw mismatch(`${call.at(1)}[${row}]`, 'length', length, `0 to ${steps}`);
    });
    output.fill(out);
  };
  return { params: { batchAxis, timeAxis }, outputs: [{ ...output, fill }] };
});

/** Operators that move numbers. */
export const movers = [concat, split, slice, transpose, expand, tile, pad, trilu, reverseSequence];
