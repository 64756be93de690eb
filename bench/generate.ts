// `npm run bench:generate`: text of charRNN, greedily, by `generate` and by a loop with a round trip for each token:
// ours, ONNX Runtime's and TF.js's. An engine that writes other letters than the reference is not timed. Needs
// ../shared/data.
//
//   npm run bench:generate                       the GPU, or SwiftShader where there is none
//   WEBGPU_RNN_ADAPTER=lavapipe npm run bench:generate
//   npm run bench:generate -- --seconds 20       10 by default, for all engines together
//   npm run bench:generate -- --json FILE        where the results go; bench/results/ by default
import { parseArgs } from 'node:util';
import { generate, loadModel, tensor, type Model } from 'webgpu-rnn/node';
import { readCharRnn, type CharRnn } from '../test/support/charrnn.ts';
import { watchCalls } from '../test/support/gpu-calls.ts';
import { sharedBytes } from '../test/support/shared-data.ts';
import { ortStepper, tfjsStepper, type Stepper } from './charrnn-peers.ts';
import { adapterLine, openTwoDevices } from './device.ts';
import { measure, type Runnable } from './measure.ts';
import { dateOf, loadOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { tableOf, three } from './table.ts';

const { values: args } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, json: { type: 'string' } },
});

/** Rounds at least and at most. */
const ROUNDS = [5, 60] as const;

/** The text of a loop that waits for the scores of each token and chooses the best. */
async function written(stepper: Stepper, { prompt, ids }: CharRnn): Promise<Float32Array> {
  stepper.reset();
  const tokens: number[] = [];
  let scores: Float32Array | undefined;
  for (const token of prompt) scores = await stepper.step(token);
  while (scores && tokens.length < ids.length - prompt.length) {
    const best = scores.indexOf(Math.max(...scores));
    tokens.push(best);
    scores = await stepper.step(best);
  }
  return Float32Array.from(tokens);
}

const looped = (stepper: Stepper, charRnn: CharRnn): Runnable => ({
  name: stepper.name,
  run: () => written(stepper, charRnn),
  dispose: () => stepper.dispose(),
});

/** `generate` of a model. */
const generated = (name: string, model: Model, { prompt, ids }: CharRnn): Runnable => ({
  name,
  run: async () => {
    const tokens: number[] = [];
    const maxSteps = ids.length - prompt.length;
    for await (const token of generate(model, { prompt, temperature: 0, maxSteps })) {
      tokens.push(token);
    }
    return Float32Array.from(tokens);
  },
  dispose: () => model.dispose(),
});

/** A stream of a model, one step for each token. */
function streamStepper(name: string, model: Model): Stepper {
  const stream = model.stream();
  const [input, output] = [model.inputs[0]!.name, model.outputs[0]!.name];
  return {
    name,
    reset: () => stream.reset(),
    step: async (token) => {
      const results = await stream.step({ [input]: tensor(Int32Array.of(token), [1, 1]) });
      return results[output]!.data as Float32Array;
    },
    dispose: () => stream.dispose(),
  };
}

/** How often a run submits work and reads back, for each token. */
async function countsOf(
  device: GPUDevice,
  charRnn: CharRnn,
  contender: (model: Model) => Runnable,
): Promise<{ readonly submits: number; readonly readBacks: number }> {
  const counts = { submits: 0, readBacks: 0 };
  const model = await loadModel(charRnn.files, { device });
  const { run } = contender(model);
  watchCalls(device, (name) => {
    if (name === 'submit') counts.submits++;
    if (name === 'mapAsync') counts.readBacks++;
  });
  // The first run makes the buffers whose calls are seen; the second is as all later ones.
  await run();
  Object.assign(counts, { submits: 0, readBacks: 0 });
  const { length } = await run();
  model.dispose();
  return { submits: counts.submits / length, readBacks: counts.readBacks / length };
}

const TABLE = tableOf([
  ['engine', -24],
  ['tokens/s', 10],
  ['p10 to p95, ms a text', 24],
]);

const charRnn = await readCharRnn(sharedBytes);
const want = charRnn.ids.slice(charRnn.prompt.length);
const [{ device, adapter }, other] = await openTwoDevices({ robust: true }); // as users have it
console.log(adapterLine(adapter));
const onGpu = await loadModel(charRnn.files, { device });
const onCpu = await loadModel(charRnn.files, { device: 'wasm' });
const engines: readonly Runnable[] = [
  generated('generate webgpu', onGpu, charRnn),
  looped(streamStepper('loop webgpu', onGpu), charRnn),
  generated('generate wasm', onCpu, charRnn),
  looped(streamStepper('loop wasm', onCpu), charRnn),
  looped(await ortStepper(charRnn, 'cpu'), charRnn),
  looped(await ortStepper(charRnn, 'wasm'), charRnn),
  looped(await tfjsStepper(charRnn), charRnn),
];
for (const { name, run } of engines) {
  const got = await run();
  const wrong = want.findIndex((token, i) => got[i] !== token);
  if (wrong >= 0 || got.length !== want.length) {
    throw new Error(`${name}: token ${wrong} is ${got[wrong]}, expected ${want[wrong]}`);
  }
}
const { timings, failures } = await measure(engines, {
  rounds: ROUNDS,
  seconds: Number(args.seconds),
});
for (const failure of failures.values()) throw failure;
console.log(TABLE.head);
const rows = engines.map(({ name }) => {
  const { median, p10, p95 } = timings.get(name)!;
  const tokensPerSecond = (want.length / median) * 1000;
  console.log(TABLE.line(name, three(tokensPerSecond), `${three(p10)} to ${three(p95)}`));
  return { engine: name, tokensPerSecond, textMs: { median, p10, p95 } };
});
const calls = {
  generate: await countsOf(other.device, charRnn, (model) => generated('', model, charRnn)),
  loop: await countsOf(other.device, charRnn, (model) => looped(streamStepper('', model), charRnn)),
};
for (const [name, { submits, readBacks }] of Object.entries(calls)) {
  console.log(`${name} webgpu: ${three(submits)} submits, ${three(readBacks)} read-backs a token`);
}
const file = args.json ?? resultFile(['generate', adapter.vendor, adapter.architecture]);
writeJson(file, {
  date: dateOf(),
  adapter,
  machine: machineOf(),
  load: loadOf(),
  versions: versionsOf(['webgpu', 'onnxruntime-node', 'onnxruntime-web', '@tensorflow/tfjs']),
  tokens: want.length,
  rows,
  callsPerToken: calls,
});
console.log(`written to ${file}`);
process.exit(0); // Dawn keeps threads of its own
