// `npm run bench:loops`: recurrences that are exported as Scan, on the CPU and on the adapter, against ONNX Runtime's CPU
// provider with one thread. Rounds alternate between the engines; the medians are printed, and how much memory of the
// process a first call takes. An engine whose answer is wrong is not timed.
//
//   npm run bench:loops                    10,000 time steps
//   npm run bench:loops -- --steps 1000 --rounds 5 --features 64 --units 16
//   npm run bench:loops -- --devices wasm,js,webgpu
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { loadModel, tensor, type Model } from 'webgpu-rnn/node';
import { writeOnnx } from '../test/support/onnx-writer.ts';
import { randomOf } from '../test/support/random.ts';
import { scanBodies, scanGraph } from '../test/support/scan-bodies.ts';
import { median } from './statistics.ts';

const { values: args } = parseArgs({
  options: {
    steps: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    features: { type: 'string', default: '64' },
    units: { type: 'string', default: '16' },
    devices: { type: 'string', default: 'wasm,js' },
  },
});
const steps = Number(args.steps);
const sizes = { rows: 1, features: Number(args.features), units: Number(args.units) };

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (x, i) => Math.abs(x - b[i]!)).reduce((x, y) => Math.max(x, y), 0);

for (const body of scanBodies(sizes)) {
  const file = writeOnnx(scanGraph(body, { op: 'Scan' }));
  const data = randomOf(1).floats(steps * sizes.features);
  const dims = [steps, 1, sizes.features];
  const session = await InferenceSession.create(file, {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const runTheirs = async (): Promise<ArrayLike<number>> => {
    const { ys } = await session.run({ xs: new OrtTensor('float32', data, dims) });
    return ys!.data as Float32Array;
  };
  const expected = await runTheirs();
  const runs = new Map<string, () => Promise<unknown>>([['ort-cpu', runTheirs]]);
  const models: Model[] = [];
  for (const device of args.devices.split(',') as ('wasm' | 'js' | 'webgpu')[]) {
    const model = await loadModel(file, { device });
    models.push(model);
    const run = () => model.run({ xs: tensor(data, dims) });
    const before = process.memoryUsage().rss;
    const { ys } = await run();
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    const off = worst(ys!.data as Float32Array, expected);
    console.log(
      `${body.name}: ${device} is off by ${off.toExponential(1)}, ${grown.toFixed(0)} MiB`,
    );
    if (off < 1e-4) runs.set(device, run);
  }
  const times = new Map([...runs.keys()].map((name) => [name, [] as number[]]));
  for (let round = 0; round < Number(args.rounds); round++) {
    for (const [name, run] of runs) {
      const from = performance.now();
      await run();
      times.get(name)!.push(performance.now() - from);
    }
  }
  const theirs = median(times.get('ort-cpu')!);
  for (const [name, list] of times) {
    const ours = median(list);
    console.log(
      `  ${name.padEnd(8)} ${ours.toFixed(1)} ms, ${(theirs / ours).toFixed(2)} times as fast`,
    );
  }
  for (const model of models) model.dispose();
  await session.release();
}
process.exit(0); // Dawn keeps the process alive
