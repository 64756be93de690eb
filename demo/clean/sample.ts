// The built-in sample: voices of the recording of the voice page, and noise that is computed here.
import { heard } from '../assets/speech.json';

/** Samples a second of the sample. */
export const RATE = 16_000;
const PAUSE = 0.5; // seconds around each voice

/** The noises that the page offers. */
export type NoiseName = 'fan' | 'voices' | 'keys' | 'hiss';

/** Samples of one channel. */
export type Samples = Float32Array<ArrayBuffer>;

/** Uniform in -1 … 1, the same sequence for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

const overlaps = (a: (typeof heard)[number], b: (typeof heard)[number]): boolean =>
  a !== b && a.start < b.end && b.start < a.end;

/** The passages of the recording in which nothing but a voice is heard, one after the other. */
export function voicesOf(recording: Samples): Samples {
  const alone = heard.filter((a) => a.speech && !heard.some((b) => overlaps(a, b)));
  const parts = alone.map(({ start, end }) =>
    recording.subarray(Math.round(start * RATE), Math.round(end * RATE)),
  );
  const pause = PAUSE * RATE;
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length + pause, pause));
  let at = pause;
  for (const part of parts) {
    all.set(part, at);
    at += part.length + pause;
  }
  return all;
}

/** Noise with its treble taken away, and the hum of a motor. */
function fan(length: number): Samples {
  const random = randomFrom(1);
  let low = 0;
  return Float32Array.from({ length }, (_, i) => {
    low += 0.2 * (random() - low);
    const angle = (2 * Math.PI * 117 * i) / RATE;
    return low + 0.1 * Math.sin(angle) + 0.06 * Math.sin(2 * angle) + 0.04 * Math.sin(5 * angle);
  });
}

/** Six voices at once, backwards, so that nobody is understood. */
function voices(length: number, clean: Samples): Samples {
  const all = new Float32Array(length);
  for (let k = 0; k < 6; k++) {
    const shift = Math.round(((k + 0.37) * length) / 6);
    for (let i = 0; i < length; i++) all[i]! += clean[(2 * length - i + shift) % length]!;
  }
  return all;
}

/** Keys that are struck: short bursts, each in a resonance of its own. */
function keys(length: number): Samples {
  const random = randomFrom(2);
  const all = Float32Array.from({ length }, () => 0.004 * random());
  for (let at = 0.1 * RATE; at < length; at += Math.round((0.16 + 0.08 * random()) * RATE)) {
    const pitch = 2600 + 900 * random();
    for (let i = 0; i < 0.03 * RATE && at + i < length; i++) {
      const decay = Math.exp(-i / (0.004 * RATE));
      all[at + i]! += decay * (0.6 * random() + 0.4 * Math.sin((2 * Math.PI * pitch * i) / RATE));
    }
  }
  return all;
}

/** White noise. */
function hiss(length: number): Samples {
  const random = randomFrom(3);
  return Float32Array.from({ length }, () => random());
}

const NOISES: Readonly<Record<NoiseName, (length: number, clean: Samples) => Samples>> = {
  fan,
  voices,
  keys,
  hiss,
};

const energyOf = (samples: Samples): number => samples.reduce((sum, x) => sum + x * x, 0);

/** Adds noise at a ratio of energies in dB. */
export function noisy(clean: Samples, noise: NoiseName, ratio: number): Samples {
  const added = NOISES[noise](clean.length, clean);
  const gain = Math.sqrt(energyOf(clean) / energyOf(added)) * 10 ** (-ratio / 20);
  const mixed = clean.map((x, i) => x + gain * added[i]!);
  const peak = mixed.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  return peak < 0.95 ? mixed : mixed.map((x) => (0.95 * x) / peak);
}

/** Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019, https://arxiv.org/abs/1811.02508). */
export function siSdr(estimate: Samples, clean: Samples): number {
  let [both, wanted] = [0, 0];
  clean.forEach((x, i) => {
    both += x * estimate[i]!;
    wanted += x * x;
  });
  const scale = both / wanted;
  const error = clean.reduce((sum, x, i) => sum + (estimate[i]! - scale * x) ** 2, 0);
  return 10 * Math.log10((scale * scale * wanted) / error);
}
