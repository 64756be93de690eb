// What Node tests show over Dawn, shown in a browser: kernels, streams, files, and a lost device.
import { describe, expect, test } from 'vitest';
import { isWebGPUAvailable, loadModel, tensor } from '../../src/index.ts';
import type { DeviceLoss, Tensor } from '../../src/index.ts';
import { exampleOf } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { expectClose } from '../support/close.ts';
import { expectRight, feedsOf, graph, stepsOf } from '../support/small-lstm.ts';

const CASES = casesOf(5, 24);

describe.each(['step', 'persistent'] as const)('%s kernel', (recurrentKernel) => {
  test(`${CASES} random layers equal the reference (SEED=${SEED})`, MORE_IN_FULL, () =>
    expectLikeReference(CASES, { device: 'webgpu', recurrentKernel }),
  );
});

test('this browser has WebGPU, and auto says why it takes it or not', async () => {
  expect(await isWebGPUAvailable()).toBe(true);
  const { graph: layer, feeds } = exampleOf(recurrentCases());
  const model = await loadModel(layer);
  await model.run(feeds);
  const { backend, reason } = model;
  expect(reason).toMatch(new RegExp(`^${backend}: .* ms predicted against (webgpu|wasm) .* ms$`));
  model.dispose();
});

test('an ONNX file from a URL, with progress, as a stream', async () => {
  const random = randomOf(5);
  const [I, H] = [6, 9];
  const file = writeOnnx({
    inputs: [{ name: 'X', type: 'float32', dims: ['T', 'B', I] }],
    outputs: [{ name: 'Y', type: 'float32', dims: ['T', 1, 'B', H] }],
    initializers: {
      W: tensor(random.floats(3 * H * I, 0.6), [1, 3 * H, I]),
      R: tensor(random.floats(3 * H * H, 0.6), [1, 3 * H, H]),
    },
    nodes: [
      {
        op: 'GRU',
        name: 'gru',
        inputs: ['X', 'W', 'R'],
        outputs: ['Y'],
        attributes: { hidden_size: H, linear_before_reset: 1 },
      },
    ],
  });
  const url = URL.createObjectURL(new Blob([new Uint8Array(file)]));
  const seen: number[] = [];
  const model = await loadModel(url, { onProgress: ({ loaded }) => seen.push(loaded) });
  expect(seen.at(-1)).toBe(file.length);
  const X = tensor(random.floats(8 * 2 * I, 1), [8, 2, I]);
  const whole = await model.run({ X });
  const stream = model.stream();
  const parts: number[] = [];
  for (let t = 0; t < 8; t++) {
    const frame = tensor(X.data.slice(t * 2 * I, (t + 1) * 2 * I), [1, 2, I]);
    parts.push(...((await stream.step({ X: frame }))['Y']!.data as Float32Array));
  }
  expectClose(parts, whole['Y']!.data as Float32Array, { atol: 2e-6 });
  model.dispose();
  URL.revokeObjectURL(url);
});

test('a page instead of a model is refused as such', async () => {
  const page = URL.createObjectURL(new Blob(['<!doctype html><title>404</title>']));
  await expect(loadModel(page)).rejects.toMatchObject({ code: 'INVALID_MODEL' });
});

test('a destroyed device rejects what is pending', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const { graph: layer, feeds } = exampleOf(recurrentCases());
  const model = await loadModel(layer, { device });
  await model.run(feeds);
  const pending = model.run(feeds);
  device.destroy();
  await expect(pending).rejects.toMatchObject({ code: 'DEVICE_LOST' });
  await expect(model.run(feeds)).rejects.toMatchObject({ code: 'DEVICE_LOST' });
  model.dispose();
});

test('a device that is lost is replaced, and a stream goes on from its checkpoint', async () => {
  const request = GPUAdapter.prototype.requestDevice;
  const devices: GPUDevice[] = [];
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor);
    devices.push(device);
    return device;
  };
  try {
    const losses: DeviceLoss[] = [];
    const model = await loadModel(graph, {
      device: 'webgpu',
      recurrentKernel: 'persistent',
      onDeviceLost: (loss) => losses.push(loss),
    });
    const feeds = feedsOf(6);
    expectRight(await model.run(feeds), feeds);
    const stream = model.stream({ checkpoint: 2 });
    const outputs: Record<string, Tensor>[] = [];
    while (stream.steps < 6) {
      const t = stream.steps;
      const step = stream.step(stepsOf(feeds, t, t + 1));
      if (t === 3 && losses.length === 0) devices.at(-1)!.destroy();
      try {
        outputs[t] = await step;
      } catch (error) {
        expect(error).toMatchObject({ code: 'DEVICE_LOST', path: 'device' });
        expect(stream.steps).toBe(2);
      }
    }
    for (const [t, output] of outputs.entries()) {
      expectRight(output, stepsOf(feeds, 0, t + 1), t);
    }
    expectRight(await model.run(feeds), feeds);
    expect([losses.length, devices.length]).toEqual([1, 2]);
    expect(losses[0]!.reason).toBe('destroyed');
    await losses[0]!.recovered;
    model.dispose();
  } finally {
    GPUAdapter.prototype.requestDevice = request;
  }
});
