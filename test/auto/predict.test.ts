// The arithmetic of `device: 'auto'`, on work and machines that are written down here.
import { describe, expect, test } from 'vitest';
import { choose, predict, reasonOf } from '../../src/auto/predict.ts';
import type { Calibration, Side, Work } from '../../src/auto/predict.ts';

const wasm = { callMs: 0.005, kernelMs: 0.0005, flopsPerMs: 5e6 };
const MACHINES: Readonly<Record<string, Calibration>> = {
  gpu: { webgpu: { callMs: 0.4, dispatchMs: 0.01, flopsPerMs: 2e8, bytesPerMs: 2e8 }, wasm },
  software: { webgpu: { callMs: 0.3, dispatchMs: 0.05, flopsPerMs: 2e6, bytesPerMs: 5e6 }, wasm },
};

/** An LSTM of H units: T steps of B rows, as the step kernels of a GPU and the CPU's compute it. */
const lstm = (H: number, T: number, B: number): Work => ({
  flops: 2 * 4 * H * 2 * H * T * B,
  dispatches: T + 1,
  weightBytes: 4 * 4 * H * H * (T + 1),
  kernels: 2,
  hostElements: 0,
});

describe('what is predicted and chosen', () => {
  test.each<[string, string, Work, Side]>([
    ['one step of a small stream', 'gpu', lstm(32, 1, 1), 'wasm'],
    ['one step of a stream', 'gpu', lstm(256, 1, 1), 'wasm'],
    ['one step of a large layer', 'gpu', lstm(2048, 1, 1), 'webgpu'],
    ['a sequence of one row', 'gpu', lstm(64, 64, 1), 'wasm'],
    ['a sequence of many rows', 'gpu', lstm(512, 64, 64), 'webgpu'],
    ['one step of a small stream', 'software', lstm(32, 1, 1), 'wasm'],
    ['one step of a large layer', 'software', lstm(2048, 1, 1), 'wasm'],
    ['a sequence of many rows', 'software', lstm(512, 64, 64), 'wasm'],
    [
      'nodes that only the float64 code computes on the CPU',
      'gpu',
      { ...lstm(64, 1, 1), hostElements: 1e6 },
      'webgpu',
    ],
  ])('%s on a machine with a %s', (_, machine, work, side) => {
    expect(choose(predict(work, MACHINES[machine]!), undefined)).toBe(side);
  });

  test('the sum of its parts', () => {
    const work = { flops: 2e6, dispatches: 3, weightBytes: 4e8, kernels: 10, hostElements: 100 };
    const { webgpu, wasm: cpu } = predict(work, MACHINES['gpu']!);
    expect(webgpu).toBeCloseTo(0.4 + 3 * 0.01 + 4e8 / 2e8, 10); // bound by memory
    expect(cpu).toBeCloseTo(0.005 + 10 * 0.0005 + 2e6 / 5e6 + 100 * 5e-5, 10);
  });
});

test('a model does not flap between sides that are about as fast', () => {
  let side: Side | undefined;
  const sides = Array.from({ length: 20 }, (_, i) => {
    side = choose({ webgpu: 1, wasm: i % 2 === 0 ? 0.8 : 1.25 }, side);
    return side;
  });
  expect(new Set(sides)).toEqual(new Set(['wasm']));
  expect(choose({ webgpu: 1, wasm: 1.6 }, 'wasm')).toBe('webgpu');
  expect(choose({ webgpu: 1, wasm: 0.7 }, 'webgpu')).toBe('webgpu');
  expect(choose({ webgpu: 1, wasm: 0.6 }, 'webgpu')).toBe('wasm');
});

test('the reason has both figures', () => {
  expect(reasonOf('wasm', { webgpu: 0.4123, wasm: 0.0204 })).toBe(
    'wasm: 0.02 ms predicted against webgpu 0.41 ms',
  );
  expect(reasonOf('webgpu', { webgpu: 12.34, wasm: 150 })).toBe(
    'webgpu: 12 ms predicted against wasm 150 ms',
  );
});
