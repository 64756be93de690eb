// A loop that is kept as one node: its body is a part of the program that runs again and again. Copies give each
// iteration its parts of the sequences, and take its states and results away.
import { stridesOf } from '../ops/indexing.ts';
import type { PlannedNode, Value } from '../plan/specialize/infer.ts';
import { copyBody, type LoopParams, type PlaceParams } from '../plan/specialize/loops/types.ts';
import { sizeOf } from '../tensor.ts';
import type { ProgramBuilder } from './builder.ts';
import { after, type Lower, type Lowering } from './lowering.ts';
import type { Move, Place } from './program.ts';

/** Lowers a node, of which some outputs are wanted. */
type LowerNode = (item: PlannedNode, isWanted: (value: Value) => boolean) => void;

const move = (from: Place, to: Place, count: number, fromStep = 0, toStep = 0): Move => ({
  from,
  to,
  count,
  fromStep,
  toStep,
});

/** See the top of the file. */
export function lowerLoop(
  builder: ProgramBuilder,
  item: PlannedNode,
  ctx: Lowering,
  lowerNode: LowerNode,
): void {
  const params = item.params as LoopParams;
  const { body, states, sequences, stacked, readers } = copyBody(params, ctx.wanted);
  const wholes = sequences.map((_, k) => ctx.read(states.length + k));
  const results = stacked.map((value, k) => value && ctx.write(states.length + k));
  const kept = states.map(({ before }, k) => {
    const place = ctx.scratch(sizeOf(before.dims), `state ${k}`);
    const strides = stridesOf(before.dims);
    ctx.copy(before.dims, { place: ctx.read(k), strides }, { place, strides });
    builder.put(before, place);
    const output = item.outputs[k];
    if (output) builder.put(output, place);
    return place;
  });
  builder.loop(item, params.steps, () => {
    const before = sequences.map((part, k) => {
      const size = sizeOf(part.dims);
      const place = ctx.scratch(size, `part ${k}`);
      builder.put(part, place);
      return move(wholes[k]!, place, size, size);
    });
    for (const inner of body) lowerNode(inner, (value) => readers.has(value));
    const atEnd = stacked.flatMap((value, k): Move[] => {
      if (!value) return [];
      const size = sizeOf(value.dims);
      return [move(builder.placeOf(value), results[k]!, size, 0, size)];
    });
    const next = states.map(({ after: value }, k) => {
      const [from, size] = [builder.placeOf(value), sizeOf(value.dims)];
      // Another state under another shape: it is put aside before it is overwritten.
      if (!kept.some(({ buffer }, n) => n !== k && buffer === from.buffer)) return { from, size };
      const aside = ctx.scratch(size, `state ${k} put aside`);
      atEnd.push(move(from, aside, size));
      return { from: aside, size };
    });
    next.forEach(({ from, size }, k) => {
      if (from.buffer !== kept[k]!.buffer) atEnd.push(move(from, kept[k]!, size));
    });
    return { before, after: atEnd };
  });
}

/** Puts a part where it belongs, in the memory that the parts before it are in. */
export const placeResults: Lower<PlaceParams> = (ctx) => {
  const { dims } = ctx.input(1);
  const part = ctx.read(1);
  if (ctx.inputs[0]) ctx.alias(0, 0);
  const whole = ctx.inputs[0] ? ctx.read(0) : ctx.write();
  const strides = stridesOf(dims);
  const to = { place: after(whole, ctx.params.start), strides };
  ctx.copy(dims, { place: part, strides }, to);
  return true;
};
