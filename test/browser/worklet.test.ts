// A model in the audio thread of a browser. Sound is rendered offline, where no clock counts.
import { expect, test } from 'vitest';
import { createRnnNode, RnnError, type RnnNode, type RnnNodeOptions } from '../../src/index.ts';
import { randomOf } from '../support/random.ts';
import { halvingModel, soundModel, soundThroughReference } from '../support/sound-model.ts';

const RATE = 48000;
const HOP = 96;
const noise = (count: number): Float32Array<ArrayBuffer> =>
  randomOf(3).floats(count, 0.5) as Float32Array<ArrayBuffer>;
const url = new URL('./sound.worklet.ts', import.meta.url).href;

async function contextOf(samples: number): Promise<OfflineAudioContext> {
  const context = new OfflineAudioContext(1, samples, RATE);
  await context.audioWorklet.addModule(url);
  return context;
}

/** Renders sound through a node. */
async function render(sound: Float32Array<ArrayBuffer>, options: RnnNodeOptions) {
  const context = await contextOf(sound.length);
  const node: RnnNode = await createRnnNode(context, options);
  const buffer = new AudioBuffer({ length: sound.length, sampleRate: RATE });
  buffer.copyToChannel(sound, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(node.node).connect(context.destination);
  source.start();
  const output = (await context.startRendering()).getChannelData(0);
  const latency = Math.round(node.latency * RATE);
  return { node, output, latency };
}

function expectClose(got: Float32Array, want: Float32Array, tolerance: number): void {
  expect(got.length).toBe(want.length);
  const worst = got.reduce((max, x, i) => Math.max(max, Math.abs(x - want[i]!)), 0);
  expect(worst).toBeLessThan(tolerance);
}

test('sound through a recurrent model equals the reference, delayed by the latency', async () => {
  const sound = noise(50 * 128);
  const model = soundModel(HOP);
  const { node, output, latency } = await render(sound, { processor: 'sound', model });
  expect(latency).toBe(HOP - 32);
  const want = soundThroughReference(HOP, sound).slice(0, sound.length - latency);
  expectClose(output.slice(latency, latency + want.length), want, 1e-5);
  expect(Math.max(...want)).toBeGreaterThan(0.1);
  node.dispose();
  await expect(node.statistics()).rejects.toMatchObject({ code: 'DISPOSED' });
});

test('spectra at another rate: half of a tone, in its place', async () => {
  const tone = (i: number): number => Math.sin((2 * Math.PI * 700 * i) / RATE);
  const sound = Float32Array.from({ length: 100 * 128 }, (_, i) => tone(i));
  const { node, output } = await render(sound, { processor: 'spectrum', model: halvingModel(65) });
  const delay = node.latency * RATE;
  const steady = Math.ceil(2 * delay);
  const want = Float32Array.from(
    { length: output.length - steady },
    (_, i) => tone(i + steady - delay) / 2,
  );
  expectClose(output.slice(steady), want, 1e-3);
});

test('a model that is too slow gives way to the input, and the page is told', async () => {
  const sound = noise(40 * 128);
  const events: string[] = [];
  const { node, output, latency } = await render(sound, {
    processor: 'slow',
    model: soundModel(HOP),
    deadline: 3,
    onStarved: ({ block, elapsed, pause }) => events.push(`starved ${block} ${elapsed} ${pause}`),
  });
  await expect.poll(() => events).toEqual([`starved 20 50 ${Math.ceil((0.25 * RATE) / HOP)}`]);
  const first = soundThroughReference(HOP, sound);
  expectClose(output.slice(latency, latency + 20 * HOP), first.slice(0, 20 * HOP), 1e-5);
  const dry = sound.slice(21 * HOP, sound.length - latency);
  expect(output.slice(latency + 21 * HOP)).toEqual(dry);
  node.dispose();
});

test('the thread lacks what the code does without, and posts what the app computes', async () => {
  const messages: unknown[] = [];
  const onMessage = (data: unknown): void => void messages.push(data);
  await render(noise(1280), { processor: 'speaking', model: soundModel(HOP), onMessage });
  await expect.poll(() => messages.length).toBe(1);
  const { missing, inputs } = messages[0] as { missing: string[]; inputs: string[] };
  expect(inputs).toEqual(['X']);
  expect(missing).toContain('fetch');
  expect(missing).toContain('URL');
});

test('errors of the audio thread keep code and path', async () => {
  const context = await contextOf(128);
  const broken = Uint8Array.of(8, 9, 18, 200);
  const failed = createRnnNode(context, { processor: 'sound', model: broken });
  await expect(failed).rejects.toBeInstanceOf(RnnError);
  await expect(failed).rejects.toMatchObject({ code: 'INVALID_MODEL' });
  const model = soundModel(HOP);
  await expect(createRnnNode(context, { processor: 'spectrum', model })).rejects.toMatchObject({
    code: 'SHAPE_MISMATCH',
    path: 'inputs.X',
  });
  await expect(createRnnNode(context, { processor: 'none', model })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    path: 'options.processor',
  });
});
