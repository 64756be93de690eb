// Measures the small costs of a GPU that decide between kernels: a dispatch, a barrier, an exchange between
// workgroups, a submit and a read-back. Every chain checks its result: a skipped one would be fast.
import { errorLine } from './measure.ts';
import { median } from './statistics.ts';

/** Microseconds each. */
export interface MicroCosts {
  /** A dispatch that waits for the one before, both writing the same buffer. */
  readonly dependentDispatchUs: number;
  /** A dispatch that reads what the one before wrote, alternating between two buffers. */
  readonly pingPongDispatchUs: number;
  /** A barrier of 256 invocations, with a word written before and read after. */
  readonly barrierUs: number;
  /** Every workgroup sends every other a word; null where they never all ran at once. */
  readonly exchange: readonly { readonly workgroups: number; readonly us: number | null }[];
  /** From the submit of a small copy to its bytes on the host. */
  readonly readBackUs: number;
  /** A submit, beyond the dispatch that is in it. */
  readonly submitUs: number;
}

const SAMPLES = 7;
const SPINS = 1 << 16; // tens of milliseconds at most
const WORKGROUPS = [2, 4, 8, 16, 32, 64, 128];

/** Records commands. */
type Record = (encoder: GPUCommandEncoder) => void;

class Bench {
  readonly device: GPUDevice;
  constructor(device: GPUDevice) {
    this.device = device;
  }

  storage(size: number): GPUBuffer {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    return this.device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
  }

  async pipeline(code: string): Promise<GPUComputePipeline> {
    const module = this.device.createShaderModule({ code });
    return this.device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  }

  group(pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[]): GPUBindGroup {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    return this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  }

  /** Milliseconds from the submit to the end. */
  async time(record: Record): Promise<number> {
    const encoder = this.device.createCommandEncoder();
    record(encoder);
    const commands = encoder.finish();
    const start = performance.now();
    this.device.queue.submit([commands]);
    await this.device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }

  /** Microseconds of one of many: what a chain three times as long takes longer, so that ends cancel. */
  async chain(length: number, record: (encoder: GPUCommandEncoder, count: number) => void) {
    const samples: number[] = [];
    for (let i = -2; i < SAMPLES; i++) {
      const short = await this.time((encoder) => record(encoder, length));
      const long = await this.time((encoder) => record(encoder, 3 * length));
      if (i >= 0) samples.push((1000 * (long - short)) / (2 * length)); // the first two warm up
    }
    return median(samples);
  }

  async words(buffer: GPUBuffer, count: number): Promise<Uint32Array> {
    const { COPY_DST, MAP_READ } = GPUBufferUsage;
    const staging = this.device.createBuffer({ size: count * 4, usage: COPY_DST | MAP_READ });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, count * 4);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const words = new Uint32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return words;
  }
}

function expectWord(got: number, expected: number, what: string): void {
  if (got !== expected) throw new Error(`${what}: got ${got}, expected ${expected}`);
}

async function dispatchChain(bench: Bench, length: number): Promise<number> {
  const pipeline = await bench.pipeline(`
    @group(0) @binding(0) var<storage, read_write> a: array<u32>;
    @compute @workgroup_size(1) fn main() { a[0] += 1u; }`);
  const buffer = bench.storage(16);
  const group = bench.group(pipeline, [buffer]);
  let total = 0;
  const us = await bench.chain(length, (encoder, count) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(1);
    pass.end();
    total += count;
  });
  expectWord((await bench.words(buffer, 1))[0]!, total, 'dispatches');
  return us;
}

async function pingPong(bench: Bench, length: number): Promise<number> {
  const pipeline = await bench.pipeline(`
    @group(0) @binding(0) var<storage, read> a: array<u32>;
    @group(0) @binding(1) var<storage, read_write> b: array<u32>;
    @compute @workgroup_size(1) fn main() { b[0] = a[0] + 1u; }`);
  const [a, b] = [bench.storage(16), bench.storage(16)];
  const groups = [bench.group(pipeline, [a, b]), bench.group(pipeline, [b, a])];
  let total = 0;
  const us = await bench.chain(length, (encoder, count) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (let i = 0; i < count; i++) {
      pass.setBindGroup(0, groups[i % 2]!);
      pass.dispatchWorkgroups(1);
    }
    pass.end();
    total += count;
  });
  expectWord((await bench.words(a, 1))[0]!, total, 'ping-pong dispatches'); // counts are even
  return us;
}

async function barrierLoop(bench: Bench, length: number): Promise<number> {
  const out = bench.storage(1024);
  const make = async (count: number) => {
    const pipeline = await bench.pipeline(`
      @group(0) @binding(0) var<storage, read_write> out: array<u32, 256>;
      var<workgroup> words: array<u32, 256>;
      @compute @workgroup_size(256) fn main(@builtin(local_invocation_index) t: u32) {
        var v = t;
        for (var i = 0u; i < ${count}u; i++) {
          words[t] = v;
          workgroupBarrier();
          v = words[(t + 1u) % 256u] + 1u;
          workgroupBarrier();
        }
        out[t] = v;
      }`);
    return { pipeline, group: bench.group(pipeline, [out]) };
  };
  const made = new Map([
    [length, await make(length)],
    [3 * length, await make(3 * length)],
  ]);
  const us = await bench.chain(length, (encoder, count) => {
    const { pipeline, group } = made.get(count)!;
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
  });
  const rounds = 3 * length; // the last that ran
  expectWord((await bench.words(out, 8))[7]!, ((7 + rounds) % 256) + rounds, 'barriers');
  return us / 2; // two a round
}

// Words that carry their data are the only message between workgroups that WGSL orders. 0 means not
// there yet. Spins are bounded: nothing promises that workgroups run at once.
const exchangeCode = (workgroups: number, steps: number, spins: number): string => `
  @group(0) @binding(0) var<storage, read_write> slots: array<atomic<u32>, ${steps * workgroups}>;
  @group(0) @binding(1) var<storage, read_write> state: array<atomic<u32>, 4>; // ticket, gave up, sum
  var<workgroup> got: array<u32, ${workgroups}>;
  var<workgroup> ticket: u32;
  var<workgroup> stop: u32;
  @compute @workgroup_size(128) fn main(@builtin(local_invocation_index) t: u32) {
    if (t == 0u) { ticket = atomicAdd(&state[0], 1u); }
    let me = workgroupUniformLoad(&ticket);
    var value = me + 1u;
    for (var step = 0u; step < ${steps}u; step++) {
      if (t == 0u) { atomicStore(&slots[step * ${workgroups}u + me], value); }
      if (t < ${workgroups}u) {
        var word = 0u;
        for (var spin = 0u; spin < ${spins}u; spin++) {
          word = atomicLoad(&slots[step * ${workgroups}u + t]);
          if (word != 0u) { break; }
          if (spin % 64u == 63u && atomicLoad(&state[1]) != 0u) { break; }
        }
        if (word == 0u) { atomicStore(&state[1], 1u); stop = 1u; }
        got[t] = word;
      }
      if (workgroupUniformLoad(&stop) != 0u) { break; }
      value = got[(me + 1u) % ${workgroups}u] + 1u;
      workgroupBarrier();
    }
    if (t == 0u) { atomicAdd(&state[2], value); }
  }`;

/** Microseconds of a step in which all workgroups exchange a word, or null. */
async function exchange(bench: Bench, workgroups: number, steps: number, spins: number) {
  const state = bench.storage(16);
  const slots = bench.storage(3 * steps * workgroups * 4);
  const make = async (count: number) => {
    const pipeline = await bench.pipeline(exchangeCode(workgroups, count, spins));
    return { pipeline, group: bench.group(pipeline, [slots, state]) };
  };
  const made = new Map([
    [steps, await make(steps)],
    [3 * steps, await make(3 * steps)],
  ]);
  const record = (encoder: GPUCommandEncoder, count: number): void => {
    encoder.clearBuffer(slots);
    encoder.clearBuffer(state);
    const { pipeline, group } = made.get(count)!;
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
    pass.end();
  };
  const gaveUp = async (): Promise<boolean> => (await bench.words(state, 2))[1] !== 0;
  await bench.time((encoder) => record(encoder, steps));
  if (await gaveUp()) return null;
  const us = await bench.chain(steps, record);
  if (await gaveUp()) return null;
  const sum = (workgroups * (workgroups + 1)) / 2 + workgroups * 3 * steps;
  expectWord((await bench.words(state, 3))[2]!, sum, `exchange of ${workgroups}`);
  for (const buffer of [state, slots]) buffer.destroy();
  return us;
}

async function readBack({ device }: Bench): Promise<number> {
  const { COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const from = device.createBuffer({ size: 16, usage: COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
  const samples: number[] = [];
  for (let i = 0; i < 60; i++) {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, staging, 0, 16);
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await staging.mapAsync(GPUMapMode.READ);
    staging.getMappedRange();
    samples.push(1000 * (performance.now() - start));
    staging.unmap();
  }
  return median(samples.slice(10));
}

async function submitCost(bench: Bench, count: number): Promise<number> {
  const { device } = bench;
  const pipeline = await bench.pipeline(`
    @group(0) @binding(0) var<storage, read_write> a: array<u32>;
    @compute @workgroup_size(1) fn main() { a[0] += 1u; }`);
  const group = bench.group(pipeline, [bench.storage(16)]);
  const commands = (dispatches: number): GPUCommandBuffer => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < dispatches; i++) pass.dispatchWorkgroups(1);
    pass.end();
    return encoder.finish();
  };
  const time = async (buffers: readonly GPUCommandBuffer[]): Promise<number> => {
    const start = performance.now();
    for (const buffer of buffers) device.queue.submit([buffer]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  const samples: number[] = [];
  for (let i = -2; i < SAMPLES; i++) {
    const many = await time(Array.from({ length: count }, () => commands(1)));
    const one = await time([commands(count)]);
    if (i >= 0) samples.push((1000 * (many - one)) / (count - 1));
  }
  return median(samples);
}

/** Measures all of them; some seconds on a GPU. */
export async function measureMicroCosts(device: GPUDevice, software: boolean): Promise<MicroCosts> {
  const bench = new Bench(device);
  const exchanges: { workgroups: number; us: number | null; reason?: string }[] = [];
  for (const workgroups of WORKGROUPS) {
    try {
      const us = await exchange(bench, workgroups, 64, SPINS);
      exchanges.push({ workgroups, us });
      if (us === null) break; // more workgroups run at once even less
    } catch (error) {
      exchanges.push({ workgroups, us: null, reason: errorLine(error) });
    }
  }
  return {
    dependentDispatchUs: await dispatchChain(bench, software ? 500 : 2000),
    pingPongDispatchUs: await pingPong(bench, software ? 500 : 2000),
    barrierUs: await barrierLoop(bench, software ? 256 : 4096),
    exchange: exchanges,
    readBackUs: await readBack(bench),
    submitUs: await submitCost(bench, 100),
  };
}

const us = (value: number | null): string => (value === null ? 'never' : value.toPrecision(3));

/** The costs in two lines. */
export const formatCosts = (costs: MicroCosts): string =>
  [
    `µs: dispatch ${us(costs.dependentDispatchUs)}, ping-pong ${us(costs.pingPongDispatchUs)}, ` +
      `barrier ${us(costs.barrierUs)}, submit ${us(costs.submitUs)}, read-back ${us(costs.readBackUs)}`,
    `µs of an exchange of n workgroups: ${costs.exchange.map((one) => `${one.workgroups}: ${us(one.us)}`).join(', ')}`,
  ].join('\n');
