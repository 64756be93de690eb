// The backends of the CPU: float32, in the linear memory of one set of kernels, which are WebAssembly or plain
// TypeScript. Nothing here waits for anything, so calls take effect in the order they are made.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import type { Tensor } from '../../tensor.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { CpuStorage } from '../../wasm/lowering.ts';
import { Machine } from '../../wasm/machine.ts';
import { checkSignal } from '../abort.ts';
import type { Session, StreamSession, Tensors, Usage } from '../backend.ts';
import { CallChecker } from '../prepare-call.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import { copyOf } from '../stream-state.ts';
import { ManySteps } from './many-steps.ts';
import { Programs } from './programs.ts';
import { CpuStream } from './stream.ts';

/** What a session says of itself. */
export interface CpuNames {
  readonly backend: 'wasm' | 'js';
  readonly adapter: string;
}

/** What the backends of the CPU take of the options of a load. */
export interface CpuOptions {
  readonly limits?: EvaluatorOptions | undefined;
  readonly weights?: CpuStorage | undefined;
}

/** A graph on the CPU. */
export class CpuSession implements Session {
  readonly backend: CpuNames['backend'];
  readonly adapter: string;
  readonly #machine: Machine;
  readonly #programs: Programs;
  readonly #checker: CallChecker;
  readonly #limits: EvaluatorOptions;
  readonly #storage: CpuStorage;
  #disposed = false;

  /** @param kernels with a memory that is the session's from then on */
  constructor(graph: Graph, kernels: Kernels, names: CpuNames, options: CpuOptions) {
    this.backend = names.backend;
    this.adapter = names.adapter;
    this.#machine = new Machine(kernels);
    this.#limits = options.limits ?? {};
    this.#storage = options.weights ?? 'f32';
    this.#checker = new CallChecker(graph, this.#limits);
    this.#programs = new Programs(this.#machine, new Map(), this.#storage);
  }

  /** @throws RnnError `DISPOSED` */
  check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
  }

  runSync(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    this.check();
    const programs = this.#programs;
    const entry =
      programs.latest(feeds, undefined, outputs) ??
      programs.get(this.#checker.check(feeds), feeds, outputs);
    programs.run(entry, feeds);
    return programs.results(entry);
  }

  async run(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    checkSignal(signal);
    if (!signal) return this.runSync(feeds, outputs);
    this.check();
    this.#checker.check(feeds);
    const owned = copyOf(feeds);
    // Computing blocks the thread, so it begins where an abort can come first.
    await undefined;
    checkSignal(signal);
    return this.runSync(owned, outputs);
  }

  /** Packs the weights and makes the program. */
  async warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.check();
    checkSignal(signal);
    this.#programs.get(this.#checker.check(feeds), feeds, outputs);
  }

  stream(streamed: StreamedGraph, batch: number): StreamSession {
    const feedback = new Map(streamed.slots.map(({ input, output }) => [input, output]));
    const programs = new Programs(this.#machine, feedback, this.#storage);
    const feeds = new StreamFeeds(streamed, batch, this.#limits);
    const slots = streamed.slots.map(({ input }) => input);
    const [machine, limits, storage] = [this.#machine, this.#limits, this.#storage];
    return new CpuStream({
      many: new ManySteps({ machine, streamed, storage, limits }),
      checkModel: () => this.check(),
      isModelDisposed: () => this.#disposed,
      machine,
      programs,
      feeds,
      slots,
    });
  }

  /** For reports and tests. */
  get usage(): Usage {
    return {
      pipelines: 0,
      weightBytes: this.#machine.weightBytes,
      kernels: {},
    };
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  dispose(): void {
    this.#disposed = true;
    this.#programs.dispose();
    this.#machine.dispose();
  }
}
