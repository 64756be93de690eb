// Outputs of a network drawn on a canvas straight from GPU buffers: nothing is read back but the pixels, by the test.
import { afterEach, expect, test, vi } from 'vitest';
import { dense, loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import type { GpuTensor, Graph, Model } from '../../src/index.ts';
import { onGpu } from '../support/gpu-tensors.ts';
import { randomOf } from '../support/random.ts';

const [I, H, T] = [3, 8, 16];
const random = randomOf(31);
const floats = (scale: number, ...dims: [number, number]) =>
  tensor(random.floats(dims[0] * dims[1], scale), dims);

/** [1, T, I] to [1, T, width], from 0 to 1. */
const network = (inputs: number, width: number): Graph =>
  sequential([
    lstm({ W: floats(1, 4 * H, inputs), R: floats(1, 4 * H, H), returnSequences: true }),
    dense({ W: floats(2, width, H), activation: 'sigmoid' }),
  ]);

const WGSL = `
  @group(0) @binding(0) var<storage, read> levels: array<f32>;
  @vertex fn corner(@builtin(vertex_index) i: u32, @builtin(instance_index) bar: u32)
      -> @builtin(position) vec4f {
    let x = (f32(bar) + f32(i % 2u)) / ${T}.0 * 2.0 - 1.0;
    let y = select(-1.0, levels[bar] * 2.0 - 1.0, i >= 2u);
    return vec4f(x, y, 0.0, 1.0);
  }
  @fragment fn white() -> @location(0) vec4f { return vec4f(1.0); }`;

/** A renderer that knows no model: bars of white on black, as high as the numbers of a buffer, into its encoder. */
function barsOf(device: GPUDevice, context: GPUCanvasContext) {
  const format = navigator.gpu.getPreferredCanvasFormat();
  const usage = GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.COPY_SRC; // the test looks at it
  context.configure({ device, format, usage });
  const module = device.createShaderModule({ code: WGSL });
  const pipeline = device.createRenderPipeline({
    layout: 'auto',
    vertex: { module },
    fragment: { module, targets: [{ format }] },
    primitive: { topology: 'triangle-strip' },
  });
  return (encoder: GPUCommandEncoder, levels: GPUBuffer): void => {
    const view = context.getCurrentTexture().createView();
    const clear = { view, loadOp: 'clear', storeOp: 'store' } as const; // to black
    const pass = encoder.beginRenderPass({ colorAttachments: [clear] });
    const layout = pipeline.getBindGroupLayout(0);
    const entries = [{ binding: 0, resource: { buffer: levels } }];
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.draw(4, T);
    pass.end();
  };
}

/** Pixels of a side; a row of 4 bytes each is a multiple of 256 bytes, as copies of textures need it. */
const SIZE = 128;

/** Heights of the bars as they are on a canvas, from 0 to 1. Called in the task that drew them. */
async function heightsOn(device: GPUDevice, context: GPUCanvasContext): Promise<number[]> {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: SIZE * SIZE * 4, usage });
  const encoder = device.createCommandEncoder();
  const texture = context.getCurrentTexture();
  encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow: SIZE * 4 }, [SIZE, SIZE]);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(GPUMapMode.READ);
  const pixels = new Uint8Array(buffer.getMappedRange().slice(0));
  buffer.destroy();
  return Array.from({ length: T }, (_, bar) => {
    const middle = Math.floor(((bar + 0.5) * SIZE) / T);
    const column = Array.from({ length: SIZE }, (_row, y) => pixels[(y * SIZE + middle) * 4]!);
    return column.filter((red) => red > 127).length / SIZE;
  });
}

function newContext(): GPUCanvasContext {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [SIZE, SIZE];
  return canvas.getContext('webgpu')!;
}

function expectHeights(got: readonly number[], want: ArrayLike<number>): void {
  expect(got).toHaveLength(want.length);
  got.forEach((height, i) => expect(Math.abs(height - want[i]!)).toBeLessThan(1.5 / SIZE));
}

const models: Model[] = [];
afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
  vi.restoreAllMocks();
});
async function load(graph: Graph): Promise<Model> {
  const model = await loadModel(graph, { device: 'webgpu' });
  models.push(model);
  return model;
}
const X = tensor(random.floats(T * I), [1, T, I]);

test('the outputs of an LSTM are drawn from their buffer, without a read-back', async () => {
  const model = await load(network(I, 1));
  const want = (await model.run({ X }))['Y']!.data as Float32Array;
  const device = model.device!;
  const context = newContext();
  const draw = barsOf(device, context);
  const mapped = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
  const { Y } = await model.run({ X }, { output: 'gpu' });
  const encoder = device.createCommandEncoder();
  draw(encoder, Y!.buffer);
  device.queue.submit([encoder.finish()]);
  expect(mapped).not.toHaveBeenCalled();
  expectHeights(await heightsOn(device, context), want);
  expect(Math.max(...want) - Math.min(...want)).toBeGreaterThan(0.1); // there is something to see
  Y!.buffer.destroy();
});

test('a stream draws each step, and its state never leaves the GPU', async () => {
  const model = await load(network(I, 1));
  const want = (await model.run({ X }))['Y']!.data as Float32Array;
  const device = model.device!;
  const context = newContext();
  const draw = barsOf(device, context);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const levels = device.createBuffer({ size: T * 4, usage });
  const mapped = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
  const stream = model.stream();
  const encoder = device.createCommandEncoder();
  for (let t = 0; t < T; t++) {
    const frame = tensor(X.data.slice(t * I, (t + 1) * I), [1, 1, I]);
    const { Y } = await stream.step({ X: frame }, { output: 'gpu' });
    encoder.copyBufferToBuffer(Y!.buffer, 0, levels, t * 4, 4);
  }
  draw(encoder, levels);
  device.queue.submit([encoder.finish()]);
  expect(mapped).not.toHaveBeenCalled();
  expectHeights(await heightsOn(device, context), want);
});

test("two models chained inside of one frame of someone else's renderer: one encoder, one submit", async () => {
  const [first, second] = [await load(network(I, 2)), await load(network(2, 1))];
  const device = first.device!;
  expect(second.device).toBe(device);
  const { Y: between } = await first.run({ X });
  const want = (await second.run({ X: between! }))['Y']!.data as Float32Array;
  const context = newContext();
  const draw = barsOf(device, context);
  const fed = onGpu(device, X);
  const made = (width: number): GpuTensor =>
    onGpu(
      device,
      tensor(new Float32Array(T * width), [1, T, width]),
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
    );
  const [middle, levels] = [made(2), made(1)];
  await Promise.all([first.warmUp({ X: fed }), second.warmUp({ X: middle })]);
  const mapped = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
  const submitted = vi.spyOn(GPUQueue.prototype, 'submit');
  let counts: number[] = [];
  const heights = await new Promise<number[]>((resolve, reject) =>
    requestAnimationFrame(() => {
      const encoder = device.createCommandEncoder();
      first.encode(encoder, { X: fed }, { Y: middle });
      second.encode(encoder, { X: middle }, { Y: levels });
      draw(encoder, levels.buffer);
      device.queue.submit([encoder.finish()]);
      counts = [submitted.mock.calls.length, mapped.mock.calls.length];
      heightsOn(device, context).then(resolve, reject);
    }),
  );
  expect(counts).toEqual([1, 0]);
  expectHeights(heights, want);
});

test('a destroyed buffer and one of another device are refused by name', async () => {
  const model = await load(network(I, 1));
  const adapter = (await navigator.gpu.requestAdapter())!;
  const other = await adapter.requestDevice();
  const gone = onGpu(model.device!, X);
  gone.buffer.destroy();
  for (const [feed, message] of [
    [gone, /destroyed/],
    [onGpu(other, X), /another device/],
  ] as const) {
    await expect(model.run({ X: feed })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'feeds.X.buffer',
      message: expect.stringMatching(message),
    });
  }
  other.destroy();
});
