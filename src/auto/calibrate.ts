// What this machine gives: measured once for each adapter, for as long as the page lives.
import { wasmSession } from '../backends/wasm/wasm-session.ts';
import { completionOf } from '../gpu/completion.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Graph, RecurrentAttributes } from '../graph.ts';
import { tensor } from '../tensor.ts';
import type { Calibration } from './predict.ts';

type Throughput = Omit<Calibration['webgpu'], 'callMs'>;

/**
 * What is not measured, because it would compile kernels. Of the software adapters, `npm run bench` on two cores of a
 * Xeon: LSTM layers of 128 to 256 units, one row to 16 rows, came to 2.2 to 5.8 GFLOP/s on SwiftShader and to 3.4 to
 * 14 GFLOP/s on llvmpipe; the lower end is taken. No GPU has been measured: 10 µs a dispatch, 200 GFLOP/s and 200 GB/s
 * are assumed, which a small one has.
 */
const THROUGHPUT: Readonly<Record<Gpu['kind'], Throughput>> = {
  gpu: { dispatchMs: 0.01, flopsPerMs: 2e8, bytesPerMs: 2e8 },
  swiftshader: { dispatchMs: 0.05, flopsPerMs: 2e6, bytesPerMs: 8e6 },
  llvmpipe: { dispatchMs: 0.05, flopsPerMs: 3e6, bytesPerMs: 12e6 },
};

const ROUNDS = 3;

/** Milliseconds from a submit to its result in JavaScript: the best of some round trips of 16 bytes. */
async function roundTrip(gpu: Gpu): Promise<number> {
  const { device } = gpu;
  const { queue } = device;
  const from = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC });
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
  const to = device.createBuffer({ size: 16, usage });
  try {
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(from, 0, to, 0, 16);
      queue.submit([encoder.finish()]);
      await gpu.guard(completionOf(queue, to.mapAsync(GPUMapMode.READ)));
      to.unmap();
      best = Math.min(best, performance.now() - start);
    }
    return best;
  } finally {
    from.destroy();
    to.destroy();
  }
}

// An LSTM that fits every cache, whose time is that of its arithmetic.
const [UNITS, STEPS] = [64, 32];
const PROBE_FLOPS = 2 * STEPS * 4 * UNITS * 2 * UNITS;
/** At most as long, and until a clock of 0.1 ms is exact to a tenth. */
const [MAX_RUNS, MIN_MS] = [16, 1];

/** The layer that the CPU is measured with: nothing but recurrence, for a model of such layers loads no other operators. */
export function probeGraph(): Graph {
  const weights = tensor(new Float32Array(4 * UNITS * UNITS).fill(0.01), [1, 4 * UNITS, UNITS]);
  const attributes: RecurrentAttributes = {
    cell: 'lstm',
    direction: 'forward',
    hidden: UNITS,
    layout: 0,
    activations: ['Sigmoid', 'Tanh', 'Tanh'],
    alphas: [NaN, NaN, NaN],
    betas: [NaN, NaN, NaN],
    clip: 0,
    coupled: false,
    resetAfter: false,
    maskedOutput: 'zero',
  };
  return {
    name: 'probe',
    inputs: [{ name: 'X', type: 'float32', dims: [STEPS, 1, UNITS] }],
    outputs: [{ name: 'Y', type: 'float32', dims: [STEPS, 1, 1, UNITS] }],
    constants: new Map([
      ['W', weights],
      ['R', weights],
    ]),
    nodes: [{ op: 'Recurrent', name: 'lstm', inputs: ['X', 'W', 'R'], outputs: ['Y'], attributes }],
  };
}

/** Floating point operations in a millisecond on the CPU. */
async function speedOfCpu(): Promise<number> {
  const graph = probeGraph();
  const session = await wasmSession(graph);
  const { name } = graph.inputs[0]!;
  const outputs = graph.outputs.map((output) => output.name);
  const feeds = { [name]: tensor(new Float32Array(STEPS * UNITS), [STEPS, 1, UNITS]) };
  session.runSync(feeds, outputs); // makes the program
  // The best of some rounds: in one the thread may have been interrupted, or the engine may still have been compiling.
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let [runs, elapsed] = [0, 0];
    while (runs < MAX_RUNS && elapsed < MIN_MS) {
      session.runSync(feeds, outputs);
      runs++;
      elapsed = performance.now() - start;
    }
    // A clock that stands still must not promise everything.
    best = Math.max(best, (runs * PROBE_FLOPS) / Math.max(elapsed, MIN_MS / 10));
  }
  session.dispose();
  return best;
}

const cache = new Map<string, Promise<Calibration>>();
let forced: Calibration | undefined;

/** For tests: takes the place of what would be measured, until it is taken back by `undefined`. */
export function forceCalibration(calibration: Calibration | undefined): void {
  forced = calibration;
}

async function measure(gpu: Gpu): Promise<Calibration> {
  const [callMs, flopsPerMs] = [await roundTrip(gpu), await speedOfCpu()];
  return {
    webgpu: { callMs, ...THROUGHPUT[gpu.kind] },
    wasm: { callMs: 0.005, kernelMs: 0.0005, flopsPerMs },
  };
}

/**
 * The calibration of this machine and an adapter.
 *
 * @throws RnnError `DEVICE_LOST`
 */
export function calibrate(gpu: Gpu): Promise<Calibration> {
  if (forced) return Promise.resolve(forced);
  const key = gpu.description;
  let found = cache.get(key);
  if (!found) {
    found = measure(gpu);
    cache.set(key, found);
    found.catch(() => cache.delete(key)); // the next device may work
  }
  return found;
}
