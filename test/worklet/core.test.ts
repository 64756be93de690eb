// What an audio thread does with a model, here without the thread: sound, messages and a clock of the test's own.
import { describe, expect, test } from 'vitest';
import { RnnError } from '../../src/errors.ts';
import { ProcessorCore } from '../../src/worklet/core.ts';
import { checkDefinition, type RnnProcessorDefinition } from '../../src/worklet/definition.ts';
import { bytesOfBase64 } from '../../src/worklet/kernels.ts';
import type { FromProcessor, WorkletModel } from '../../src/worklet/protocol.ts';
import { tensor } from '../../src/tensor.ts';
import { randomOf } from '../support/random.ts';
import { halvingModel, soundModel, soundThroughReference } from '../support/sound-model.ts';

const RATE = 16000;
const QUANTUM = 128;
const HOP = 48;
const noise = (count: number): Float32Array => randomOf(3).floats(count, 0.5);

function start(
  definition: Partial<RnnProcessorDefinition>,
  { model = soundModel(HOP) as WorkletModel, rate = RATE, deadline = Infinity } = {},
) {
  const messages: FromProcessor[] = [];
  const whole = { sampleRate: RATE, hop: HOP, ...definition };
  const scope = {
    sampleRate: rate,
    quantum: QUANTUM,
    post: (message: FromProcessor): void => void messages.push(message),
  };
  const core = new ProcessorCore(whole, { model, deadline }, scope);
  const play = (sound: Float32Array): Float32Array => {
    const output = new Float32Array(sound.length);
    for (let from = 0; from < sound.length; from += QUANTUM) {
      core.process(sound.subarray(from, from + QUANTUM), output.subarray(from, from + QUANTUM));
    }
    return output;
  };
  return { core, play, messages };
}

function expectClose(got: Float32Array, want: Float32Array, tolerance = 1e-5): void {
  expect(got.length).toBe(want.length);
  const worst = got.reduce((max, x, i) => Math.max(max, Math.abs(x - want[i]!)), 0);
  expect(worst).toBeLessThan(tolerance);
}

test('sound goes through the model as through the reference, delayed by the latency', () => {
  const { core, play, messages } = start({});
  const sound = noise(40 * QUANTUM);
  const output = play(sound);
  expect(core.latency).toBe(HOP - 16); // 16 is the common divisor of the hop and a quantum
  const want = soundThroughReference(HOP, sound).subarray(0, sound.length - core.latency);
  expectClose(output.slice(core.latency, core.latency + want.length), want);
  expect(Math.max(...want)).toBeGreaterThan(0.1);
  expect(messages).toEqual([]);
});

test('factors of a spectrum: half of each is half of the sound, delayed by the latency', () => {
  const spectrum = { size: 96, window: 'sqrt-hann' } as const;
  const { core, play } = start({ spectrum }, { model: halvingModel(49) });
  expect(core.latency).toBe(HOP - 16 + 48);
  const sound = noise(20 * QUANTUM);
  const output = play(sound);
  const want = sound.map((sample) => sample / 2).subarray(0, sound.length - core.latency);
  expectClose(output.slice(core.latency), want);
});

test('an app computes blocks itself, with the model and messages', () => {
  const { play, messages } = start({
    frame: ({ samples, block }, model) => {
      const { Y } = model.step({ X: tensor(samples.slice(), [1, 1, HOP]) });
      if (block === 2) model.post({ loudest: Math.max(...(Y!.data as Float32Array)) });
      samples.fill(block);
    },
  });
  const output = play(noise(3 * QUANTUM));
  expect(Array.from(output.subarray(32, 32 + 3 * HOP))).toEqual(
    [0, 1, 2].flatMap((block) => Array<number>(HOP).fill(block)),
  );
  const { data } = messages[0] as Extract<FromProcessor, { type: 'message' }>;
  expect((data as { loudest: number }).loudest).toBeGreaterThan(0);
});

test('a context of another rate: a tone keeps its place', () => {
  const frame = (): void => undefined;
  const { core, play } = start({ frame }, { rate: 44100 });
  const tone = (i: number): number => Math.sin((2 * Math.PI * 1000 * i) / 44100);
  const output = play(Float32Array.from({ length: 60 * QUANTUM }, (_, i) => tone(i)));
  const steady = Math.ceil(2 * core.latency);
  const want = Float32Array.from({ length: output.length - steady }, (_, i) =>
    tone(i + steady - core.latency),
  );
  expectClose(output.slice(steady), want, 1e-3);
});

describe('a model that is too slow', () => {
  const LATE = 20;

  /** A clock by which block 20 takes 50 ms and every other 1 ms. */
  function slow(definition: Partial<RnnProcessorDefinition> = {}) {
    const clock = { time: 0, reads: 0 };
    const made = start(
      {
        clock: () => {
          // Two readings for each block that the model computes.
          const block = Math.floor(clock.reads / 2);
          if (clock.reads++ % 2 === 1) clock.time += block === LATE ? 50 : 1;
          return clock.time;
        },
        ...definition,
      },
      { deadline: 3 },
    );
    return made;
  }
  const [PAUSE, WARM] = [Math.ceil((0.25 * RATE) / HOP), Math.ceil((0.1 * RATE) / HOP)];

  test('gives way to the input, and begins anew after a pause', () => {
    const { core, play, messages } = slow();
    const blocks = 200;
    const sound = noise(blocks * HOP);
    const output = play(sound).subarray(core.latency);
    const back = LATE + PAUSE + WARM;
    expect(messages).toEqual([
      { type: 'starved', elapsed: 50, deadline: 3, block: LATE, pause: PAUSE },
      { type: 'recovered', block: back },
    ]);
    const part = (of: Float32Array, from: number, to: number) => of.slice(from * HOP, to * HOP);
    const first = soundThroughReference(HOP, sound);
    expectClose(part(output, 0, LATE), part(first, 0, LATE));
    expect(part(output, LATE + 1, back)).toEqual(part(sound, LATE + 1, back));
    // The late block fades from the model to the input: it ends as the input.
    const fade = part(output, LATE, LATE + 1);
    const both = [part(first, LATE, LATE + 1), part(sound, LATE, LATE + 1)];
    fade.forEach((sample, i) => {
      const toInput = (i + 1) / HOP;
      expect(sample).toBeCloseTo((1 - toInput) * both[0]![i]! + toInput * both[1]![i]!, 4);
    });
    const anew = soundThroughReference(HOP, sound.slice((LATE + 1 + PAUSE) * HOP));
    const heard = part(output, back + 1, blocks - 1);
    expectClose(heard, part(anew, WARM, WARM + heard.length / HOP));
  });

  test('is counted', () => {
    const { core, play, messages } = slow();
    play(noise(30 * HOP * 8));
    core.handle({ type: 'statistics', id: 7 });
    const answer = messages.at(-1) as Extract<FromProcessor, { type: 'statistics' }>;
    expect(answer.id).toBe(7);
    const { misses, p50, max, deadline } = answer.statistics;
    expect({ misses, p50, max, deadline }).toEqual({ misses: 1, p50: 1, max: 50, deadline: 3 });
  });

  test('overlapping windows fade by themselves', () => {
    const spectrum = { size: 96, window: 'sqrt-hann' } as const;
    // The model gives silence, so that what is heard is the input or nothing.
    const frame: RnnProcessorDefinition['frame'] = ({ re, im }) => void (re.fill(0), im.fill(0));
    const { core, play } = slow({ spectrum, frame });
    const sound = new Float32Array(200 * HOP).fill(1);
    const output = play(sound).subarray(core.latency);
    const at = (block: number): number => output[block * HOP + HOP / 2]!;
    expect(at(LATE - 1)).toBeCloseTo(0, 5);
    expect(at(LATE)).toBeCloseTo(0.5, 1);
    expect(at(LATE + 2)).toBeCloseTo(1, 5);
    const steps = output.slice(0, 60 * HOP).map((x, i) => Math.abs(x - (output[i - 1] ?? 0)));
    expect(Math.max(...steps)).toBeLessThan(0.05);
  });
});

test('bypass is heard as the input, with a fade, and computes nothing', () => {
  let computed = 0;
  const frame: RnnProcessorDefinition['frame'] = ({ samples, block }) => {
    if (block >= 0) computed++;
    samples.fill(0);
  };
  const { core, play } = start({ frame });
  const ones = new Float32Array(QUANTUM * 3).fill(1);
  expect(play(ones).every((x) => x === 0)).toBe(true);
  core.handle({ type: 'bypass', on: true });
  const going = play(ones);
  expect(computed).toBe(9);
  expect(going.slice(-QUANTUM).every((x) => x === 1)).toBe(true);
  going.forEach((x, i) => expect(x).toBeGreaterThanOrEqual(going[i - 1] ?? 0));
  core.handle({ type: 'bypass', on: false });
  expect(play(ones).at(-1)).toBe(0);
  expect(computed).toBe(8 + 1 + 8);
});

describe('errors', () => {
  test('of a block are posted once, and the input is heard', () => {
    const frame: RnnProcessorDefinition['frame'] = ({ samples, block }, model) => {
      samples.fill(7);
      if (block === 3) model.step({ X: tensor(new Float32Array(5), [1, 1, 5]) });
    };
    const { core, play, messages } = start({ frame });
    const sound = noise(8 * QUANTUM);
    const output = play(sound).subarray(core.latency);
    expect(output.slice(0, 3 * HOP).every((x) => x === 7)).toBe(true);
    expect(output.slice(3 * HOP)).toEqual(sound.slice(3 * HOP, sound.length - core.latency));
    expect(messages.length).toBe(1);
    const { error } = messages[0] as Extract<FromProcessor, { type: 'error' }>;
    expect(RnnError.from(error)).toMatchObject({ code: 'SHAPE_MISMATCH', path: 'feeds.X.dims[2]' });
  });

  const broken = Uint8Array.of(8, 9, 18, 200);
  test.each([
    ['a file that is cut off', {}, { model: broken }, 'INVALID_MODEL'],
    ['what is no model', {}, { model: 5 as unknown as Uint8Array }, 'INVALID_ARGUMENT'],
    ['a hop that the model does not take', { hop: 50 }, {}, 'SHAPE_MISMATCH'],
    ['spectra that cannot be inverted', { spectrum: { size: 48 } }, {}, 'INVALID_ARGUMENT'],
    ['an unknown option of a stream', { stream: { bach: 1 } as object }, {}, 'INVALID_ARGUMENT'],
    [
      'an input that is nowhere',
      { feeds: { X: tensor(new Float32Array(48), [1, 1, 48]) } },
      {},
      'INVALID_ARGUMENT',
    ],
  ])('%s', (_, definition, options, code) => {
    expect(() => start(definition, options)).toThrow(expect.objectContaining({ code }));
  });

  test.each([
    [{ sampleRate: 0, hop: 1 }, 'definition.sampleRate'],
    [{ sampleRate: 8000, hop: 1.5 }, 'definition.hop'],
    [{ sampleRate: 8000, hop: 1, frame: 3 }, 'definition.frame'],
    [{ sampleRate: 8000, hop: 1, hopp: 3 }, 'definition.hopp'],
  ])('a definition that is wrong in itself: %j', (definition, path) => {
    expect(() => checkDefinition(definition as RnnProcessorDefinition)).toThrow(path);
  });
});

test('a processor that is disposed of lets sound through', () => {
  const { core, play } = start({});
  core.handle({ type: 'dispose' });
  expect(core.isDisposed).toBe(true);
  const sound = noise(3 * QUANTUM);
  expect(play(sound).slice(core.latency)).toEqual(sound.slice(0, -core.latency));
});

test('base64 as atob reads it', () => {
  for (let count = 0; count < 9; count++) {
    const bytes = Uint8Array.from({ length: count }, (_, i) => 37 * i + 250);
    expect(bytesOfBase64(btoa(String.fromCharCode(...bytes)))).toEqual(bytes);
  }
});
