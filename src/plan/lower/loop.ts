// A loop that is kept as one node: the dispatches of one iteration, once from the first state buffer to the second and
// once back, which the device runs again and again.
import { loopCopyKernel } from '../../../shaders/copy.ts';
import { gridOf, ITEM_INVOCATIONS } from '../../../shaders/kernel.ts';
import { stridesOf } from '../../ops/indexing.ts';
import { sizeOf } from '../../tensor.ts';
import type { AnyLower, Lower, Lowering } from '../lowering.ts';
import { copyBody, PLACE, type LoopParams, type PlaceParams } from '../specialize/loops/types.ts';
import type { BufferId, Dispatch } from '../types.ts';
import type { Value } from '../values.ts';
import { copy } from './move.ts';
import { LOWERINGS } from './registry.ts';

/** The buffers of a loop; `before` and `after` change places in every iteration. */
interface Buffers {
  readonly before: readonly BufferId[];
  readonly after: readonly BufferId[];
  readonly sequences: readonly BufferId[];
  /** By slot after the states; undefined where nobody wants it. */
  readonly results: readonly (BufferId | undefined)[];
}

/** Copies `count` elements; the places move on with each iteration. */
function loopCopy(
  ctx: Lowering,
  [data, dataStep]: readonly [BufferId, number],
  [out, outStep]: readonly [BufferId, number],
  count: number,
): void {
  const uniforms = { count, dataStep, outStep };
  ctx.dispatch(loopCopyKernel, gridOf(count, ITEM_INVOCATIONS), { data, out }, uniforms, count);
}

/** Makes a value of the body the part of a sequence that an iteration reads. */
function providePart(ctx: Lowering, value: Value, buffer: BufferId): void {
  const { type, dims } = value;
  const size = sizeOf(dims);
  const part = { type, dims, buffer, strides: stridesOf(dims), iterationStep: size, source: {} };
  const planned = ctx.valueOf(value);
  const materialize = (): void => {
    planned.buffer = ctx.scratch(size, 'part');
    loopCopy(ctx, [buffer, size], [planned.buffer, 0], size);
  };
  planned.lazy = { part, materialize };
}

/** The dispatches of one iteration. */
function iteration(ctx: Lowering<LoopParams>, buffers: Buffers): readonly Dispatch[] {
  const { body, states, sequences, stacked, readers } = copyBody(ctx.params, ctx.wanted);
  return ctx.capture(() => {
    states.forEach(({ before }, k) => (ctx.valueOf(before).buffer = buffers.before[k]!));
    sequences.forEach((value, k) => providePart(ctx, value, buffers.sequences[k]!));
    states.forEach(({ after }, k) => ctx.aim(after, buffers.after[k]!));
    for (const item of body) {
      (LOWERINGS.get(item.node.op) as Lower<never>)(ctx.inside(item, readers));
    }
    stacked.forEach((value, k) => {
      if (!value) return;
      const size = sizeOf(value.dims);
      const from = ctx.bufferOf(ctx.valueOf(value));
      loopCopy(ctx, [from, 0], [buffers.results[k]!, size], size);
    });
    states.forEach(({ after }, k) => {
      const [from, to] = [ctx.bufferOf(ctx.valueOf(after)), buffers.after[k]!];
      if (from !== to) loopCopy(ctx, [from, 0], [to, 0], sizeOf(after.dims));
    });
  });
}

const lowerLoop: Lower<LoopParams> = (ctx) => {
  const { steps, states, sequences, stacked } = ctx.params;
  // What is computed on the way to an input is computed before the loop.
  for (const slot of ctx.inputs.keys()) ctx.read(slot);
  const sizes = states.map(({ before }) => sizeOf(before.dims));
  const first = sizes.map((size, k) => ctx.scratch(size, `state ${k}`));
  const second = sizes.map((size, k) => ctx.scratch(size, `next state ${k}`));
  first.forEach((to, k) => ctx.emit({ kind: 'copy', from: ctx.read(k), to, size: sizes[k]! * 4 }));
  const common = {
    sequences: sequences.map((_, k) => ctx.read(states.length + k)),
    results: stacked.map((value, k) => {
      const slot = states.length + k;
      return value && ctx.wanted(slot) ? ctx.write(slot) : undefined;
    }),
  };
  const even = iteration(ctx, { ...common, before: first, after: second });
  const odd = steps > 1 ? iteration(ctx, { ...common, before: second, after: first }) : [];
  ctx.emit({ kind: 'loop', first: 0, steps, even, odd });
  states.forEach((_, k) => ctx.yield(k, (steps % 2 === 1 ? second : first)[k]!));
};

/** Puts a part where it belongs, in the buffer that the parts before it are in. */
const place: Lower<PlaceParams> = (ctx) => {
  const count = sizeOf(ctx.inputs[1]!.dims);
  const part = ctx.read(1);
  if (ctx.inputs[0]) ctx.alias(0, 0);
  const out = ctx.inputs[0] ? ctx.read(0) : ctx.write(0);
  const to = { buffer: out, start: ctx.params.start, strides: [1] };
  copy(ctx, [count], { buffer: part, strides: [1] }, to);
};

/** By operator. */
export const loops: Readonly<Record<string, AnyLower>> = {
  Loop: lowerLoop,
  Scan: lowerLoop,
  [PLACE]: place,
};
