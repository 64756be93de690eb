// The parts of the page of clean voices that need no browser.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DENOISER, denoiserOf } from '../../demo/clean/denoiser.ts';
import { addressOf, fitIn, fitOf, stemOf, type Framing, type Value } from '../../demo/clean/fit.ts';
import { frameOf } from '../../demo/clean/frame.ts';
import { noticeOf } from '../../demo/clean/problems.ts';
import { noisy, RATE, siSdr, voicesOf, type NoiseName } from '../../demo/clean/sample.ts';
import { columnOf, QUIET, ROWS, sizeAt, TOP } from '../../demo/clean/spectrum.ts';
import { tensor } from '../../src/tensor.ts';
import { recordingSamples } from './silero.ts';

const value = (name: string, ...dims: (number | string)[]): Value => ({
  name,
  type: 'float32',
  dims,
});
const HALF: Framing = { sampleRate: 16_000, overlap: 2, window: 'sqrt-hann' };
const file = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../demo/assets/${name}`, import.meta.url))).buffer;

describe('how a model is fed', () => {
  test.each([
    ['h_in', 'h_out', 'h'],
    ['h0', 'hn', 'h'],
    ['convCacheIn', 'convCacheOut', 'conv_cache'],
    ['tra_cache', 'tra_cache_out', 'tra_cache'],
    ['rnn.state', 'new_rnn.state', 'rnn_state'],
  ])('%s and %s are the same state', (a, b, stem) => {
    expect([stemOf(a), stemOf(b)]).toEqual([stem, stem]);
  });

  test('samples, a spectrum and its magnitudes are told by their shapes, states by their names', () => {
    const states = [value('h_in', 1, 1, 64), value('h_out', 1, 1, 64)] as const;
    const fit = (dims: (number | string)[], framing = HALF) =>
      fitOf([value('x', ...dims), states[0]], [value('y', ...dims), states[1]], framing);
    expect(fit([1, 160])).toMatchObject({ kind: 'samples', hop: 160, size: 0, dims: [1, 160] });
    expect(fit(['T', 1, 257])).toMatchObject({
      kind: 'magnitudes',
      hop: 256,
      size: 512,
      dims: [1, 1, 257],
      input: 'x',
      output: 'y',
      state: { h_out: 'h_in' },
    });
    expect(fit([1, 481, 1, 2], { ...HALF, sampleRate: 48_000, overlap: 4 })).toMatchObject({
      kind: 'complex',
      hop: 240,
      size: 960,
      sampleRate: 48_000,
    });
  });

  test.each<[string, Value[], Value[], RegExp]>([
    ['two sounds', [value('a', 160), value('b', 160)], [value('y', 160)], /0 states.*a \[160\], b/],
    [
      'a state of another shape',
      [value('x', 160), value('h_in', 4)],
      [value('y', 160), value('h_out', 5)],
      /h_in/,
    ],
    ['other elements', [{ ...value('x', 160), type: 'int64' }], [value('y', 160)], /float32/],
    ['a picture', [value('x', 1, 3, 64, 64)], [value('y', 1, 3, 64, 64)], /Expected one block/],
    ['bins for samples', [value('x', 257)], [value('y', 512)], /257 magnitudes.*512 samples/],
    ['no output', [value('x', 160)], [], /none/],
  ])('%s is refused with the reason', (_, inputs, outputs, reason) => {
    const attempt = (): unknown => fitOf(inputs, outputs, HALF);
    expect(attempt).toThrow(reason);
    try {
      attempt();
    } catch (error) {
      expect(noticeOf(error)).toMatchObject({
        tone: 'error',
        title: 'This file does not fit as a streaming denoiser.',
        detail: expect.stringMatching(/^MODEL_MISFIT · /),
      });
    }
  });

  test('a fit travels in the address of the module, whatever the address has', () => {
    for (const url of ['/a/denoise.js', '/a/denoise.ts?worker_file&type=module']) {
      const address = `${addressOf(url, DENOISER)}#end`;
      expect(address.startsWith(url)).toBe(true);
      expect(fitIn(address)).toEqual(DENOISER);
    }
    expect(() => fitIn('/a/denoise.js')).toThrow('expected an address');
  });
});

describe('a block', () => {
  const spectrum = () => ({
    samples: new Float32Array(0),
    re: Float32Array.from({ length: 65 }, (_, k) => k + 1),
    im: Float32Array.from({ length: 65 }, (_, k) => -k),
    block: 0,
  });
  /** A model that keeps what it is fed and gives what `make` makes of it. */
  function modelOf(make: (fed: Float32Array) => Float32Array) {
    const fed: Float32Array[] = [];
    return {
      fed,
      inputs: [],
      outputs: [],
      post: () => undefined,
      step: (feeds: Record<string, { data: unknown }>) => {
        const data = (feeds['x']!.data as Float32Array).slice();
        fed.push(data);
        const made = make(data);
        return { y: tensor(made, [made.length]) };
      },
    };
  }
  const fit = { ...DENOISER, size: 128, input: 'x', output: 'y' };

  test('magnitudes go in, plain or as logarithms, and what comes out scales the spectrum', () => {
    for (const isLog of [false, true]) {
      const model = modelOf((x) => x.map((_, k) => k / 64));
      const [frame, before] = [spectrum(), spectrum()];
      frameOf({ ...fit, dims: [1, 65], isLog })(frame, model);
      const magnitude = Math.hypot(11, -10);
      expect(model.fed[0]![10]).toBeCloseTo(isLog ? Math.log10(magnitude + 1e-3) : magnitude, 5);
      expect(frame.re[32]).toBeCloseTo(before.re[32]! / 2, 5);
      expect(frame.im[64]).toBe(before.im[64]);
    }
  });

  test.each([
    ['interleaved', [1, 65, 1, 2], (k: number, part: number) => 2 * k + part],
    ['in planes', [1, 2, 65], (k: number, part: number) => 65 * part + k],
  ])('a complex spectrum %s goes in and comes out', (_, dims, place) => {
    const model = modelOf((x) => x.map((number) => 3 * number));
    const [frame, before] = [spectrum(), spectrum()];
    frameOf({ ...fit, kind: 'complex', dims })(frame, model);
    expect(model.fed[0]![place(7, 0)]).toBe(before.re[7]);
    expect(model.fed[0]![place(7, 1)]).toBe(before.im[7]);
    expect(frame.re).toEqual(before.re.map((x) => 3 * x));
    expect(frame.im).toEqual(before.im.map((x) => 3 * x));
  });

  test('an output of another size is an error, and changes nothing', () => {
    const frame = { ...spectrum(), samples: new Float32Array(32).fill(1) };
    const compute = frameOf({ ...fit, kind: 'samples', dims: [32] });
    expect(() =>
      compute(
        frame,
        modelOf((x) => x.subarray(0, 31)),
      ),
    ).toThrow('got 31 numbers');
    expect(frame.samples.every((x) => x === 1)).toBe(true);
  });
});

describe('the sample', () => {
  const clean = voicesOf(Float32Array.from(recordingSamples()));

  test('it has the passages in which a voice is alone, at the ratio that was asked for', () => {
    expect(clean.length / RATE).toBeCloseTo(3.202 + 2.638 + 1.193 + 4 * 0.5, 2);
    for (const noise of ['fan', 'voices', 'keys', 'hiss'] satisfies NoiseName[]) {
      const mixed = noisy(clean, noise, 5);
      expect(siSdr(mixed, clean)).toBeGreaterThan(4.5);
      expect(siSdr(mixed, clean)).toBeLessThan(5.5);
      expect(mixed.every((x) => Math.abs(x) < 1)).toBe(true);
      expect(noisy(clean, noise, 5)).toEqual(mixed);
    }
  });

  test('SI-SDR counts errors and no loudness', () => {
    const x = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    const error = x.map((_, i) => 0.1 * Math.SQRT2 * Math.sin(i + Math.PI / 2)); // orthogonal to it
    const estimate = x.map((value_, i) => 3 * (value_ + error[i]!));
    expect(siSdr(estimate, x)).toBeCloseTo(10 * Math.log10(1 / 0.02), 1);
  });
});

test('a sine of full scale is at 0 dB in the row of its pitch, at any rate', () => {
  for (const rate of [16_000, 48_000]) {
    const samples = Float32Array.from({ length: sizeAt(rate) }, (_, i) =>
      Math.sin((2 * Math.PI * 3000 * i) / rate),
    );
    const column = columnOf(samples, rate);
    const loudest = column.indexOf(Math.max(...column));
    expect(Math.abs(loudest - (3000 * ROWS) / TOP)).toBeLessThanOrEqual(1);
    expect(Math.abs(column[loudest]!)).toBeLessThan(1.5); // the lobe of the window between two bins
    expect(column[120]).toBe(QUIET);
  }
});

test('weights of the training script become a graph of layers', () => {
  const { inputs, outputs, nodes } = denoiserOf(file('denoiser.safetensors'));
  expect(inputs.map(({ dims }) => dims.at(-1))).toEqual([257]);
  expect(outputs.map(({ dims }) => dims.at(-1))).toEqual([257]);
  expect(nodes.filter(({ op }) => op === 'Recurrent')).toHaveLength(2);
});
