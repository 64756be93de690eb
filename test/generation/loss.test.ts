// A GPU that is lost while tokens are chosen on it.
import { expect, test } from 'vitest';
import { streamGraph } from '../../src/backends/stateful-graph.ts';
import { generate, loadModel, tensor, type Tensor } from '../../src/index.ts';
import { LosingGpu } from '../support/losing-gpu.ts';
import { expectRight, failureOf, feedsOf, I, stepsOf } from '../support/small-lstm.ts';
import { listOf, tokenModel } from './small-models.ts';

const gpu = new LosingGpu();

test('a generation ends with DEVICE_LOST, and a new one writes the same text on the next device', async () => {
  const model = await loadModel(tokenModel(), { device: 'webgpu', recovery: { delay: 1 } });
  const all = { prompt: [3, 1, 4], seed: 7, tokensPerSubmit: 4 };
  const got: number[] = [];
  const failure = await failureOf(async () => {
    for await (const token of generate(model, all)) if (got.push(token) === 5) await gpu.lose();
  });
  expect(failure.code).toBe('DEVICE_LOST');
  const again = await listOf(generate(model, { ...all, maxSteps: 20 }));
  expect(again.slice(0, got.length)).toEqual(got);
  expect(gpu.devices).toHaveLength(2);
  model.dispose();
});

test('steps in one submit that contain a checkpoint are not lost', async () => {
  const { model } = await gpu.load();
  const { graph, session } = model.parts();
  const stream = session.stream(streamGraph(graph, {}), 1, 3);
  const feeds = feedsOf(8);
  const many = (from: number, to: number): Promise<Record<string, Tensor>> => {
    const { data } = feeds['X'] as Tensor<'float32'>;
    const X = tensor(data.slice(from * I, to * I), [to - from, 1, 1, I]);
    return stream.stepMany!({}, to - from, { X }, ['Y']);
  };
  await many(0, 2); // no checkpoint
  await many(2, 6); // the third and the sixth step
  await many(6, 7);
  expect(stream.steps).toBe(7);
  await gpu.lose();
  expect(stream.steps).toBe(6);
  const got = await many(6, 8);
  expect(got['Y']!.dims.slice(0, 2)).toEqual([2, 1]);
  expectRight(got, stepsOf(feeds, 0, 8), 6);
});
