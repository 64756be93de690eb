// What follows a late block: a pause, silence of the model while it finds its way, and longer pauses where that does not help.
import { expect, test } from 'vitest';
import { Starvation } from '../../src/audio/starvation.ts';

const OPTIONS = { pause: 2, maxPause: 8, warm: 3 };

/** Modes of frames, one letter each, where `late` says which of the frames that a model computes are late; and the events. */
function course(frames: number, late: (frame: number) => boolean) {
  const starvation = new Starvation(OPTIONS);
  let [modes, restarts] = ['', ''];
  const events: string[] = [];
  for (let frame = 0; frame < frames; frame++) {
    const { mode } = starvation;
    modes += mode[0];
    if (mode === 'bypass') restarts += starvation.bypassed() ? '!' : '.';
    else {
      const verdict = starvation.computed(late(frame));
      if (verdict) events.push(`${frame} ${verdict} ${starvation.pause}`);
    }
  }
  return { modes, restarts, events };
}

test.each([
  {
    what: 'nothing is late',
    late: [],
    modes: 'rrrrrrrrrrrrrrrrrrrr',
    restarts: '',
    events: [],
  },
  {
    what: 'one frame is late',
    late: [1],
    modes: 'rrbbwwwrrrrrrrrrrrrr',
    restarts: '.!',
    events: ['1 starved 2', '6 recovered 2'],
  },
  {
    what: 'another is late soon after, and once more before the model is heard again',
    late: [1, 7, 13],
    modes: 'rrbbwwwrbbbbwwbbbbbb',
    restarts: '.!...!......',
    events: ['1 starved 2', '6 recovered 2', '7 starved 4', '13 starved 8'],
  },
  {
    what: 'another is late after a long while',
    late: [1, 13],
    modes: 'rrbbwwwrrrrrrrbbwwwr',
    restarts: '.!.!',
    events: ['1 starved 2', '6 recovered 2', '13 starved 2', '18 recovered 2'],
  },
])('$what', ({ late, modes, restarts, events }) => {
  expect(course(20, (frame) => (late as number[]).includes(frame))).toEqual({
    modes,
    restarts,
    events,
  });
});

test('a model that never keeps up is tried again after pauses that grow to a maximum', () => {
  const { events } = course(60, () => true);
  expect(events.map((event) => event.split(' ')[2]).slice(0, 5)).toEqual(['2', '4', '8', '8', '8']);
});
