// Kernels selected by timing: done once for each layer and shape, right, and without a trace.
import { afterAll, expect, test } from 'vitest';
import { loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import type { Graph, Tensor } from '../../src/index.ts';
import { RECURRENT_VARIANTS } from '../../src/plan/select/variants.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());
const compiled: string[] = [];
const compile = device.createComputePipelineAsync.bind(device);
device.createComputePipelineAsync = (descriptor) => {
  compiled.push(descriptor.label!);
  return compile(descriptor);
};
let submits = 0;
const submit = device.queue.submit.bind(device.queue);
device.queue.submit = (buffers) => {
  submits++;
  return submit(buffers);
};

const I = 6;
const random = randomOf(5);
const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((n, dim) => n * dim, 1),
      0.4,
    ),
    dims,
  );
const graphOf = (...hidden: number[]): Graph =>
  sequential(
    hidden.map((H, i) => {
      const width = i === 0 ? I : hidden[i - 1]!;
      return lstm({ W: floats(4 * H, width), R: floats(4 * H, H), returnSequences: true });
    }),
  );
const feedsOf = (graph: Graph, T: number): Record<string, Tensor> => ({
  [graph.inputs[0]!.name]: floats(1, T, I),
});

function expectRight(
  graph: Graph,
  got: Record<string, Tensor>,
  feeds: Record<string, Tensor>,
): void {
  const { name } = graph.outputs[0]!;
  const want = runReference(graph, feeds).get(name)!;
  expectClose(got[name]!.data as Float32Array, want.data, { atol: 1e-5 });
}

test('each layer is timed once, whichever model has it, and the answers are right', async () => {
  const graph = graphOf(10, 14);
  const model = await loadModel(graph, { device, tune: true });
  const feeds = feedsOf(graph, 9);
  submits = 0;
  expectRight(graph, await model.run(feeds), feeds);
  expect(compiled).toContain('recurrent-step-0');
  expect(compiled).toContain('recurrent-persistent');
  expect(submits).toBeGreaterThan(10);
  const { kernels, weightBytes } = model.usage;
  expect(Object.values(kernels)).toHaveLength(2);
  for (const kernel of Object.values(kernels)) expect(RECURRENT_VARIANTS).toContain(kernel);

  // Other weights of the same sizes: nothing to time, one submit a run.
  const other = graphOf(10, 14);
  const again = await loadModel(other, { device, tune: true });
  const others = feedsOf(other, 9);
  submits = 0;
  expectRight(other, await again.run(others), others);
  expect(submits).toBe(1);
  expect(again.usage.kernels).toEqual(kernels);
  expect(again.usage.weightBytes).toBe(weightBytes); // what was tried and dropped left nothing
  for (const made of [model, again]) made.dispose();
});

test('a stack is timed in sequence and as a wavefront of each kernel, where that is not said', async () => {
  const graph = graphOf(6, 6, 6);
  const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
  const feeds = feedsOf(graph, 24);
  const model = await loadModel(graph, { device: gpu, tune: true });
  expectRight(graph, await model.run(feeds), feeds);
  const labels = Object.keys(model.usage.kernels);
  expect(labels).toHaveLength(3);
  model.dispose();
  // An override is not timed against anything else.
  for (const wavefront of [true, false]) {
    const requested = await loadModel(graph, { device: gpu, tune: true, wavefront });
    expectRight(graph, await requested.run(feeds), feeds);
    const kernels = Object.values(requested.usage.kernels);
    expect(kernels.map((name) => name.startsWith('wavefront '))).toEqual([
      wavefront,
      wavefront,
      wavefront,
    ]);
    requested.dispose();
  }
  gpu.destroy();
});

test('the state of a stream is what it would be without timing', async () => {
  const graph = graphOf(12);
  const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
  const model = await loadModel(graph, { device, tune: true });
  const stream = model.stream();
  const whole = feedsOf(graph, 12);
  const { data } = whole[input]! as Tensor<'float32'>;
  const parts: number[] = [];
  let from = 0;
  for (const steps of [2, 3, 2, 5]) {
    const chunk = data.slice(from * I, (from += steps) * I);
    const step = stream.step({ [input]: tensor(chunk, [1, steps, I]) });
    chunk.fill(9); // the caller's again as soon as the call has returned
    parts.push(...((await step)[output]!.data as Float32Array));
  }
  expectRight(graph, { [output]: tensor(Float32Array.from(parts), [1, 12, 12]) }, whole);
  model.dispose();
});

test('a kernel that is requested for is not timed against another', async () => {
  const graph = graphOf(11);
  const model = await loadModel(graph, { device, tune: true, recurrentKernel: 'step' });
  const feeds = feedsOf(graph, 9);
  submits = 0;
  expectRight(graph, await model.run(feeds), feeds);
  expect(submits).toBe(1);
  const [kernel] = Object.values(model.usage.kernels);
  expect(kernel).toMatch(/^step-/);
  model.dispose();
});

test('disposing while timing rejects the call with DISPOSED', async () => {
  const graph = graphOf(13);
  const model = await loadModel(graph, { device, tune: true });
  const call = model.run(feedsOf(graph, 9));
  model.dispose();
  await expect(call).rejects.toMatchObject({ code: 'DISPOSED' });
});
