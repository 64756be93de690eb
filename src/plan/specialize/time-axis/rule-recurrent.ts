// Recurrent layers: along time they go on from a state, along another axis they begin anew in each frame.
import { cellOf } from '../../../cells/index.ts';
import { initialStateSlot, RECURRENT_INPUTS, recurrentAttributes } from '../../../graph.ts';
import {
  framesAt,
  framesOf,
  LAST,
  notByChunk,
  type Frames,
  type Tag,
  type TimeCall,
} from './tag.ts';
import type { TimeRule } from './tag.ts';

const SLOT = { lengths: 4, mask: RECURRENT_INPUTS.indexOf('mask') };

/** Slots of the initial states. */
export function initialSlots({ a: { node } }: TimeCall): number[] {
  return cellOf(recurrentAttributes(node).cell).states.map((_, k) => initialStateSlot(k));
}

/** The numbers of rows' lengths say nothing of a chunk, unless they are its own length. */
function refuseFixedLengths(call: TimeCall, layout: number): void {
  const isWhole = [call.a, call.b].every(({ inputs }) => {
    const lengths = inputs[SLOT.lengths]?.host?.data;
    return lengths === undefined || lengths.every((length) => length === inputs[0]!.dims[layout]);
  });
  if (!isWhole) notByChunk('has fixed lengths of its rows');
}

function alongTime(call: TimeCall, tag: Frames): readonly Tag[] {
  const { node } = call.a;
  const { direction, layout, maskedOutput } = recurrentAttributes(node);
  if (direction !== 'forward') {
    notByChunk(`is ${direction} along time and needs the whole sequence`);
  }
  if (tag.head + tag.tail > 0) notByChunk('runs over frames that windows still need');
  refuseFixedLengths(call, layout);
  const mask = call.a.inputs[SLOT.mask];
  const [maskTag, lengths] = [framesOf(call, SLOT.mask), framesOf(call, SLOT.lengths)];
  if (lengths) notByChunk('has lengths that change along time');
  const isMasked = call.tags[SLOT.mask]?.kind === 'static' && mask!.dims[layout] !== 1;
  if (isMasked || (maskTag && maskTag.axis !== layout)) {
    notByChunk('has a mask that is the same for each chunk');
  }
  const slots = initialSlots(call);
  const own = slots.filter((slot) => call.tags[slot]?.kind !== 'begin');
  for (const slot of own) {
    const [value, begin] = [call.a.inputs[slot], call.tags[slot]];
    if (begin?.kind === 'frames') notByChunk('begins from frames');
    if (begin?.kind === 'last') notByChunk('begins from the end of the sequence');
    if (value && !value.host) {
      notByChunk(
        `begins each chunk from '${node.inputs[slot]}', which the caller gives: make the last state an ` +
          'output of the model and name the pair in `state`',
      );
    }
  }
  if (own.length > 0) {
    if (own.length < slots.length) notByChunk('has a state of which `state` names a part only');
    if (!call.isOutermost) notByChunk('is inside an If, a Loop or a Scan');
    const repeats = mask !== undefined && maskedOutput === 'repeat' && node.outputs[0] !== '';
    if (repeats && call.a.inputs[SLOT.lengths]) notByChunk('has a mask and lengths');
    call.carry({ kind: 'state', repeats });
  } else if (mask && maskedOutput === 'repeat' && node.outputs[0]) {
    notByChunk('repeats at masked steps an output of the chunk before');
  }
  return [framesAt(layout), ...slots.map(() => LAST)];
}

/** Each frame is a row of the batch: any direction is legal, and nothing is carried. */
function acrossTime(call: TimeCall, tag: Frames, layout: 0 | 1): readonly Tag[] {
  const rows = 1 - layout; // axis of the batch in X
  const stateAxis = layout === 0 ? 1 : 0;
  const expect = (slot: number, axis: number): void => {
    const [value, found] = [call.a.inputs[slot], call.tags[slot]];
    if (!value) return;
    const fits =
      found?.kind === 'frames' && found.axis === axis && found.outer === tag.outer
        ? found.uniform || (found.head === tag.head && found.tail === tag.tail)
        : false;
    if (!fits && (call.isCompared || value.dims[axis] !== 1)) {
      notByChunk('has states or lengths of its own for each frame of the chunk');
    }
  };
  for (const slot of initialSlots(call)) expect(slot, stateAxis);
  expect(SLOT.lengths, 0);
  expect(SLOT.mask, rows);
  const plain = { ...tag, uniform: false };
  const y = { ...plain, axis: layout === 0 ? 2 : 0 };
  return [y, ...initialSlots(call).map(() => ({ ...plain, axis: stateAxis }))];
}

/** How a layer stands to time. */
export type Relation = 'along' | 'across' | 'none' | 'lost';

/** How a recurrent layer stands to time. */
export function relationOf({ a, tags }: Pick<TimeCall, 'a' | 'tags'>): Relation {
  const [x] = tags;
  if (x?.kind === 'lost') return 'lost';
  if (x?.kind !== 'frames') return 'none';
  const { layout } = recurrentAttributes(a.node);
  if (x.axis === 1 - layout) return 'across';
  return x.axis === layout && x.outer === 1 ? 'along' : 'lost';
}

export const recurrentRule: TimeRule = (call) => {
  const { layout } = recurrentAttributes(call.a.node);
  const x = framesOf(call, 0);
  if ([1, 2, 3, 7, 9].some((slot) => framesOf(call, slot))) {
    notByChunk('has weights that change along time');
  }
  if (!x)
    return notByChunk('has a mask or a state that changes along time, and an input that does not');
  const relation = relationOf(call);
  if (relation === 'along') return alongTime(call, x);
  if (relation === 'across') return acrossTime(call, x, layout);
  return notByChunk('runs along an axis that holds time and something else');
};
