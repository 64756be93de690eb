// What is known of the sound at hand: its outline, and what the network says of it.
import { FloatList } from '../shared/float-list.ts';
import { mean, quantile } from '../../bench/statistics.ts';
import { FRAME_SECONDS, HOP, SAMPLE_RATE } from './framing.ts';
import { Segmenter } from './segments.ts';
import type { Segment } from './segments.ts';

const BAR = HOP / 4; // samples under one bar of the outline, 8 ms
const RECENT = 1000; // frames that the figures speak of, 32 s

/** Milliseconds a frame, and how many times faster than the sound itself that is. */
export interface Pace {
  readonly median: number;
  readonly p95: number;
  readonly speed: number;
}

/** The outline of the sound and its verdicts. Nothing here draws. */
export class Track {
  /** Seconds, lowest and highest sample of each bar. */
  readonly outline = { time: new FloatList(), low: new FloatList(), high: new FloatList() };
  /** Seconds at the start of each judged frame, and its probability. */
  readonly verdicts = { time: new FloatList(), probability: new FloatList() };
  readonly #times = new FloatList();
  #peak = 0;
  #segmenter: Segmenter;
  #rest = new Float32Array(0); // samples of a bar that is not full

  constructor(threshold: number) {
    this.#segmenter = new Segmenter(threshold);
  }

  /** Seconds of sound that the outline shows. */
  get seconds(): number {
    return (this.outline.time.length * BAR) / SAMPLE_RATE;
  }

  /** The loudest sample, without its sign. */
  get peak(): number {
    return this.#peak;
  }

  /** Frames that have been judged. */
  get judged(): number {
    return this.verdicts.time.length;
  }

  get speaking(): boolean {
    return this.#segmenter.speaking;
  }

  get segments(): readonly Segment[] {
    return this.#segmenter.segments;
  }

  /** Probability of the last frame; NaN before the first. */
  get probability(): number {
    return this.judged === 0 ? Number.NaN : this.verdicts.probability.view().at(-1)!;
  }

  get pace(): Pace {
    const times = this.#times.view(Math.max(0, this.#times.length - RECENT));
    return {
      median: quantile(times, 0.5),
      p95: quantile(times, 0.95),
      speed: (FRAME_SECONDS * 1000) / mean(times),
    };
  }

  /** The next samples of the sound, for its outline. */
  hear(samples: Float32Array): void {
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    const { time, low, high } = this.outline;
    let from = 0;
    for (; from + BAR <= all.length; from += BAR) {
      let min = all[from]!;
      let max = min;
      for (const sample of all.subarray(from, from + BAR)) {
        if (sample < min) min = sample;
        if (sample > max) max = sample;
      }
      time.push((time.length * BAR) / SAMPLE_RATE);
      low.push(min);
      high.push(max);
      this.#peak = Math.max(this.#peak, -min, max);
    }
    this.#rest = all.slice(from);
  }

  /** The next verdicts. */
  judge(probabilities: Float32Array, times: Float32Array): void {
    for (const value of probabilities) {
      this.verdicts.time.push(this.judged * FRAME_SECONDS);
      this.verdicts.probability.push(value);
      this.#segmenter.push(value);
    }
    this.#times.append(times);
  }

  /** Reads the verdicts again with another threshold. */
  setThreshold(threshold: number): void {
    this.#segmenter = new Segmenter(threshold);
    for (const value of this.verdicts.probability.view()) this.#segmenter.push(value);
  }

  /** Forgets the verdicts, and keeps the outline. */
  forget(threshold: number): void {
    this.verdicts.time.clear();
    this.verdicts.probability.clear();
    this.#times.clear();
    this.#segmenter = new Segmenter(threshold);
  }
}
