// GatherND: slices at positions of several axes, made of one Gather over the axes as one.
// https://onnx.ai/onnx/operators/onnx__GatherND.html
import { sizeOf } from '../tensor.ts';
import {
  integers,
  part,
  tensorOf,
  type ControlCall,
  type ControlOperator,
  type Flow,
} from './control.ts';
import { Attributes, invalid, mismatch } from './define.ts';
import { stridesOf } from './indexing.ts';
import type { ValueType } from './operator.ts';
import { sameDims, type Dims } from './shapes.ts';

/** Refuses known indices out of range, which a device answers with NaN. */
function checkKnown<V extends ValueType>(
  flow: Flow<V>,
  indices: V,
  sizes: Dims,
  path: string,
): void {
  flow.numbers(indices)?.data.forEach((index, i) => {
    const size = sizes[i % sizes.length]!;
    if (index >= -size && index < size) return;
    throw mismatch(`${path}[${i}]`, 'index', index, `${-size} to ${size - 1}`);
  });
}

/** The position of each slice, counted over `sizes` as one axis; their product where it is out of range. */
function flatPositions<V extends ValueType>(flow: Flow<V>, indices: V, sizes: Dims): V {
  const number = (value: number): V => integers(flow, [value], []);
  const strides = stridesOf(sizes);
  const last = indices.dims.length - 1;
  let [flat, inside]: [V | undefined, V | undefined] = [undefined, undefined];
  sizes.forEach((size, axis) => {
    const given = part(flow, indices, last, [axis, axis + 1], true);
    const isNegative = flow.apply('Less', [given, number(0)]);
    const fromEnd = flow.apply('Add', [given, number(size)]);
    const at = flow.apply('Where', [isNegative, fromEnd, given]);
    const isInside = flow.apply('And', [
      flow.apply('GreaterOrEqual', [at, number(0)]),
      flow.apply('Less', [at, number(size)]),
    ]);
    const step = flow.apply('Mul', [at, number(strides[axis]!)]);
    flat = flat ? flow.apply('Add', [flat, step]) : step;
    inside = inside ? flow.apply('And', [inside, isInside]) : isInside;
  });
  return flow.apply('Where', [inside!, flat!, number(sizeOf(sizes))]);
}

function run<V extends ValueType>(call: ControlCall<V>): readonly V[] {
  const { node, path, flow } = call;
  const [data, given] = [tensorOf(call, 0), tensorOf(call, 1)];
  const batchDims = new Attributes(node, path).int('batch_dims', 0);
  const depth = given.dims.at(-1) ?? 0;
  const [rank, fits] = [data.dims.length, batchDims >= 0 && batchDims < given.dims.length];
  if (!fits || batchDims > rank) {
    throw invalid(
      `${path}.batch_dims`,
      `attribute of GatherND`,
      batchDims,
      '0 or more, below both ranks',
    );
  }
  if (depth < 1 || batchDims + depth > rank) {
    const expected = `1 to ${rank - batchDims} indices at the end`;
    throw mismatch(`${path}.inputs[1]`, 'shape', given.dims, expected);
  }
  const batch = data.dims.slice(0, batchDims);
  if (!sameDims(batch, given.dims.slice(0, batchDims))) {
    throw mismatch(
      `${path}.inputs[1]`,
      'shape',
      given.dims,
      `one that begins with [${batch.join(', ')}]`,
    );
  }
  const sizes = data.dims.slice(batchDims, batchDims + depth);
  checkKnown(flow, given, sizes, `${path}.inputs[1]`);
  const indices = given.type === 'int64' ? given : flow.apply('Cast', [given], { to: 'int64' });
  let rows = flatPositions(flow, indices, sizes);
  const [count, each] = [sizeOf(batch), sizeOf(sizes)];
  if (batchDims > 0) {
    // Out of range in one batch must not be a place in the next.
    const dims = [...batch, ...given.dims.slice(batchDims, -1).map(() => 1)];
    flow.unrolling.keep({ type: 'int64', dims: batch }, node, path); // before it is allocated
    const starts = Array.from({ length: count }, (_, i) => i * each);
    const isOutside = flow.apply('Equal', [rows, integers(flow, [each], [])]);
    const placed = flow.apply('Add', [rows, integers(flow, starts, dims)]);
    rows = flow.apply('Where', [isOutside, integers(flow, [count * each], []), placed]);
  }
  const into = [count * each, ...data.dims.slice(batchDims + depth)];
  const table = flow.apply('Reshape', [data, integers(flow, into)], { allowzero: 1 });
  return [flow.apply('Gather', [table, rows], { axis: 0 })];
}

/** GatherND. */
export const gatherND: ControlOperator = {
  name: 'GatherND',
  resultType: () => 0,
  advice: 'export it with indices of a known shape',
  run: (call) => run(call),
};
