// Measures the peaks of an adapter: how fast it copies memory, and how fast it multiplies matrices in f32. The
// figures of kernels are to be read against these.
import { median } from './statistics.ts';

/** Peaks of an adapter. */
export interface Peaks {
  /** 10⁹ bytes a second, read and written, of a copy from buffer to buffer. */
  readonly copyGBps: number;
  readonly copyBytes: number;
  /**
   * 10⁹ floating point operations a second of a plain f32 matrix product with tiles in registers: what
   * careful WGSL reaches, not what the data sheet says.
   */
  readonly matmulGflops: number;
  readonly matmulSize: number;
}

const SAMPLES = 5;
const MIN_SAMPLE_MS = 60; // so that the submit does not count

/**
 * Milliseconds of one repetition, the submit and the wait included: recorded so often that these do
 * not count.
 */
async function timeOf(device: GPUDevice, record: (to: GPUCommandEncoder, times: number) => void) {
  const once = async (times: number): Promise<number> => {
    const encoder = device.createCommandEncoder();
    record(encoder, times);
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await once(1);
  let times = 1;
  while (times < 4096 && (await once(times)) < MIN_SAMPLE_MS) times *= 2;
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) samples.push((await once(times)) / times);
  return median(samples);
}

async function copyPeak(device: GPUDevice, software: boolean): Promise<[number, number]> {
  // Far beyond any cache of a GPU; a CPU copies slowly enough.
  const size = Math.min(device.limits.maxBufferSize, software ? 2 ** 25 : 2 ** 29);
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [device.createBuffer({ size, usage }), device.createBuffer({ size, usage })];
  const ms = await timeOf(device, (encoder, times) => {
    for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
  });
  for (const buffer of [from, to]) buffer.destroy();
  return [(2 * size) / ms / 1e6, size];
}

const ROWS = Array.from({ length: 8 }, (_, r) => r);
const COLUMNS = [0, 1, 2, 3];

/** The source of C = A·B, n×n, with a tile of 8×8 of C in each thread's registers. */
type Matmul = (n: number) => string;

const buffersOf = (n: number): string =>
  [0, 1, 2]
    .map((i) => {
      const access = i < 2 ? 'read' : 'read_write';
      return `@group(0) @binding(${i}) var<storage, ${access}> ${'abc'[i]}: array<vec4f, ${(n * n) / 4}>;`;
    })
    .join('\n');

// Variables instead of an array: not every compiler keeps arrays in registers.
const SUMS = ROWS.map((r) => `var s${r} = vec4f(); var t${r} = vec4f();`).join(' ');

// For GPUs: 256 threads share a tile of 128×128 of C, and read 8 columns of A and 8 rows of B at a time
// into workgroup memory. Rows and columns of a thread are 4 and 4, with a stride of 64, so that neighbours read
// neighbours.
const sharedMatmul: Matmul = (n) => /* wgsl */ `
${buffersOf(n)}
var<workgroup> ta: array<array<vec4f, 32>, 8>; // [k][row / 4]
var<workgroup> tb: array<array<vec4f, 32>, 8>; // [k][column / 4]

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) tile: vec3u) {
  let x = t % 16u;
  let y = t / 16u;
  ${SUMS}
  for (var k0 = 0u; k0 < ${n / 8}u; k0++) {
    let row = t / 2u;
    let four = a[(tile.y * 128u + row) * ${n / 4}u + k0 * 2u + t % 2u];
    for (var i = 0u; i < 4u; i++) { ta[(t % 2u) * 4u + i][row / 4u][row % 4u] = four[i]; }
    tb[t / 32u][t % 32u] = b[(k0 * 8u + t / 32u) * ${n / 4}u + tile.x * 32u + t % 32u];
    workgroupBarrier();
    for (var k = 0u; k < 8u; k++) {
      let l0 = ta[k][y];
      let l1 = ta[k][16u + y];
      let r0 = tb[k][x];
      let r1 = tb[k][16u + x];
      ${ROWS.map((r) => `s${r} += l${r >> 2}[${r % 4}] * r0; t${r} += l${r >> 2}[${r % 4}] * r1;`).join('\n      ')}
    }
    workgroupBarrier();
  }
  ${ROWS.map((r) => {
    const row = `tile.y * 128u + ${(r >> 2) * 64 + (r % 4)}u + 4u * y`;
    const at = `(${row}) * ${n / 4}u + tile.x * 32u + x`;
    return `c[${at}] = s${r}; c[${at} + 16u] = t${r};`;
  }).join('\n  ')}
}`;

// For CPUs that stand in for a GPU: their caches do what workgroup memory is for, and barriers cost. Four
// columns of a thread have a stride of 32, so that the lanes of a vector instruction read neighbours.
const plainMatmul: Matmul = (n) => /* wgsl */ `
${buffersOf(n).replaceAll(/([bc]: array<)vec4f, \d+/g, `$1f32, ${n * n}`)}

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) tile: vec3u) {
  let x = tile.x * 128u + t;
  let y = tile.y * 8u;
  ${ROWS.map((r) => COLUMNS.map((c) => `var s${r}_${c} = 0.0;`).join(' ')).join('\n  ')}
  for (var k = 0u; k < ${n / 4}u; k++) {
    ${ROWS.map((r) => `let l${r} = a[(y + ${r}u) * ${n / 4}u + k];`).join('\n    ')}
    ${COLUMNS.map(
      (i) => `{
      let at = (k * 4u + ${i}u) * ${n}u + x;
      ${COLUMNS.map((c) => `let p${c} = b[at + ${32 * c}u];`).join(' ')}
      ${ROWS.map((r) => COLUMNS.map((c) => `s${r}_${c} += l${r}[${i}] * p${c};`).join(' ')).join('\n      ')}
    }`,
    ).join('\n    ')}
  }
  ${ROWS.map((r) => COLUMNS.map((c) => `c[(y + ${r}u) * ${n}u + x + ${32 * c}u] = s${r}_${c};`).join(' ')).join('\n  ')}
}`;

async function matmulPeak(device: GPUDevice, software: boolean): Promise<[number, number]> {
  const n = software ? 512 : 4096;
  const source = software ? plainMatmul(n) : sharedMatmul(n);
  const grid: [number, number] = software ? [n / 128, n / 8] : [n / 128, n / 128];
  const numbers = Float32Array.from({ length: n * n }, () => Math.random() - 0.5); // zeros run faster
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const usage = STORAGE | COPY_DST | COPY_SRC;
  const buffers = [0, 1, 2].map(() => device.createBuffer({ size: numbers.byteLength, usage }));
  for (const buffer of buffers.slice(0, 2)) device.queue.writeBuffer(buffer, 0, numbers);
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code: source }) },
  });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const ms = await timeOf(device, (encoder, times) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...grid);
    pass.end();
  });

  // A fast wrong product would be no peak.
  const staging = device.createBuffer({ size: n * 4, usage: COPY_DST | MAP_READ });
  const row = n / 2 + 77;
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffers[2]!, row * n * 4, staging, 0, n * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const got = new Float32Array(staging.getMappedRange());
  for (let column = 0; column < n; column += 61) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += numbers[row * n + k]! * numbers[k * n + column]!;
    if (!(Math.abs(sum - got[column]!) < 1e-2)) throw new Error('the matmul probe is wrong');
  }
  for (const buffer of [...buffers, staging]) buffer.destroy();
  return [(2 * n ** 3) / ms / 1e6, n];
}

/** Measures both peaks; about a second. */
export async function probePeaks(device: GPUDevice, software: boolean): Promise<Peaks> {
  const [copyGBps, copyBytes] = await copyPeak(device, software);
  const [matmulGflops, matmulSize] = await matmulPeak(device, software);
  return { copyGBps, copyBytes, matmulGflops, matmulSize };
}

/** The peaks in a line. */
export const formatPeaks = ({ copyGBps, matmulGflops }: Peaks): string =>
  `peaks measured here: copy ${copyGBps.toPrecision(3)} GB/s, f32 matrix product ${matmulGflops.toPrecision(3)} GFLOP/s`;
