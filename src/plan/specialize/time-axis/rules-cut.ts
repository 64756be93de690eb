// Operators that add frames at the ends of a sequence, or cut some off: Pad, Concat and Slice.
import type { Dims } from '../../../ops/shapes.ts';
import {
  dimsOf,
  framesOf,
  kindOf,
  LAST,
  merged,
  notByChunk,
  onlyFirst,
  NeedsMultiple,
  type Frames,
  type TimeCall,
  type TimeRule,
} from './tag.ts';

/** Padding before and after each axis. */
export function padsOf({ params, inputs: [x], outputs: [y] }: TimeCall['a']): {
  readonly before: Dims;
  readonly after: Dims;
} {
  const { before } = params as { before: Dims };
  return { before, after: before.map((pad, k) => y!.dims[k]! - x!.dims[k]! - pad) };
}

/** Refuses frames of which a Reshape has put several rows on the axis. */
export function refuseMergedRows({ outer }: Frames): void {
  if (outer !== 1) notByChunk('works along an axis that holds time and rows of the batch');
}

/** What frames are called that a node may not be given a state for. */
export function requireOutermost(call: TimeCall): void {
  if (!call.isOutermost) notByChunk('needs frames of the chunk before, inside a branch or a loop');
}

/** Constant padding in front is the past of the first chunk; later chunks have frames there. */
export const padRule: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const { axis } = tag;
  const { mode } = call.a.params as { mode: string };
  const [pads, others] = [padsOf(call.a), padsOf(call.b)];
  const [before, after] = [pads.before[axis]!, pads.after[axis]!];
  if (before === 0 && after === 0 && others.before[axis] === 0 && others.after[axis] === 0) {
    return tag;
  }
  if (before !== others.before[axis] || after !== others.after[axis]) {
    notByChunk('pads by the length of the sequence');
  }
  refuseMergedRows(tag);
  if (mode !== 'constant') notByChunk(`pads time with its own frames (mode ${mode})`);
  if (before < 0 || after < 0) notByChunk('cuts frames off the ends of the sequence');
  const margins = [...tag.margins, call.a.path];
  if (before > 0) {
    const filling = call.a.inputs[2];
    const initial = filling ? filling.host?.data[0] : 0;
    if (initial === undefined) return notByChunk('pads time with a number that is not constant');
    requireOutermost(call);
    const end = tag.head + tag.tail;
    const kind = kindOf(call, 0);
    call.carry({
      kind: 'frames',
      slot: 0,
      ...kind,
      axis,
      frames: before,
      after: end,
      initial,
      pads,
    });
  }
  return { ...tag, head: tag.head + before, tail: tag.tail + after, uniform: false, margins };
};

/** Frames put together along another axis, or something put in front of them. */
export const concatRule: TimeRule = (call) => {
  const { axis } = call.a.params as { axis: number };
  const slots = [...call.tags.keys()];
  const tag = merged(slots.flatMap((slot) => framesOf(call, slot) ?? []));
  const others = slots.filter((slot) => call.tags[slot]?.kind !== 'frames');
  if (axis !== tag.axis) {
    if (others.some((slot) => dimsOf(call, slot)[tag.axis] !== 1 || call.isCompared)) {
      notByChunk('has parameters of its own for each frame of the chunk');
    }
    return tag;
  }
  const [slot, ...more] = slots.filter((k) => call.tags[k]?.kind === 'frames');
  if (more.length > 0) return notByChunk('puts sequences one after the other');
  refuseMergedRows(tag);
  const length = (list: readonly number[]): number =>
    list.reduce((sum, k) => sum + dimsOf(call, k)[axis]!, 0);
  const before = others.filter((k) => k < slot!);
  const [head, tail] = [length(before), length(others.filter((k) => k > slot!))];
  const margins = [...tag.margins, call.a.path];
  // What the caller carries as a state is at the start of each chunk what was at the end of the last.
  if (before.some((k) => call.tags[k]?.kind !== 'begin')) {
    const initial = call.a.inputs[before[0]!]?.host;
    if (before.length > 1 || !initial) notByChunk('puts frames in front that are not constant');
    requireOutermost(call);
    call.carry({
      kind: 'frames',
      slot: slot!,
      ...kindOf(call, slot!),
      axis,
      frames: head,
      after: tag.head + tag.tail,
      initial: { slot: before[0]! },
    });
  }
  return { ...tag, head: tag.head + head, tail: tag.tail + tail, uniform: false, margins };
};

/** Cuts off what padding and windows have added; all else that is cut at fixed places is not local. */
export const sliceRule: TimeRule = (call) => {
  const tag = onlyFirst(call);
  const { axis } = tag;
  const [one, two] = [call.a, call.b].map(({ params, inputs: [x], outputs: [y] }) => {
    const { starts, steps } = params as { starts: Dims; steps: Dims };
    const [size, count, start, step] = [
      x!.dims[axis]!,
      y!.dims[axis]!,
      starts[axis]!,
      steps[axis]!,
    ];
    return { size, count, start, step, end: size - (start + (count - 1) * step + 1) };
  }) as [SliceAt, SliceAt];
  const { size, count, start, step, end } = one;
  if (count === size && step === 1 && two.count === two.size) return tag;
  if (step < 0) notByChunk('reads the sequence backwards');
  refuseMergedRows(tag);
  // The last frames of what there is so far.
  const isEnd = end === 0 && two.end === 0 && step === 1;
  if (isEnd && (call.isCompared ? count === two.count : start > tag.head)) {
    if (tag.tail > 0 || count > tag.head + 1) {
      notByChunk(`takes the last ${count} frames, of which some may be in another chunk`);
    }
    return LAST;
  }
  if (step > 1) {
    if (start !== 0 || two.start !== 0 || tag.head + tag.tail > 0) {
      notByChunk('takes every n-th frame from the middle of a chunk');
    }
    if (size % step !== 0) throw new NeedsMultiple(step);
    return tag;
  }
  if (start !== two.start || end !== two.end) notByChunk('cuts the sequence at fixed places');
  if (start > tag.head) notByChunk('leaves out the first frames of the sequence');
  if (end > tag.tail) notByChunk('leaves out the last frames of the sequence');
  return { ...tag, head: tag.head - start, tail: tag.tail - end };
};

interface SliceAt {
  readonly size: number;
  readonly count: number;
  readonly start: number;
  readonly step: number;
  /** Elements after the last one that is taken. */
  readonly end: number;
}
