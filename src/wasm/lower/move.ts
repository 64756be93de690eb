// Operators that move elements or only change a shape.
import { broadcastStrides, offsetOf, splitDims, stridesOf } from '../../ops/indexing.ts';
import * as id from '../assembly/ids.ts';
import { after, isFloat, isWide, sizeOf } from '../lowering.ts';
import type { AnyLower, Lower, Lowering, LowerOf } from '../lowering.ts';
import type { Place } from '../program.ts';

const view: Lower = (ctx) => {
  if (ctx.wanted(0)) ctx.alias(0, 0);
  // The mask of a Dropout, which drops nothing in inference.
  if (ctx.wanted(1)) ctx.emit(id.FILL, ctx.write(1), sizeOf(ctx.outputs[1]!.dims), 1);
  return true;
};

const transpose: LowerOf<'Transpose'> = (ctx) => {
  const strides = stridesOf(ctx.input(0).dims);
  const { dims } = ctx.outputs[0]!;
  const from = { place: ctx.read(0), strides: ctx.params.perm.map((axis) => strides[axis]!) };
  ctx.copy(dims, from, { place: ctx.write(), strides: stridesOf(dims) });
  return true;
};

const expand: Lower = (ctx) => {
  const { dims } = ctx.outputs[0]!;
  const from = { place: ctx.read(0), strides: broadcastStrides(ctx.input(0).dims, dims) };
  ctx.copy(dims, from, { place: ctx.write(), strides: stridesOf(dims) });
  return true;
};

const tile: LowerOf<'Tile'> = (ctx) => {
  const from = ctx.input(0).dims;
  // Each axis becomes two: the index of the copy, and the index within it.
  const dims = from.flatMap((dim, axis) => [ctx.params.repeats[axis]!, dim]);
  const strides = stridesOf(from).flatMap((stride) => [0, stride]);
  ctx.copy(dims, { place: ctx.read(0), strides }, { place: ctx.write(), strides: stridesOf(dims) });
  return true;
};

const slice: LowerOf<'Slice'> = (ctx) => {
  const { starts, steps } = ctx.params;
  const { dims } = ctx.outputs[0]!;
  const strides = stridesOf(ctx.input(0).dims);
  const place = after(ctx.read(0), offsetOf(starts, strides));
  const from = { place, strides: strides.map((stride, axis) => stride * steps[axis]!) };
  ctx.copy(dims, from, { place: ctx.write(), strides: stridesOf(dims) });
  return true;
};

const split: LowerOf<'Split'> = (ctx) => {
  const { axis } = ctx.params;
  const strides = stridesOf(ctx.input(0).dims);
  let start = 0;
  ctx.outputs.forEach(({ dims }, slot) => {
    if (ctx.wanted(slot)) {
      const from = { place: after(ctx.read(0), start), strides };
      ctx.copy(dims, from, { place: ctx.write(slot), strides: stridesOf(dims) });
    }
    start += dims[axis]! * strides[axis]!;
  });
  return true;
};

const concat: LowerOf<'Concat'> = (ctx) => {
  const { axis } = ctx.params;
  const strides = stridesOf(ctx.outputs[0]!.dims);
  const out = ctx.write();
  let start = 0;
  for (const slot of ctx.inputs.keys()) {
    const { dims } = ctx.input(slot);
    const from = { place: ctx.read(slot), strides: stridesOf(dims) };
    ctx.copy(dims, from, { place: after(out, start), strides });
    start += dims[axis]! * strides[axis]!;
  }
  return true;
};

/** Pads one axis of a dense array by elements of its own. */
function padAxis(
  ctx: Lowering<{ readonly mode: string }>,
  x: Place,
  dims: readonly number[],
  axis: number,
  [before, total]: readonly [number, number],
): Place {
  const size = dims[axis]!;
  const into = dims.with(axis, total);
  const out = ctx.scratch(sizeOf(into), 'padded');
  const [strides, outStrides] = [stridesOf(dims), stridesOf(into)];
  const [step, outStep] = [strides[axis]!, outStrides[axis]!];
  const { mode } = ctx.params;
  // Runs of positions that read neighbours in one order.
  const runs: { to: number; from: number; length: number; by: number }[] = [];
  const period = 2 * Math.max(size - 1, 1);
  for (let to = 0; to < total;) {
    const at = to - before;
    let [from, length, by] = [at, 0, 1];
    if (mode === 'edge') {
      if (at < 0 || at >= size)
        [from, length, by] = [at < 0 ? 0 : size - 1, at < 0 ? -at : total, 0];
      else length = size - at;
    } else if (mode === 'wrap') {
      from = ((at % size) + size) % size;
      length = size - from;
    } else {
      const folded = ((at % period) + period) % period;
      if (size === 1) [from, length, by] = [0, total, 0];
      else if (folded < size - 1) [from, length, by] = [folded, size - 1 - folded, 1];
      else [from, length, by] = [period - folded, period - folded, -1];
    }
    length = Math.min(length, total - to);
    runs.push({ to, from, length, by });
    to += length;
  }
  for (const { to, from, length, by } of runs) {
    ctx.copy(
      dims.with(axis, length),
      { place: after(x, from * step), strides: strides.with(axis, step * by) },
      { place: after(out, to * outStep), strides: outStrides },
    );
  }
  return out;
}

const pad: LowerOf<'Pad'> = (ctx) => {
  const { mode, before } = ctx.params;
  const from = ctx.input(0).dims;
  const { dims } = ctx.outputs[0]!;
  const x = ctx.read(0);
  // What is left of the input, where pads are negative.
  const starts = before.map((pads) => Math.max(-pads, 0));
  const kept = from.map((size, axis) =>
    Math.max(Math.min(size, dims[axis]! - before[axis]!) - starts[axis]!, 0),
  );
  if (mode === 'constant') {
    const value = ctx.inputs[2];
    const number = value?.host?.data[0] ?? 0;
    const word = isFloat(ctx.input(0).type) ? { float: number } : number;
    const [strides, outStrides] = [stridesOf(from), stridesOf(dims)];
    const out = ctx.write();
    if (sizeOf(dims) === 0) return true;
    ctx.emit(id.FILL, out, sizeOf(dims), word);
    ctx.copy(
      kept,
      { place: after(x, offsetOf(starts, strides)), strides },
      {
        place: after(
          out,
          offsetOf(
            before.map((pads) => Math.max(pads, 0)),
            outStrides,
          ),
        ),
        strides: outStrides,
      },
    );
    return true;
  }
  if (sizeOf(from) === 0 || sizeOf(dims) === 0) return false;
  let [place, shape]: [Place, readonly number[]] = [x, from];
  for (const [axis, pads] of before.entries()) {
    if (pads === 0 && dims[axis] === shape[axis]) continue;
    place = padAxis(ctx, place, shape, axis, [pads, dims[axis]!]);
    shape = shape.with(axis, dims[axis]!);
  }
  const strides = stridesOf(dims);
  ctx.copy(dims, { place, strides }, { place: ctx.write(), strides });
  return true;
};

const gather: LowerOf<'Gather'> = (ctx) => {
  const [outer, size, inner] = splitDims(ctx.input(0).dims, ctx.params.axis);
  const indices = ctx.input(1);
  if (!isWide(indices.type)) return false;
  const count = sizeOf(indices.dims);
  const out = ctx.write();
  ctx.emit(id.GATHER, ctx.read(0), ctx.read(1), out, outer, size, inner * 4, count);
  return true;
};

/** Operators that move elements. */
export const movers: Readonly<Record<string, AnyLower>> = {
  Reshape: view,
  Flatten: view,
  Squeeze: view,
  Unsqueeze: view,
  Identity: view,
  Dropout: view,
  Transpose: transpose,
  Expand: expand,
  Tile: tile,
  Slice: slice,
  Split: split,
  Concat: concat,
  Pad: pad,
  Gather: gather,
};
