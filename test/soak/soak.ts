// Three streams of one model for as long as asked: steps of changing length, forks, snapshots, and a lost GPU now and
// then. Each result is compared with that of the float64 reference. It runs in Node and in a page alike.
import { gru, loadModel, lstm, RnnError, sequential, tensor } from 'webgpu-rnn';
import type { Graph, Model, Stream, Tensor } from 'webgpu-rnn';
import { randomOf, type Random } from '../support/random.ts';

const [I, H] = [8, 16];
const STREAMS = 3;
/** float32 sums of 16 products, through two layers. */
const ATOL = 1e-5;

/** What to do and for how long. */
export interface SoakTask {
  readonly seconds: number;
  readonly seed: number;
  /** Seconds between two losses of the device; 0 for none. */
  readonly loseEvery: number;
}

/** What is counted at one moment. */
export interface Sample {
  readonly second: number;
  readonly steps: number;
  /** Buffers of all devices that are not lost. */
  readonly buffers: number;
  /** Bytes of these. */
  readonly bufferBytes: number;
  /** Bytes of JavaScript objects, after a garbage collection where one can be asked for; 0 where unknown. */
  readonly heap: number;
}

/** What came of it. */
export interface SoakReport {
  readonly adapter: string;
  readonly steps: number;
  readonly forks: number;
  readonly restores: number;
  readonly resets: number;
  readonly losses: number;
  /** Steps that were called again after a loss. */
  readonly repeated: number;
  readonly worstError: number;
  readonly samples: readonly Sample[];
  /** What went wrong; empty where nothing did. */
  readonly failures: readonly string[];
}

/** What the environment offers. */
export interface SoakHost {
  /** Bytes of live JavaScript objects; 0 where unknown. */
  readonly heap: () => number;
  /** Sees to it that every adapter of this process passes through a function. */
  readonly watch: (seen: (adapter: GPUAdapter) => GPUAdapter) => void;
}

/** Devices that have been made, with their live buffers. */
class Devices {
  readonly #live = new Map<GPUDevice, Map<GPUBuffer, number>>();
  readonly uncaught: string[] = [];

  adapter(adapter: GPUAdapter): GPUAdapter {
    const request = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => this.#watch(await request(descriptor));
    return adapter;
  }

  #watch(device: GPUDevice): GPUDevice {
    const buffers = new Map<GPUBuffer, number>();
    this.#live.set(device, buffers);
    void device.lost.then(() => this.#live.delete(device));
    device.onuncapturederror = ({ error }) => void this.uncaught.push(error.message);
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      buffers.set(buffer, descriptor.size);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        buffers.delete(buffer);
        return destroy();
      };
      return buffer;
    };
    return device;
  }

  lose(): void {
    for (const device of this.#live.keys()) device.destroy();
  }

  get count(): number {
    return [...this.#live.values()].reduce((n, { size }) => n + size, 0);
  }

  get bytes(): number {
    const sizes = [...this.#live.values()].flatMap((buffers) => [...buffers.values()]);
    return sizes.reduce((sum, size) => sum + size, 0);
  }
}

function graphOf(random: Random): Graph {
  const floats = (...dims: number[]): Tensor => {
    const size = dims.reduce((n, dim) => n * dim, 1);
    return tensor(random.floats(size, 0.4), dims);
  };
  const weights = (gates: number, inputs: number) => ({
    W: floats(gates * H, inputs),
    R: floats(gates * H, H),
    B: floats(2 * gates * H),
    returnSequences: true,
  });
  return sequential([lstm(weights(4, I)), gru(weights(3, H))]);
}

type Pair = { gpu: Stream; reference: Stream };

class Soak {
  readonly #random: Random;
  readonly #devices = new Devices();
  readonly #host: SoakHost;
  readonly #task: SoakTask;
  readonly #pairs: Pair[] = [];
  readonly #samples: Sample[] = [];
  readonly #failures: string[] = [];
  readonly #counts = { steps: 0, forks: 0, restores: 0, resets: 0, losses: 0, repeated: 0 };
  #worst = 0;

  constructor(task: SoakTask, host: SoakHost) {
    this.#task = task;
    this.#host = host;
    this.#random = randomOf(task.seed);
    host.watch((adapter) => this.#devices.adapter(adapter));
  }

  async run(): Promise<SoakReport> {
    const graph = graphOf(this.#random);
    const model = await loadModel(graph, { device: 'webgpu' });
    const reference = await loadModel(graph, { device: 'reference' });
    for (let i = 0; i < STREAMS; i++) this.#pairs.push(this.#begin(model, reference));
    const begun = performance.now();
    const seconds = (): number => (performance.now() - begun) / 1000;
    let [nextSample, nextLoss] = [0, this.#task.loseEvery || Infinity];
    while (seconds() < this.#task.seconds && this.#failures.length < 10) {
      if (seconds() >= nextLoss) {
        nextLoss += this.#task.loseEvery;
        this.#counts.losses++;
        this.#devices.lose();
      }
      if (seconds() >= nextSample) {
        nextSample += Math.max(1, this.#task.seconds / 60);
        this.#sample(seconds());
      }
      await this.#iterate();
    }
    this.#sample(seconds());
    const { adapter } = model;
    model.dispose();
    reference.dispose();
    for (const message of this.#devices.uncaught) this.#failures.push(`uncaught: ${message}`);
    return {
      adapter,
      ...this.#counts,
      worstError: this.#worst,
      samples: this.#samples,
      failures: this.#failures,
    };
  }

  #begin(model: Model, reference: Model): Pair {
    return { gpu: model.stream({ checkpoint: 1 }), reference: reference.stream() };
  }

  #sample(second: number): void {
    const { count: buffers, bytes: bufferBytes } = this.#devices;
    const { steps } = this.#counts;
    const rounded = Math.round(second);
    this.#samples.push({ second: rounded, steps, buffers, bufferBytes, heap: this.#host.heap() });
  }

  /** One call of a random kind, or a step of every stream at once. */
  async #iterate(): Promise<void> {
    const random = this.#random;
    const k = random.int(0, STREAMS - 1);
    const pair = this.#pairs[k]!;
    const kind = random.int(0, 999);
    try {
      if (kind < 2) await this.#fork(k);
      else if (kind < 4) await this.#restore(pair);
      else if (kind < 5) this.#reset(pair);
      else await Promise.all(this.#pairs.map((each) => this.#step(each)));
    } catch (error) {
      this.#failures.push(error instanceof RnnError ? JSON.stringify(error) : String(error));
    }
  }

  async #step({ gpu, reference }: Pair): Promise<void> {
    const steps = this.#random.chance(0.98) ? 1 : this.#random.int(2, 12);
    const feeds = { X: tensor(this.#random.floats(steps * I), [1, steps, I]) };
    const want = reference.stepSync(feeds)['Y']!;
    const got = (await this.#untilDone(() => gpu.step(feeds)))['Y']!;
    this.#counts.steps += steps;
    for (const [i, x] of got.data.entries()) {
      const error = Math.abs(Number(x) - Number(want.data[i]));
      this.#worst = Math.max(this.#worst, error);
      if (!(error <= ATOL)) {
        this.#failures.push(`step ${this.#counts.steps}: got ${x}, want ${want.data[i]}`);
        return;
      }
    }
  }

  /** A call that a lost device has rejected is made again: with `checkpoint: 1` the state is that before it. */
  async #untilDone<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof RnnError) || error.code !== 'DEVICE_LOST') throw error;
        this.#counts.repeated++;
      }
    }
  }

  async #fork(k: number): Promise<void> {
    const before = this.#pairs[k]!;
    this.#pairs[k] = { gpu: before.gpu.fork(), reference: before.reference.fork() };
    before.gpu.dispose();
    before.reference.dispose();
    this.#counts.forks++;
  }

  async #restore({ gpu, reference }: Pair): Promise<void> {
    const state = await this.#untilDone(() => gpu.snapshot());
    const same = await reference.snapshot();
    await this.#step({ gpu, reference });
    gpu.restore(JSON.parse(JSON.stringify(state)));
    reference.restore(same);
    this.#counts.restores++;
  }

  #reset({ gpu, reference }: Pair): void {
    gpu.reset();
    reference.reset();
    this.#counts.resets++;
  }
}

/** Does as told. @returns what came of it; it never rejects for what a stream does */
export const soak = (task: SoakTask, host: SoakHost): Promise<SoakReport> =>
  new Soak(task, host).run();
