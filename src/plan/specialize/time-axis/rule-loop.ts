// Loops that go along time: like recurrent layers they go on from their states.
import type { LoopParams } from '../loops/types.ts';
import type { Relation } from './rule-recurrent.ts';
import {
  framesAt,
  framesOf,
  LAST,
  notByChunk,
  type Tag,
  type TimeCall,
  type TimeRule,
} from './tag.ts';

/** Refuses sequences whose parts are not the frames of a chunk. */
function checkSequences(call: TimeCall, first: number, end: number): void {
  for (let slot = first; slot < end; slot++) {
    const tag = framesOf(call, slot);
    if (!tag) notByChunk('goes along something that is the same for each chunk');
    if (tag.axis !== 0 || tag.outer !== 1) {
      notByChunk('does not go along time, but has time in each of its parts');
    }
    if (tag.head + tag.tail > 0) notByChunk('runs over frames that windows still need');
  }
  for (let slot = end; slot < call.tags.length; slot++) {
    if (framesOf(call, slot)) notByChunk('reads in each iteration the frames of a whole chunk');
  }
}

/** Whether the states begin with constants, and are to be carried; false where the caller carries them. */
function isCarried(call: TimeCall, count: number): boolean {
  const slots = Array.from({ length: count }, (_, k) => k);
  const own = slots.filter((slot) => call.tags[slot]?.kind !== 'begin');
  if (own.length === 0) return false;
  if (own.length < count) notByChunk('has states of which `state` names a part only');
  for (const slot of own) {
    if (framesOf(call, slot)) notByChunk('begins from frames');
    if (!call.a.inputs[slot]!.host) {
      notByChunk(
        'begins each chunk from a value that the caller gives: make the last one an output of the model and ' +
          'name the pair in `state`',
      );
    }
  }
  if (!call.isOutermost) notByChunk('is inside an If or a Loop');
  return true;
}

/** How a loop stands to time. */
export function loopRelation(call: TimeCall): Relation {
  const { states, sequences } = call.a.params as LoopParams;
  const tags = sequences.map((_, k) => framesOf(call, states.length + k));
  if (states.length === 0 || tags.every((tag) => tag === undefined)) return 'none';
  return tags.every((tag) => tag?.axis === 0 && tag.outer === 1) ? 'along' : 'lost';
}

export const loopRule: TimeRule = (call) => {
  const { node, params } = call.a;
  const { states, sequences } = params as LoopParams;
  checkSequences(call, states.length, states.length + sequences.length);
  if (isCarried(call, states.length)) {
    call.carry({
      kind: 'loop',
      slot: node.op === 'Loop' ? 2 : 0,
      states: states.map(({ before: { type, dims } }) => ({ type, rank: dims.length })),
    });
  }
  return call.a.outputs.map((_, slot): Tag => (slot < states.length ? LAST : framesAt(0)));
};
