// `device: 'auto'` with a machine that the test makes up: which side computes, what is said of it, and that the numbers agree.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { calibrate, forceCalibration, probeGraph } from '../../src/auto/calibrate.ts';
import type { Calibration } from '../../src/auto/predict.ts';
import { leaseDevice } from '../../src/gpu/device.ts';
import { usesOnlyRecurrence } from '../../src/ops/missing.ts';
import { generate, loadModel, tensor, type Tensor } from '../../src/node.ts';
import { onGpu } from '../support/gpu-tensors.ts';
import { halvingModel, soundModel } from '../support/sound-model.ts';
import { listOf, tokenModel } from '../generation/small-models.ts';
import { randomOf } from '../support/random.ts';

const HOP = 8;
// By these figures a block of one step is sooner on the CPU, one of 16 steps on the GPU.
const MACHINE: Calibration = {
  webgpu: { callMs: 1, dispatchMs: 0, flopsPerMs: 1e12, bytesPerMs: 1e12 },
  wasm: { callMs: 0, kernelMs: 0, flopsPerMs: 2 * 4 * HOP * 2 * HOP * 4 },
};
/** By these the CPU is never sooner. */
const GPU: Calibration = { ...MACHINE, wasm: { callMs: 100, kernelMs: 0, flopsPerMs: 1 } };

beforeEach(() => forceCalibration(MACHINE));
afterEach(() => forceCalibration(undefined));

const input = (steps: number): { X: Tensor } => ({
  X: tensor(randomOf(steps).floats(steps * HOP), [steps, 1, HOP]),
});
const numbers = ({ Y }: Record<string, Tensor>): number[] => Array.from(Y!.data as Float32Array);

function expectClose(got: readonly number[], want: readonly number[]): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThan(1e-5));
}

test('each run is computed by the side that is predicted to be sooner, and both figures are told', async () => {
  const model = await loadModel(soundModel(HOP));
  const reference = await loadModel(soundModel(HOP), { device: 'reference' });
  const sides: string[] = [];
  for (const steps of [1, 16, 5, 1, 16]) {
    const feeds = input(steps);
    expectClose(numbers(await model.run(feeds)), numbers(await reference.run(feeds)));
    sides.push(model.backend);
    const other = model.backend === 'wasm' ? 'webgpu' : 'wasm';
    expect(model.reason).toMatch(
      new RegExp(`^${model.backend}: [\\d.]+ ms predicted against ${other} [\\d.]+ ms$`),
    );
  }
  // 5 steps are a little sooner on the CPU: no reason to leave the GPU.
  expect(sides).toEqual(['wasm', 'webgpu', 'webgpu', 'wasm', 'webgpu']);
  expect(model.adapter).not.toContain('WebAssembly');
  model.dispose();
  await expect(model.run(input(1))).rejects.toMatchObject({ code: 'DISPOSED' });
  reference.dispose();
});

test('a model of one shape is decided at load', async () => {
  const model = await loadModel(halvingModel(8));
  expect(model.backend).toBe('wasm');
  expect(model.reason).toMatch(/^wasm: [\d.]+ ms predicted against webgpu 1 ms$/);
  expect(model.adapter).toMatch(/^WebAssembly/);
  model.dispose();
});

describe('streams', () => {
  test.each([
    ['wasm', 1, MACHINE],
    ['webgpu', 16, MACHINE],
    ['webgpu', 1, GPU],
  ] as const)('the first step chooses %s, for steps of %i', async (side, steps, machine) => {
    forceCalibration(machine);
    const model = await loadModel(soundModel(HOP));
    const reference = await loadModel(soundModel(HOP), { device: 'reference' });
    const [stream, want] = [model.stream(), reference.stream()];
    for (let k = 0; k < 3; k++) {
      expectClose(numbers(await stream.step(input(steps))), numbers(await want.step(input(steps))));
      expect(model.backend).toBe(side);
    }
    const fork = stream.fork();
    const [got, same] = [await stream.step(input(steps)), await fork.step(input(steps))];
    expect(numbers(got)).toEqual(numbers(same));
    expect(model.backend).toBe(side);
    model.dispose();
    reference.dispose();
  });

  test('a state is taken from one side to the other, before a step and after', async () => {
    const onWasm = await loadModel(soundModel(HOP));
    const first = onWasm.stream();
    await first.step(input(1));
    const saved = await first.snapshot();
    const next = await first.step(input(2));
    forceCalibration(GPU);
    const onWebGpu = await loadModel(soundModel(HOP));
    for (const begin of [0, 1]) {
      const second = onWebGpu.stream();
      if (begin === 1) await second.step(input(3));
      second.restore(saved);
      expectClose(numbers(await second.step(input(2))), numbers(next));
    }
    expect([onWasm.backend, onWebGpu.backend]).toEqual(['wasm', 'webgpu']);
    const unborn = onWebGpu.stream();
    expect(await unborn.snapshot()).toEqual({});
    expect(() => unborn.restore({ none: input(1).X })).toThrow('none');
    unborn.dispose();
    await expect(unborn.step(input(1))).rejects.toMatchObject({ code: 'DISPOSED' });
    onWasm.dispose();
    onWebGpu.dispose();
  });

  test('a synchronous step needs the CPU: it decides for it, and a stream on the GPU refuses it', async () => {
    forceCalibration(GPU);
    const model = await loadModel(soundModel(HOP));
    const stream = model.stream();
    expect(stream.stepSync(input(1)).Y!.dims).toEqual([1, 1, 1, HOP]);
    expect([model.backend, model.reason]).toEqual(['wasm', 'wasm: a synchronous call']);
    await stream.step(input(1));
    expect(model.backend).toBe('wasm');
    const other = model.stream();
    await other.step(input(1));
    expect(model.backend).toBe('webgpu');
    expect(() => other.stepSync(input(1))).toThrow('webgpu');
    expect(numbers(model.runSync(input(1)))).toEqual(numbers(model.runSync(input(1))));
    expect(model.backend).toBe('wasm');
    model.dispose();
  });
});

const STAYS = ['webgpu', 'webgpu: tensors that stay on the GPU'];

test('outputs that stay on the GPU are computed there', async () => {
  const model = await loadModel(soundModel(HOP));
  const { Y } = await model.run(input(1), { output: 'gpu' });
  expect([model.backend, model.reason]).toEqual(STAYS);
  Y!.buffer.destroy();
  model.dispose();
});

test('feeds on the GPU are computed there, and decide for a stream', async () => {
  const model = await loadModel(soundModel(HOP));
  const { X } = input(1);
  const want = await model.run({ X });
  expect(model.backend).toBe('wasm');
  const fed = onGpu(model.device!, X);
  expectClose(numbers(await model.run({ X: fed })), numbers(want));
  expect([model.backend, model.reason]).toEqual(STAYS);
  const [fromFeed, fromOutput, late] = [model.stream(), model.stream(), model.stream()];
  await fromFeed.step({ X: fed });
  expect([model.backend, model.reason]).toEqual(STAYS);
  const { Y } = await fromOutput.step({ X }, { output: 'gpu' });
  Y!.buffer.destroy();
  await late.step({ X });
  expect(model.backend).toBe('wasm');
  const refused = { code: 'INVALID_ARGUMENT', path: 'options.output' };
  await expect(late.step({ X }, { output: 'gpu' })).rejects.toMatchObject(refused);
  await expect(late.step({ X: fed })).rejects.toMatchObject({ path: 'feeds.X' });
  await model.warmUp({ X: fed });
  const { Y: result } = await model.run({ X }, { output: 'gpu' });
  model.encode(model.device!.createCommandEncoder(), { X: fed }, { Y: result! });
  expect([model.backend, model.reason]).toEqual(STAYS);
  model.dispose();
});

test('an option that is about GPUs takes one where there is one', async () => {
  const model = await loadModel(soundModel(HOP), { weights: 'f16' });
  await model.run(input(1));
  expect(model.backend).toBe('webgpu');
  expect(model.reason).toContain("'weights' is for GPUs");
  model.dispose();
});

test('the CPU is measured with a layer that needs no operator but recurrence', () => {
  // A model of recurrent layers alone has loaded no others when it is measured.
  expect(usesOnlyRecurrence(probeGraph())).toBe(true);
});

test('an adapter is measured once', async () => {
  forceCalibration(undefined);
  const { gpu, release } = await leaseDevice(undefined, 60_000);
  const measured = calibrate(gpu);
  expect(calibrate(gpu)).toBe(measured);
  const { webgpu, wasm } = await measured;
  for (const figure of [...Object.values(webgpu), ...Object.values(wasm)]) {
    expect(figure).toBeGreaterThan(0);
    expect(figure).toBeLessThan(Infinity);
  }
  release();
});

test.each([
  ['wasm', { ...MACHINE, webgpu: { ...MACHINE.webgpu, callMs: 100 } }],
  ['webgpu', GPU],
] as const)('text is the same where %s is sooner', async (side, machine) => {
  forceCalibration(machine);
  const [model, reference] = [
    await loadModel(tokenModel()),
    await loadModel(tokenModel(), { device: 'reference' }),
  ];
  const options = { prompt: [3, 1, 4], seed: 7, maxSteps: 24, topK: 5 };
  const text = await listOf(generate(model, options));
  expect(text).toEqual(await listOf(generate(reference, options)));
  expect(model.backend).toBe(side);
  model.dispose();
  reference.dispose();
});
