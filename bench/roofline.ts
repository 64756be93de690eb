// `npm run bench:cpu -- --roofline`: what the kernels of the CPU reach of what one core can multiply and add, for
// operands that stay in its first cache, in its second one, and in neither.
import { gru, loadModel, lstm, sequential, tensor, type Graph, type Tensor } from 'webgpu-rnn';
import { randomOf } from '../test/support/random.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { roofOf } from './roof.ts';
import { loadavg } from 'node:os';
import { tableOf } from './table.ts';
import { convolutionOf, product, type Task } from './tasks.ts';

/** One row of the table: work with its count of operations, and the bytes of its weights. */
interface Work {
  readonly name: string;
  readonly model: Graph | Uint8Array;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly flops: number;
  readonly weightBytes: number;
}

const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    randomOf(7).floats(
      dims.reduce((a, b) => a * b, 1),
      0.1,
    ),
    dims,
  );

/** Rows of a projection, and time steps of a recurrence. */
const STEPS = 64;

const fromTask = (task: Task, flops: number, weights: number): Work => ({
  name: task.name,
  model: task.file,
  feeds: task.feeds,
  flops,
  weightBytes: 4 * weights,
});

/** A layer with one input, so that nearly all of its work is the product with its state. */
function recurrence(cell: 'lstm' | 'gru', H: number): Work {
  const [make, G] = cell === 'lstm' ? [lstm, 4] : [gru, 3];
  const layer = make({ W: floats(G * H, 1), R: floats(G * H, H) });
  const graph = sequential([layer], { layout: 0 });
  return {
    name: `recurrence ${cell} H=${H} T=${STEPS}`,
    model: graph,
    feeds: { [graph.inputs[0]!.name]: floats(STEPS, 1, 1) },
    flops: 2 * STEPS * G * H * (H + 1),
    weightBytes: 4 * G * H * (H + 1),
  };
}

const works = (): readonly Work[] => [
  ...[64, 256, 2048].map((N) => fromTask(product(STEPS, N), 2 * STEPS * N * N, N * N)),
  ...[16, 128, 512].map((C) => fromTask(convolutionOf(C, 256), 2 * 256 * 3 * C * C, 3 * C * C)),
  ...[32, 256, 1024].map((H) => recurrence('lstm', H)),
  ...[32, 256, 1024].map((H) => recurrence('gru', H)),
];

/** GFLOP/s of the best of some calls: what the kernels can do, whatever else the machine does meanwhile. */
async function reached({ model: source, feeds, flops }: Work): Promise<number> {
  const model = await loadModel(source, { device: 'wasm' });
  try {
    let best = Infinity;
    const end = performance.now() + 600;
    for (let calls = 0; calls < 50 || performance.now() < end; calls++) {
      const count = Math.max(1, Math.round(2e6 / flops));
      const start = performance.now();
      for (let k = 0; k < count; k++) model.runSync(feeds);
      best = Math.min(best, (performance.now() - start) / count);
    }
    return flops / best / 1e6;
  } finally {
    model.dispose();
  }
}

/** Measures, prints and writes everything. */
export async function roofline(json: string | undefined): Promise<void> {
  const load = loadavg()[0]!;
  const [roof, fused] = [await roofOf('mul+add'), await roofOf('relaxed madd')];
  const adapter = await adapterOf();
  const isFused = adapter.includes('relaxed');
  console.log(`mul+add ${roof!.toFixed(1)} GFLOP/s, relaxed madd ${fused?.toFixed(1) ?? 'n/a'}`);
  console.log(`kernels: ${adapter}; load average ${load.toFixed(1)}`);
  const table = tableOf([
    ['GFLOP/s', -28],
    ['weights KB', 10],
    ['reached', 8],
    ['of the roof', 11],
  ]);
  console.log(table.head);
  const limit = (isFused ? fused : roof)!;
  const rows = [];
  for (const work of works()) {
    const gflops = await reached(work);
    const { name, weightBytes } = work;
    const cells = [(weightBytes / 1024).toFixed(0), gflops.toFixed(1)];
    console.log(table.line(name, ...cells, `${((100 * gflops) / limit).toFixed(0)} %`));
    rows.push({ name, weightBytes, gflops, ofRoof: gflops / limit });
  }
  const file = json ?? resultFile(['roofline', isFused ? 'relaxed' : 'simd128']);
  const roofs = { mulAdd: roof, relaxedMadd: fused ?? null };
  const about = { date: dateOf(), versions: versionsOf([]), machine: machineOf() };
  writeJson(file, { ...about, loadAverage: load, kernels: adapter, roofs, rows });
  console.log(file);
}

/** The build of the kernels that this engine gets. */
async function adapterOf(): Promise<string> {
  const model = await loadModel(recurrence('lstm', 4).model, { device: 'wasm' });
  const { adapter } = model;
  model.dispose();
  return adapter;
}
