// What lies between an audio graph and a model, as properties: however sound is cut, the output is what comes of the whole
// sound at once, delayed by the declared latency.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockTimes } from '../../src/audio/block-times.ts';
import { RealFft } from '../../src/audio/fft.ts';
import { FrameAdapter } from '../../src/audio/frame-adapter.ts';
import { PASSBAND, Resampler } from '../../src/audio/resampler.ts';
import { SampleRing } from '../../src/audio/ring.ts';
import { Stft, type WindowName } from '../../src/audio/stft.ts';
import { expectForAll } from '../support/property.ts';
import { randomOf } from '../support/random.ts';
import { casesOf } from '../support/settings.ts';

const noise = (count: number, seed = 1): Float32Array => randomOf(seed).floats(count, 1);

/** Cuts `total` into blocks of these lengths, again and again. */
function* cuts(total: number, lengths: readonly number[]): Generator<[number, number]> {
  for (let [from, i] = [0, 0]; from < total; i++) {
    const to = Math.min(total, from + lengths[i % lengths.length]!);
    yield [from, to];
    from = to;
  }
}

function worst(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let max = 0;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i]! - want[i]!);
    if (!(difference <= max)) max = difference; // NaN wins
  }
  return max;
}

describe('a ring', () => {
  test('gives what was pushed, in order', () => {
    const ring = new SampleRing(7);
    ring.push(Float32Array.of(1, 2, 3, 4, 5));
    const three = new Float32Array(3);
    ring.pull(three);
    ring.push(Float32Array.of(6, 7, 8));
    ring.pushSilence(1);
    expect([...three, ring.size]).toEqual([1, 2, 3, 6]);
    const six = new Float32Array(6);
    ring.pull(six);
    expect([...six]).toEqual([4, 5, 6, 7, 8, 0]);
    expect(() => ring.pull(three)).toThrow('at most 0');
    expect(() => ring.push(new Float32Array(8))).toThrow('at most 7');
  });
});

const RATES = [8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000];
const rate = fc.constantFrom(...RATES);
const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 });

describe('a resampler', () => {
  const all = (from: number, to: number, input: Float32Array, blocks: readonly number[]) => {
    const resampler = new Resampler(from, to, Math.max(...blocks));
    const parts: number[] = [];
    for (const [a, b] of cuts(input.length, blocks))
      parts.push(...resampler.push(input.subarray(a, b)));
    return { output: Float32Array.from(parts), delay: resampler.delay };
  };

  test('does not depend on how sound is cut', () =>
    expectForAll(
      fc.record({ from: rate, to: rate, lengths }),
      casesOf(20, 300),
      ({ from, to, lengths: blocks }) => {
        const input = noise(1000);
        const { output } = all(from, to, input, blocks);
        expect(output).toEqual(all(from, to, input, [1000]).output);
        expect(output.length).toBe(Math.ceil((1000 * to) / from));
      },
    ));

  test('keeps tones below its band edge, delayed by what it declares, within 1e-3', () =>
    expectForAll(
      fc.record({ from: rate, to: rate, part: fc.double({ min: 0, max: 1, noNaN: true }) }),
      casesOf(20, 300),
      ({ from, to, part }) => {
        const hertz = part * PASSBAND * 0.5 * Math.min(from, to);
        const tone = (seconds: number): number => Math.sin(2 * Math.PI * hertz * seconds + 0.3);
        const count = Math.ceil(from / 20);
        const input = Float32Array.from({ length: count }, (_, i) => tone(i / from));
        const { output, delay } = all(from, to, input, [128]);
        const first = Math.ceil((2 * delay * to) / from);
        expect(output.length).toBeGreaterThan(first + 10);
        const want = Array.from(output, (_, m) => tone(m / to - delay / from));
        // 80 dB is 1e-4 of each side of the transition; the sum of a filter is rounded besides.
        expect(worst(output.slice(first), want.slice(first))).toBeLessThan(1e-3);
      },
    ));

  test('damps what the lower rate cannot hold by 60 dB at least', () =>
    expectForAll(
      fc.record({ from: rate, to: rate, part: fc.double({ min: 0, max: 0.98, noNaN: true }) }),
      casesOf(10, 100),
      ({ from, to, part }) => {
        fc.pre(to < from);
        const hertz = to / 2 + part * (from / 2 - to / 2);
        const input = Float32Array.from({ length: Math.ceil(from / 20) }, (_, i) =>
          Math.sin((2 * Math.PI * hertz * i) / from + 0.3),
        );
        const { output, delay } = all(from, to, input, [128]);
        const steady = output.slice(Math.ceil((2 * delay * to) / from));
        expect(worst(steady, new Float32Array(steady.length))).toBeLessThan(1e-3);
      },
    ));

  test('equals the sum over a windowed sinc, written down in float64', () => {
    const [from, to] = [44100, 16000];
    const input = noise(1500);
    const { output, delay } = all(from, to, input, [128]);
    // I0(x), by the trapezoidal rule on its integral, which is exact for periodic functions.
    const steps = Array.from({ length: 64 }, (_, j) => Math.cos((2 * Math.PI * j) / 64));
    const i0 = (x: number) => steps.reduce((sum, step) => sum + Math.exp(x * step), 0) / 64;
    const cutoff = ((1 + PASSBAND) / 2) * (to / from);
    const weight = (u: number): number =>
      Math.abs(u) >= delay
        ? 0
        : (Math.sin(Math.PI * cutoff * u) / (Math.PI * u || 1) || cutoff) *
          (i0(0.1102 * (80 - 8.7) * Math.sqrt(1 - (u / delay) ** 2)) / i0(0.1102 * (80 - 8.7)));
    const want = Array.from(output, (_, m) =>
      input.reduce((sum, x, k) => sum + x * weight((m * from) / to - delay - k), 0),
    );
    // A filter has a sum of 1 in the code, of 1 within its ripple of 1e-4 here.
    expect(worst(output, want)).toBeLessThan(2e-4);
    expect(Math.max(...output.map(Math.abs))).toBeGreaterThan(0.2);
  });

  test('refuses rates whose ratio has no short form', () => {
    expect(() => new Resampler(44101, 47999, 128)).toThrow('44101 / 47999');
  });
});

describe('the transform', () => {
  const sizes = fc.constantFrom(2, 4, 6, 10, 12, 30, 64, 100, 320, 480, 512, 960);

  test('equals the sum that defines it, and its inverse gives the numbers back', () =>
    expectForAll(sizes, casesOf(12, 60), (size) => {
      const x = noise(size);
      const bins = size / 2 + 1;
      const [re, im] = [new Float32Array(bins), new Float32Array(bins)];
      const fft = new RealFft(size);
      fft.forward(x, re, im);
      const term = (k: number, part: (angle: number) => number): number =>
        x.reduce((sum, value, j) => sum + value * part((-2 * Math.PI * j * k) / size), 0);
      const of = (part: (angle: number) => number): number[] =>
        Array.from({ length: bins }, (_, k) => term(k, part));
      // float32 results of sums of up to 960 numbers below 1
      expect(worst(re, of(Math.cos))).toBeLessThan(1e-5);
      expect(worst(im, of(Math.sin))).toBeLessThan(1e-5);
      const back = new Float64Array(size);
      fft.inverse(re, im, back);
      expect(worst(back, x)).toBeLessThan(1e-6);
    }));

  test.each([1, 3, 14, 22, 0, 2.5])('refuses a size of %f', (size) => {
    expect(() => new RealFft(size)).toThrow('prime factors');
  });
});

describe('spectra of a stream', () => {
  const options = fc
    .record({
      size: fc.constantFrom(64, 120, 320, 512),
      parts: fc.constantFrom(2, 4),
      window: fc.constantFrom<WindowName>('hann', 'sqrt-hann', 'hamming', 'vorbis', 'rectangular'),
    })
    .map(({ size, parts, window }) => ({ size, window, hop: size / parts }));

  test('come back as the samples, delayed by the latency, for every window', () =>
    expectForAll(options, casesOf(20, 100), ({ size, window, hop }) => {
      const stft = new Stft({ size, window }, hop);
      const input = noise(hop * 12);
      const output = new Float32Array(input.length);
      for (let from = 0; from < input.length; from += hop) {
        stft.analyse(input.subarray(from, from + hop));
        stft.synthesise(output.subarray(from, from + hop));
      }
      const { latency } = stft;
      expect(latency).toBe(size - hop);
      expect(
        worst(output.subarray(latency), input.subarray(0, input.length - latency)),
      ).toBeLessThan(2e-6);
    }));

  test('are those of the windowed samples, unscaled', () => {
    const stft = new Stft({ size: 8, window: 'hann' }, 4);
    stft.analyse(Float32Array.of(1, 2, 3, 4));
    stft.analyse(Float32Array.of(5, 6, 7, 8));
    const windowed = Array.from(
      { length: 8 },
      (_, k) => (k + 1) * Math.sin((Math.PI * k) / 8) ** 2,
    );
    const sum = windowed.reduce((a, b) => a + b);
    expect(stft.re[0]).toBeCloseTo(sum, 5);
    expect(stft.re[4]).toBeCloseTo(
      windowed.reduce((a, b, k) => a + (k % 2 ? -b : b), 0),
      5,
    );
  });

  test('need windows without a gap', () => {
    expect(() => new Stft({ size: 512, window: 'hann' }, 512)).toThrow('expected no gap');
    expect(() => new Stft({ size: 64, window: new Float32Array(3) }, 32)).toThrow(
      '64 finite numbers',
    );
    expect(() => new Stft({ size: 64, window: 'nuttall' as WindowName }, 32)).toThrow("'nuttall'");
    expect(() => new Stft({ size: 64 }, 65)).toThrow('at least the hop');
  });
});

describe('a frame adapter', () => {
  /** Runs sound through an adapter in blocks whose lengths are multiples of `block`. */
  function through(
    {
      blockRate,
      frameRate,
      hop,
      block,
    }: { blockRate: number; frameRate: number; hop: number; block: number },
    input: Float32Array,
    multiples: readonly number[],
    compute: (frame: Float32Array) => void,
  ) {
    const maxBlock = block * Math.max(...multiples);
    const adapter = new FrameAdapter({ blockRate, frameRate, hop, block, maxBlock }, compute);
    const output = new Float32Array(input.length);
    for (const [a, b] of cuts(
      input.length,
      multiples.map((times) => times * block),
    ))
      adapter.process(input.subarray(a, b), output.subarray(a, b));
    return { output, latency: adapter.latency };
  }

  const shape = fc.record({
    hop: fc.integer({ min: 1, max: 700 }),
    block: fc.constantFrom(1, 64, 128, 441),
    multiples: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }),
  });

  test('gives the frames of the whole sound, delayed by the latency, which is the least', () =>
    expectForAll(shape, casesOf(30, 500), ({ hop, block, multiples }) => {
      const rates = { blockRate: 16000, frameRate: 16000 };
      const input = noise(Math.ceil(3000 / block) * block);
      // Computed from the whole frame, so that another cut gives other numbers.
      const reverse = (frame: Float32Array): void => frame.set(frame.toReversed());
      const { output, latency } = through({ ...rates, hop, block }, input, multiples, reverse);
      const whole = new Float32Array(input.length);
      for (let from = 0; from + hop <= whole.length; from += hop) {
        whole.set(input.slice(from, from + hop).toReversed(), from);
      }
      const known = Math.max(0, Math.floor(input.length / hop) * hop);
      const count = Math.min(known, input.length - latency);
      expect(output.slice(latency, latency + count)).toEqual(whole.slice(0, count));
      expect(output.slice(0, latency).every((sample) => sample === 0)).toBe(true);
      const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
      expect(latency).toBe(hop - gcd(hop, block));
    }));

  test('frames at another rate do not depend on how sound is cut', () =>
    expectForAll(
      fc.tuple(shape, rate, rate),
      casesOf(15, 200),
      ([{ hop, block, multiples }, blockRate, frameRate]) => {
        const input = noise(Math.ceil(2000 / block) * block);
        const reverse = (frame: Float32Array): void => frame.set(frame.toReversed());
        const how = { blockRate, frameRate, hop, block };
        const { output } = through(how, input, multiples, reverse);
        expect(output).toEqual(through(how, input, [1], reverse).output);
      },
    ));

  test('a tone comes back at another rate, delayed by the latency', () =>
    expectForAll(
      fc.tuple(shape, rate, rate),
      casesOf(15, 200),
      ([{ hop, block, multiples }, blockRate, frameRate]) => {
        const hertz = 0.4 * 0.5 * Math.min(blockRate, frameRate);
        const tone = (i: number): number => Math.sin((2 * Math.PI * hertz * i) / blockRate);
        const count =
          Math.ceil((4 * (hop + 70) * Math.max(blockRate / frameRate, 1) + 500) / block) * block;
        const input = Float32Array.from({ length: count }, (_, i) => tone(i));
        const how = { blockRate, frameRate, hop, block };
        const { output, latency } = through(how, input, multiples, () => undefined);
        const first = Math.ceil(2 * latency - hop * (blockRate / frameRate)) + 2;
        const want = Array.from(output, (_, i) => tone(i - latency));
        const steady = Math.max(Math.ceil(latency) + 2, first);
        expect(output.length - steady).toBeGreaterThan(50);
        expect(worst(output.slice(steady), want.slice(steady))).toBeLessThan(2e-3);
      },
    ));
});

describe('times of blocks', () => {
  test('mean, quantiles and misses', () => {
    const times = new BlockTimes(0, 50);
    for (let k = 1; k <= 100; k++) expect(times.add(k)).toBe(k >= 50);
    expect(times.statistics()).toEqual({
      blocks: 100,
      misses: 51,
      mean: 50.5,
      p50: 50,
      p99: 99,
      max: 100,
      resolution: 0,
      deadline: 50,
    });
  });

  test('a clock of whole milliseconds reports no miss that may be none', () => {
    const times = new BlockTimes(1, 4);
    expect([3, 4, 5].map((elapsed) => times.add(elapsed))).toEqual([false, false, true]);
    expect(times.add(-7)).toBe(false); // the clock was set back
    expect(times.statistics().max).toBe(5);
  });

  test('quantiles are of the latest 1024, the mean is of all', () => {
    const times = new BlockTimes(0, Infinity);
    for (let k = 0; k < 1024; k++) times.add(9);
    for (let k = 0; k < 1024; k++) times.add(1);
    const { mean, p50, p99, max } = times.statistics();
    expect([mean, p50, p99, max]).toEqual([5, 1, 1, 9]);
    expect(new BlockTimes(1, 5).statistics()).toMatchObject({ blocks: 0, mean: 0, p50: 0 });
  });
});
