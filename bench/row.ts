// Measures one shape on all engines of Node: answers first, then times, interleaved, then what our run asks of
// the device. And prints it.
import type { LoadOptions } from 'webgpu-rnn/node';
import { finiteDifference, isRight } from './answers.ts';
import type { BenchDevice } from './device.ts';
import { errorLine, measure, type Runnable, type Timing } from './measure.ts';
import { Meter, type DeviceUsage } from './meter.ts';
import { findOnnxRuntime, ort, ours } from './node-engines.ts';
import { nameOf, trafficOf, type Workload } from './shapes.ts';
import { median } from './statistics.ts';
import { ratioText, tableOf, three } from './table.ts';

// Beyond this the float64 reference takes minutes, and ONNX Runtime's CPU provider is the arbiter.
const REFERENCE_FLOPS = 4e8;
const OBSERVED_RUNS = 5; // for the median of their GPU times
const BACK_TO_BACK = 8;

/** One shape on all engines. */
export interface Row {
  readonly shape: string;
  /** Floating point operations of one run, and bytes that it touches by {@link trafficOf}. */
  readonly flops: number;
  readonly trafficBytes: number;
  /** Whose answer counts as right; none where the shape is large and ONNX Runtime is not installed. */
  readonly arbiter: 'float64' | 'ort-cpu' | 'none';
  /** Largest difference from the right answer; null where it is no number. */
  readonly errors: Readonly<Record<string, number | null>>;
  /** Milliseconds end to end (upload, compute, read back) of engines whose answer is right. */
  readonly times: Readonly<Record<string, Timing>>;
  /** Why an engine has no times, where it threw. */
  readonly failures: Readonly<Record<string, string>>;
  /** What one run of ours asks of the device, and its GPU time. */
  readonly usage?: DeviceUsage;
  /** Milliseconds of one run of ours when several are called at once and awaited together. */
  readonly backToBackMs?: number;
  /** Peak bytes of our GPU buffers, weights and read-back included. */
  readonly peakBytes?: number;
  /** Rates of our run, by its GPU time, or end to end where there is none. */
  readonly gflops?: number;
  readonly gbps?: number;
}

/** How to measure. */
export interface RowOptions {
  readonly seconds: number;
  readonly kernel?: NonNullable<LoadOptions['recurrentKernel']> | undefined;
  /** Leaves ONNX Runtime out. */
  readonly alone?: boolean;
}

type Named = Record<string, Runnable>;

/** Measures shapes on one device. */
export class RowMaker {
  readonly #device: GPUDevice;
  readonly #meter: Meter;
  readonly #options: RowOptions;

  constructor({ device }: BenchDevice, options: RowOptions) {
    this.#device = device;
    this.#meter = new Meter(device);
    this.#options = options;
  }

  /** Measures one shape. Whatever an engine throws is in the row, not thrown. */
  async measure(workload: Workload): Promise<Row> {
    const { shape, flops } = workload;
    const failures: Record<string, string> = {};
    const errors: Record<string, number | null> = {};
    const engines: Named = {};
    const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failures[name] = errorLine(error);
      }
    };
    const held = this.#meter.resetPeak();
    try {
      for (const [name, make] of await this.#makers(workload)) {
        await attempt(name, async () => {
          engines[name] = await make();
        });
      }
      const results: Record<string, Float32Array> = {};
      for (const [name, engine] of Object.entries(engines)) {
        await attempt(name, async () => {
          results[name] = await engine.run();
        });
      }
      const peakBytes = this.#meter.peakBytes - held;
      const small = flops <= REFERENCE_FLOPS;
      const truth = small ? await referenceOf(workload) : results['ort-cpu'];
      for (const [name, result] of Object.entries(results)) {
        if (truth) errors[name] = finiteDifference(result, truth);
      }
      const right = Object.values(engines).filter(
        ({ name }) => results[name] && (!truth || isRight(errors[name] ?? null)),
      );
      const { seconds } = this.#options;
      const measured = await measure(right, { rounds: [5, 200], seconds });
      for (const [name, error] of measured.failures) failures[name] = errorLine(error);
      const timing = measured.timings.get('webgpu-rnn');
      const detail = timing && (await this.#detail(engines['webgpu-rnn']!, workload, timing));
      return {
        shape: nameOf(shape),
        flops,
        trafficBytes: trafficOf(shape),
        arbiter: truth ? (small ? 'float64' : 'ort-cpu') : 'none',
        errors,
        times: Object.fromEntries(measured.timings),
        failures,
        ...(detail && { ...detail, peakBytes }),
      };
    } finally {
      for (const engine of Object.values(engines)) await engine.dispose();
    }
  }

  async #makers(workload: Workload): Promise<[string, () => Promise<Runnable>][]> {
    const { kernel, alone } = this.#options;
    const options = { device: this.#device, ...(kernel && { recurrentKernel: kernel }) };
    const runtime = alone ? undefined : await findOnnxRuntime();
    return [
      ['webgpu-rnn', () => ours('webgpu-rnn', workload, options)],
      ...(runtime
        ? (['webgpu', 'cpu'] as const).map((provider): [string, () => Promise<Runnable>] => [
            `ort-${provider}`,
            () => ort(runtime, provider, workload),
          ])
        : []),
    ];
  }

  async #detail(engine: Runnable, workload: Workload, timing: Timing) {
    const usages: DeviceUsage[] = [];
    for (let i = 0; i < OBSERVED_RUNS; i++)
      usages.push(await this.#meter.observe(() => engine.run()));
    const times = usages.flatMap(({ gpuMs }) => (gpuMs === undefined ? [] : [gpuMs]));
    const gpuMs = times.length > 0 ? median(times) : undefined;
    const start = performance.now();
    await Promise.all(Array.from({ length: BACK_TO_BACK }, () => engine.run()));
    const backToBackMs = (performance.now() - start) / BACK_TO_BACK;
    const ms = gpuMs ?? timing.median;
    return {
      usage: { ...usages[0]!, ...(gpuMs !== undefined && { gpuMs }) },
      backToBackMs,
      gflops: workload.flops / ms / 1e6,
      gbps: trafficOf(workload.shape) / ms / 1e6,
    };
  }
}

async function referenceOf(workload: Workload): Promise<Float32Array> {
  const reference = await ours('reference', workload, { device: 'reference' });
  const truth = await reference.run();
  await reference.dispose();
  return truth;
}

const TABLE = tableOf([
  ['shape', -22],
  ['ours', 8],
  ['GPU', 8],
  ['ort-wgpu', 9],
  ['ratio', 7],
  ['ort-cpu', 8],
  ['disp', 5],
  ['sub', 4],
  ['IO kB', 7],
  ['MB', 6],
  ['GFLOP/s', 8],
  ['GB/s', 7],
  ['error', 8],
]);

/** The titles of {@link lineOf}, and what they mean. */
export const HEAD = `${TABLE.head}
(ms are medians end to end; GPU: within compute passes; disp, sub: dispatches, submits; IO: uploaded and read back;
 MB: peak GPU memory; GFLOP/s and GB/s: by GPU time, GB/s as if no weight stayed on the chip)`;

/** A row for the terminal, below 120 columns. */
export function lineOf(row: Row): string {
  const { times, failures, errors, usage, peakBytes } = row;
  const [timing, peer] = [times['webgpu-rnn'], times['ort-webgpu']];
  const ms = (name: string): string =>
    times[name]
      ? three(times[name].median)
      : failures[name]
        ? 'failed'
        : name in errors
          ? 'wrong'
          : '–';
  return TABLE.line(
    row.shape,
    ms('webgpu-rnn'),
    three(usage?.gpuMs),
    ms('ort-webgpu'),
    timing && peer && ratioText(peer.median / timing.median),
    ms('ort-cpu'),
    String(usage?.dispatches ?? ''),
    String(usage?.submits ?? ''),
    usage ? three((usage.uploaded + usage.readBack) / 1e3) : '',
    peakBytes === undefined ? '' : three(peakBytes / 1e6),
    three(row.gflops),
    three(row.gbps),
    errors['webgpu-rnn']?.toExponential(1) ?? '?',
  );
}
