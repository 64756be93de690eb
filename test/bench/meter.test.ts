// The benchmark's own tools: what they count is there, and one engine's fault is not the others'.
import { loadModel } from 'webgpu-rnn/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { measure } from '../../bench/measure.ts';
import { Meter } from '../../bench/meter.ts';
import { slopeOf, svgOf } from '../../bench/plot.ts';
import { probePeaks } from '../../bench/probes.ts';
import { nameOf, shapeOf, trafficOf, workloadOf } from '../../bench/shapes.ts';
import { getAdapter } from '../setup/gpu.ts';

let device: GPUDevice;

beforeAll(async () => {
  const adapter = await getAdapter();
  const requiredFeatures = (['timestamp-query'] as const).filter((name) =>
    adapter.features.has(name),
  );
  device = await adapter.requestDevice({ requiredFeatures });
});

afterAll(() => device?.destroy());

describe('Meter', () => {
  test('counts what a run asks of the device, and changes neither the answer nor later runs', async () => {
    const meter = new Meter(device);
    const { file, X } = workloadOf(shapeOf('lstm-h8-b2-t5'));
    const held = meter.resetPeak();
    const model = await loadModel(file, { device, recurrentKernel: 'step' });
    const { Y: before } = await model.run({ X });
    let seen: unknown;
    const usage = await meter.observe(async () => {
      seen = (await model.run({ X }))['Y']!.data;
    });
    expect(seen).toEqual(before!.data);
    expect(usage).toMatchObject({ submits: 1, uploaded: 5 * 2 * 8 * 4, readBack: 5 * 2 * 8 * 4 });
    const kernels = Object.values(usage.kernels);
    expect(kernels.reduce((a, b) => a + b, 0)).toBe(usage.dispatches);
    expect(usage.dispatches).toBeGreaterThan(0);
    if (device.features.has('timestamp-query')) expect(usage.gpuMs).toBeGreaterThan(0);
    else expect(usage.gpuMs).toBeUndefined();
    expect(meter.peakBytes - held).toBeGreaterThan(4 * 8 * 16 * 4); // the weights at least
    expect(Object.hasOwn(device, 'createCommandEncoder')).toBe(false);
    expect((await model.run({ X }))['Y']!.data).toEqual(before!.data);
    model.dispose();
    await device.queue.onSubmittedWorkDone();
    expect(meter.resetPeak()).toBe(held);
  });

  test('the matmul probe checks its product itself', async () => {
    const peaks = await probePeaks(device, true);
    expect(peaks.copyGBps).toBeGreaterThan(0);
    expect(peaks.matmulGflops).toBeGreaterThan(0);
  });
});

describe('measure', () => {
  const engine = (name: string, run: () => Promise<Float32Array>) => ({
    name,
    run,
    dispose: () => undefined,
  });

  test('an engine that throws is left out, the others go on', async () => {
    let runs = 0;
    const { timings, failures } = await measure(
      [
        engine('fine', async () => new Float32Array()),
        engine('tired', async () => {
          if (++runs > 3) throw new Error('enough');
          return new Float32Array();
        }),
      ],
      { rounds: [5, 5], seconds: 0 },
    );
    expect(timings.get('fine')!.rounds).toBe(5);
    expect(timings.has('tired')).toBe(false);
    expect(String(failures.get('tired'))).toBe('Error: enough');
    expect(runs).toBe(4);
  });

  test('a signal ends it', async () => {
    const abort = new AbortController();
    const stops = engine('stops', async () => {
      abort.abort(new Error('stop'));
      return new Float32Array();
    });
    await expect(measure([stops], { rounds: [5, 5], seconds: 0 }, abort.signal)).rejects.toThrow(
      'stop',
    );
  });
});

describe('shapes', () => {
  test('a name says the shape and back', () => {
    const name = 'gru-h64-b2-t3-l2-bi';
    expect(nameOf(shapeOf(name))).toBe(name);
  });

  test('traffic by hand', () => {
    // x 2·3·4, W 16·4, gates 2·2·3·16, Y 2·3·4; each step R 16·4, h and c read and written 2·2·3·4.
    const once = 24 + 64 + 192 + 24;
    expect(trafficOf(shapeOf('lstm-h4-b3-t2'))).toBe(4 * (once + 2 * (64 + 48)));
  });
});

describe('plot', () => {
  test('the slope of y = x² over logarithms is 2', () => {
    const points = [1, 2, 4, 8].map((x) => [x, x * x] as const);
    expect(slopeOf(points)).toBeCloseTo(2, 12);
    expect(slopeOf(points.map(([x]) => [x, 7] as const))).toBeCloseTo(0, 12);
  });

  test('every point is in the file, and words are words', () => {
    const lines = [{ name: 'a < b', points: [[1, 3] as const, [10, 300] as const] }];
    const svg = svgOf({ title: 't & t', x: 'x', y: 'ms', lines });
    expect(svg.match(/<circle/g)).toHaveLength(2);
    expect(svg).toContain('a &lt; b');
    expect(svg).not.toContain('NaN');
  });
});
