// `device: 'auto'` where there are a GPU and the CPU's kernels: each call is computed by the side that is predicted to be sooner.
import { CallChecker } from '../backends/prepare-call.ts';
import type {
  Feeds,
  GpuTensor,
  GpuTensors,
  Session,
  StreamSession,
  Tensors,
  Usage,
} from '../backends/backend.ts';
import type { StreamedGraph } from '../backends/stateful-graph.ts';
import type { ShapeRange } from '../backends/warm-up-range.ts';
import type { CpuSession } from '../backends/wasm/session.ts';
import type { RecoveringSession } from '../backends/webgpu/recovering-session.ts';
import { hasGpuTensor } from '../feeds.ts';
import type { Graph } from '../graph.ts';
import type { PlanRequest } from '../plan/index.ts';
import type { EvaluatorOptions } from '../plan/specialize/infer.ts';
import { allocate, isFloat, sizeOf } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';
import { Judge, STAYS_ON_GPU, type Choice } from './judge.ts';
import type { Calibration, Side } from './predict.ts';
import { AutoStream } from './stream.ts';

/** What an {@link AutoSession} is made of. It takes over both sessions. */
export interface AutoParts {
  readonly webgpu: RecoveringSession;
  readonly wasm: CpuSession;
  readonly calibration: Calibration;
  readonly device: PlanRequest['device'];
  readonly options: PlanRequest['options'];
  readonly limits: EvaluatorOptions;
}

/** A graph on the side that is sooner. */
export class AutoSession implements Session {
  readonly #parts: AutoParts;
  readonly #checker: CallChecker;
  readonly #judge: Judge;
  #choice: Choice;
  /** The side of runs, for hysteresis; undefined before the first. */
  #ran: Side | undefined;

  constructor(graph: Graph, parts: AutoParts) {
    const { calibration, device, options, limits } = parts;
    this.#parts = parts;
    this.#checker = new CallChecker(graph, limits);
    this.#judge = new Judge(calibration, { device, options, feedback: new Map() });
    const side = device.adapter === 'gpu' ? 'webgpu' : 'wasm';
    this.#choice = this.#atLoad(graph) ?? { side, reason: `${side}: the first call decides` };
  }

  /** The choice where inputs have one shape and decide nothing else. */
  #atLoad({ inputs, outputs }: Graph): Choice | undefined {
    const feeds: Record<string, Tensor> = {};
    for (const { name, type, dims } of inputs) {
      const fixed = dims.filter((dim) => typeof dim === 'number');
      if (fixed.length < dims.length || !isFloat(type)) return undefined;
      feeds[name] = { type, dims: fixed, data: allocate(type, sizeOf(fixed)) } as Tensor;
    }
    const names = outputs.map(({ name }) => name);
    return this.#judge.choose(this.#checker.check(feeds), names, undefined);
  }

  get #session(): RecoveringSession | CpuSession {
    return this.#parts[this.#choice.side];
  }

  /** What computed the latest call; before the first, what is expected to. */
  get backend(): 'webgpu' | 'wasm' {
    return this.#choice.side;
  }

  /** Why it did, with the two predictions. */
  get reason(): string {
    return this.#choice.reason;
  }

  get adapter(): string {
    return this.#session.adapter;
  }

  get usage(): Usage {
    return this.#session.usage;
  }

  #take(choice: Choice): RecoveringSession | CpuSession {
    this.#choice = choice;
    return this.#parts[choice.side];
  }

  /** The session for a run. */
  #for(feeds: Feeds, outputs: readonly string[]): RecoveringSession | CpuSession {
    this.#parts.wasm.check();
    if (hasGpuTensor(feeds)) return this.#take(STAYS_ON_GPU);
    const choice = this.#judge.choose(this.#checker.check(feeds), outputs, this.#ran);
    this.#ran = choice.side;
    return this.#take(choice);
  }

  async run(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const session: Session = this.#for(feeds, outputs);
    return session.run(feeds, outputs, signal);
  }

  runSync(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    const results = this.#parts.wasm.runSync(feeds, outputs);
    this.#choice = { side: 'wasm', reason: 'wasm: a synchronous call' };
    return results;
  }

  async warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    const session: Session = this.#for(feeds, outputs);
    await session.warmUp(feeds, outputs, signal);
  }

  /** Only the GPU compiles. */
  warmUpRange(range: ShapeRange, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    return this.#parts.webgpu.warmUpRange(range, outputs, signal);
  }

  async runOnGpu(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    const results = await this.#parts.webgpu.runOnGpu(feeds, outputs, signal);
    this.#take(STAYS_ON_GPU);
    return results;
  }

  encode(encoder: GPUCommandEncoder, feeds: Feeds, results: GpuTensors): void {
    this.#parts.webgpu.encode(encoder, feeds, results);
    this.#take(STAYS_ON_GPU);
  }

  get device(): GPUDevice | undefined {
    return this.#parts.webgpu.device;
  }

  stream(streamed: StreamedGraph, batch: number, checkpoint: number): StreamSession {
    const { webgpu, wasm, calibration, device, options, limits } = this.#parts;
    const feedback = new Map(streamed.slots.map(({ input, output }) => [input, output]));
    return new AutoStream({
      sides: {
        webgpu: webgpu.stream(streamed, batch, checkpoint),
        wasm: wasm.stream(streamed, batch),
      },
      streamed,
      batch,
      limits,
      judge: new Judge(calibration, { device, options, feedback }),
      tell: (choice) => void this.#take(choice),
    });
  }

  get disposed(): boolean {
    return this.#parts.wasm.disposed;
  }

  dispose(): void {
    this.#parts.webgpu.dispose();
    this.#parts.wasm.dispose();
  }
}
