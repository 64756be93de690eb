// Windows that slide along time: convolution and pooling. A window that reaches back only is exact when
// the frames before the chunk are carried; one that reaches ahead needs frames that are not there yet.
import { kernelExtent, type Sliding } from '../../../ops/window.ts';
import type { Dims } from '../../../ops/shapes.ts';
import { refuseMergedRows, requireOutermost } from './rules-cut.ts';
import {
  dimsOf,
  kindOf,
  NeedsMultiple,
  notByChunk,
  onlyFirst,
  NotByChunk,
  type Frames,
  type Tag,
  type TimeCall,
  type TimeRule,
} from './tag.ts';

/** One number for each axis of the input, from one for each sliding axis. */
const withBatch = (list: Dims): Dims => [0, 0, ...list];

/**
 * @param fill what stands for padding in front of the first chunk; undefined where nothing can
 */
function window(call: TimeCall, tag: Frames, fill: number | undefined): Tag {
  const { axis, tail } = tag;
  const k = axis - 2;
  const [one, two] = [call.a.params, call.b.params] as [Sliding, Sliding];
  const [extent, stride] = [kernelExtent(one.kernel[k]!, one.dilations[k]!), one.strides[k]!];
  const [before, after] = [one.before[k]!, one.after[k]!];
  if (before !== two.before[k] || after !== two.after[k]) {
    notByChunk('pads by the length of the sequence');
  }
  if (extent === 1 && stride === 1 && before + after === 0) return tag;
  refuseMergedRows(tag);
  const head = tag.head + before;
  const size = dimsOf(call, 0)[axis]! - tag.head - tail;
  const needs = (what: string): never => {
    throw new NotByChunk(what, tag.margins);
  };
  if (stride === 1) {
    if (head < extent - 1) {
      const missing = extent - 1 - head;
      needs(`reaches ${missing} frames ahead: only windows that end at their frame can be carried`);
    }
  } else {
    if (tail > 0 || head < extent - stride || head >= extent || head + after >= extent) {
      needs(`has windows of ${extent} frames by steps of ${stride} that do not end in their chunk`);
    }
    if (size % stride !== 0) throw new NeedsMultiple(stride);
  }
  if (before > 0) {
    if (fill === undefined) return notByChunk('counts padding in a way that cannot be carried');
    requireOutermost(call);
    call.carry({
      kind: 'frames',
      slot: 0,
      ...kindOf(call, 0),
      axis,
      frames: before,
      after: tag.head + tail,
      initial: fill,
      pads: { before: withBatch(one.before), after: withBatch(one.after) },
    });
  }
  const isPlain = stride > 1;
  return {
    ...tag,
    head: isPlain ? 0 : head - (extent - 1),
    tail: isPlain ? 0 : tail + after,
    uniform: false,
    margins: after > 0 && !isPlain ? [...tag.margins, call.a.path] : tag.margins,
  };
}

export const convRule: TimeRule = (call) => {
  const tag = onlyFirst(call);
  if (tag.axis === 1) notByChunk('sums over time as channels');
  return tag.axis === 0 ? tag : window(call, tag, 0);
};

export const poolRule: TimeRule = (call) => {
  const tag = onlyFirst(call);
  if (tag.axis < 2) return tag;
  if (call.a.node.outputs[1]) notByChunk('gives positions in the chunk');
  const { countPad } = call.a.params as { countPad?: boolean };
  if (call.a.node.op === 'MaxPool') return window(call, tag, -Infinity);
  // Without `count_include_pad` the first windows divide by fewer frames than the later ones.
  return window(call, tag, countPad ? 0 : undefined);
};

/** Each frame becomes `stride` frames; windows that overlap would need the frames to come. */
export const convTransposeRule: TimeRule = (call) => {
  const tag = onlyFirst(call);
  if (tag.axis === 1) notByChunk('sums over time as channels');
  if (tag.axis === 0) return tag;
  const k = tag.axis - 2;
  const { kernel, strides, dilations, before } = call.a.params as Sliding;
  const [size, out] = [dimsOf(call, 0)[tag.axis]!, call.a.outputs[0]!.dims[tag.axis]!];
  const extent = kernelExtent(kernel[k]!, dilations[k]!);
  if (extent === 1 && strides[k] === 1 && size === out) return tag;
  refuseMergedRows(tag);
  if (tag.head + tag.tail > 0 || extent > strides[k]! || before[k] !== 0) {
    notByChunk('adds windows of several frames up');
  }
  return out === size * strides[k]! ? tag : notByChunk('adds or leaves out frames at the end');
};
