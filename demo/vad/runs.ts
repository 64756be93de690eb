// How sound reaches the detector: played, judged at once, or live. Each is a run: it goes on until its sound is over or it is stopped.
import type { Detector } from './detector.ts';
import { SAMPLE_RATE } from './framing.ts';
import { Microphone } from './microphone.ts';
import { Player } from './player.ts';

/** Sound on its way to the detector. */
export interface Run {
  readonly kind: 'play' | 'judge' | 'listen';
  /** Where the sound is, in seconds; undefined where nothing sounds. */
  readonly position: number | undefined;
  /** No more sound comes from it. */
  stop(): void;
}

/** Judges samples as they are heard. */
export function play(samples: Float32Array<ArrayBuffer>, detector: Detector): Run {
  const player = new Player(samples);
  let pushed = 0;
  const tick = (): void => {
    const heard = player.over ? samples.length : Math.floor(player.position * SAMPLE_RATE);
    if (heard > pushed) {
      detector.push(samples.subarray(pushed, heard));
      pushed = heard;
    }
    if (pushed < samples.length) return;
    clearInterval(timer);
    detector.end();
  };
  // A timer rather than animation frames: those stop while the tab is hidden, and the sound does not.
  const timer = setInterval(tick, 15);
  return {
    kind: 'play',
    get position() {
      return player.position;
    },
    stop: () => {
      clearInterval(timer);
      player.stop();
    },
  };
}

/** Judges samples as fast as they can be judged. */
export function judge(samples: Float32Array, detector: Detector): Run {
  detector.push(samples);
  detector.end();
  return { kind: 'judge', position: undefined, stop: () => undefined };
}

/** Judges the microphone. @throws SoundError */
export async function listen(
  detector: Detector,
  heard: (samples: Float32Array) => void,
  lost: () => void,
): Promise<Run & { readonly label: string }> {
  const microphone = await Microphone.open({
    samples: (samples) => {
      heard(samples);
      detector.push(samples);
    },
    lost,
  });
  return {
    kind: 'listen',
    position: undefined,
    label: microphone.label,
    stop: () => microphone.close(),
  };
}
