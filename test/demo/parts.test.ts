// The parts of the voice page that need no browser.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FloatList } from '../../demo/shared/float-list.ts';
import { CONTEXT, Framer, HOP } from '../../demo/vad/framing.ts';
import {
  isSoftware,
  noticeOf,
  noticeOfLoss,
  noticeOfPlacement,
  noticeOfRecovery,
} from '../../demo/vad/problems.ts';
import { Resampler } from '../../demo/vad/resampler.ts';
import { Segmenter } from '../../demo/vad/segments.ts';

const ramp = (length: number) => Float32Array.from({ length }, (_, i) => i + 1);

describe('framing', () => {
  test('frames do not depend on how the samples are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 12 }), (lengths) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const samples = ramp(total);
        const framer = new Framer();
        const frames: Float32Array[] = [];
        const take = (): void => {
          for (let frame = framer.next(); frame; frame = framer.next()) frames.push(frame.slice());
        };
        let from = 0;
        for (const length of lengths) {
          framer.push(samples.subarray(from, (from += length)));
          take();
        }
        framer.end();
        take();
        expect(frames.length).toBe(Math.ceil(total / HOP));
        frames.forEach((frame, k) => {
          const want = Array.from({ length: CONTEXT + HOP }, (_, i) => {
            const at = k * HOP - CONTEXT + i;
            return at >= 0 && at < total ? samples[at]! : 0;
          });
          expect([...frame]).toEqual(want);
        });
      }),
      { numRuns: 50 },
    );
  });

  test('nothing of the last sound is left after clear', () => {
    const framer = new Framer();
    framer.push(ramp(1000));
    framer.next();
    framer.clear();
    framer.push(new Float32Array(HOP));
    expect(framer.next()!.every((sample) => sample === 0)).toBe(true);
    expect(framer.next()).toBeUndefined();
  });
});

describe('segments', () => {
  /** `s` is speech, `.` silence, `?` between the two thresholds. */
  const segmentsOf = (frames: string, threshold = 0.5) => {
    const segmenter = new Segmenter(threshold);
    for (const frame of frames) segmenter.push(frame === 's' ? 0.9 : frame === '?' ? 0.4 : 0.1);
    return segmenter.segments.map(({ start, end }) => [start / 0.032, end / 0.032]);
  };

  test.each([
    ['silence', '....................', []],
    ['a passage ends where silence began', '...ssssssssss...........', [[3, 13]]],
    ['a short pause does not end it', '..ssssssss....ssssssss.........', [[2, 22]]],
    [
      'a long pause does',
      '..ssssssss........ssssssss.........',
      [
        [2, 10],
        [18, 26],
      ],
    ],
    ['a click is no passage', '....sss.............', []],
    [
      'a doubtful frame neither begins nor ends one',
      '??ssssssss????????????ss...........',
      [[2, 24]],
    ],
    ['speech that goes on is shown', '..ssssssssss', [[2, 12]]],
  ])('%s', (_, frames, want) => {
    const found = segmentsOf(frames).map((pair) => pair.map((x) => Math.round(x)));
    expect(found).toEqual(want);
  });

  test('speaking holds on through a short pause only', () => {
    const segmenter = new Segmenter(0.5);
    const push = (probability: number, times: number) => {
      for (let i = 0; i < times; i++) segmenter.push(probability);
      return segmenter.speaking;
    };
    expect(push(0.1, 5)).toBe(false);
    expect(push(0.9, 1)).toBe(true);
    expect(push(0.1, 7)).toBe(true);
    expect(push(0.1, 1)).toBe(false);
  });
});

describe('resampler', () => {
  const tone = (pitch: number, rate: number, seconds: number) =>
    Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) =>
      Math.sin((2 * Math.PI * pitch * i) / rate),
    );
  const convert = (from: number, sound: Float32Array): number[] => {
    const resampler = new Resampler(from, 16_000);
    const result: number[] = [];
    for (let i = 0; i < sound.length; i += 128) {
      result.push(...resampler.push(sound.subarray(i, i + 128)));
    }
    return result;
  };

  // 0.005 is -46 dB, far below what a network trained on microphones could hear.
  test.each([
    [48_000, 440],
    [44_100, 1000],
    [48_000, 4000],
    [96_000, 3000],
  ])('from %i Hz a tone of %i Hz stays what it is', (rate, pitch) => {
    const got = convert(rate, tone(pitch, rate, 0.5));
    const want = tone(pitch, 16_000, 0.5);
    expect(got.length).toBeGreaterThan(want.length - 40); // it lags by its reach
    for (let i = 200; i < got.length; i++) expect(got[i]).toBeCloseTo(want[i]!, 2);
  });

  test('what is too high for 16 kHz does not come back as a lower tone', () => {
    const got = convert(48_000, tone(12_000, 48_000, 0.5)).slice(200);
    expect(Math.max(...got.map(Math.abs))).toBeLessThan(0.002);
  });
});

describe('lists', () => {
  test('a list keeps every number as it grows', () => {
    const list = new FloatList();
    for (let i = 0; i < 5000; i++) list.push(i);
    list.append(ramp(3000));
    expect(list.length).toBe(8000);
    expect(list.view(4999)[0]).toBe(4999);
    expect(list.view().at(-1)).toBe(3000);
    list.clear();
    expect(list.view().length).toBe(0);
  });
});

describe('messages', () => {
  test('a failure shows its code and path, and what to do next', () => {
    const failure = { code: 'DEVICE_LOST', path: 'device', message: 'device: it was lost' };
    const { title, next, detail, reload } = noticeOf(failure);
    expect(detail).toBe('DEVICE_LOST · device · it was lost');
    expect([title, next].every((text) => text.length > 10)).toBe(true);
    expect(reload).toBe(true);
  });

  test('a GPU that goes away and comes back: both keep the words of the loss', () => {
    const failure = { code: 'DEVICE_LOST', path: 'device', message: 'it crashed' };
    const { tone, detail, reload } = noticeOfLoss(failure);
    expect([tone, detail, reload]).toEqual([
      'warning',
      'DEVICE_LOST · device · it crashed',
      undefined,
    ]);
    expect(noticeOfRecovery(detail)).toMatchObject({ tone: 'good', detail });
  });

  test('a failure that nobody foresaw is shown too', () => {
    const { tone, next, detail } = noticeOf({ code: 'TypeError', path: '', message: 'oh' });
    expect([tone, detail]).toEqual(['error', 'TypeError · oh']);
    expect(next).toMatch(/Load again/);
  });

  test('a GPU that fails is named, for the CPU then computes', () => {
    const gaveUp = { code: 'OUT_OF_MEMORY', path: 'device', message: 'device: 2 GiB' };
    const placement = { backend: 'reference', adapter: 'CPU', reason: 'asked for', startMs: 1 };
    const notice = noticeOfPlacement({ ...placement, gaveUp });
    expect(notice.title).toMatch(/CPU computes/);
    expect(notice.detail).toBe('OUT_OF_MEMORY · device · 2 GiB');
  });

  test('a CPU that was chosen is told with both figures', () => {
    const reason = 'wasm: 0.3 ms predicted against webgpu 0.9 ms';
    const adapter = 'WebAssembly simd128';
    const notice = noticeOfPlacement({ backend: 'wasm', adapter, reason, startMs: 1 });
    expect(notice.tone).toBe('good');
    expect(notice.next).toContain(reason);
  });

  test('software adapters are told from GPUs', () => {
    const software = [
      'google swiftshader',
      'mesa software llvmpipe',
      'Microsoft Basic Render Driver',
    ];
    expect(software.every(isSoftware)).toBe(true);
    expect(
      ['apple metal-3', 'nvidia hopper', 'intel gen-12lp', 'amd rdna-3'].some(isSoftware),
    ).toBe(false);
  });
});
