// The wasm backend of a Model: float32 on the CPU, in the memory of one WebAssembly instance. Nothing here
// waits for anything, so calls take effect in the order they are made.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import type { Tensor } from '../../tensor.ts';
import { Machine } from '../../wasm/machine.ts';
import { compileKernels, type Build, type Compiled } from '../../wasm/module.ts';
import { checkSignal } from '../abort.ts';
import type { Session, StreamSession, Tensors, Usage } from '../backend.ts';
import { CallChecker } from '../prepare-call.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import { copyOf } from '../stream-state.ts';
import { Programs } from './programs.ts';
import { WasmStream } from './stream.ts';

/** A graph on the CPU. */
export class WasmSession implements Session {
  readonly backend = 'wasm';
  readonly adapter: string;
  readonly #machine: Machine;
  readonly #programs: Programs;
  readonly #checker: CallChecker;
  readonly #limits: EvaluatorOptions;
  #disposed = false;

  private constructor(graph: Graph, machine: Machine, build: Build, limits: EvaluatorOptions) {
    this.adapter = `WebAssembly ${build}`;
    this.#machine = machine;
    this.#limits = limits;
    this.#checker = new CallChecker(graph, limits);
    this.#programs = new Programs(machine, new Map());
  }

  /**
   * Compiles the kernels, once for all models.
   *
   * @param build the instruction set to insist on, for tests
   * @throws RnnError `UNSUPPORTED_FEATURE` where there is no WebAssembly with SIMD
   */
  static async create(
    graph: Graph,
    limits: EvaluatorOptions = {},
    build?: Build,
  ): Promise<WasmSession> {
    let compiled;
    try {
      compiled = await compileKernels(build);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const what = `WebAssembly with SIMD, got an engine or a content security policy that refuses it: ${why}`;
      throw new RnnError('UNSUPPORTED_FEATURE', 'options.device', what, { cause: error });
    }
    return WasmSession.of(graph, compiled, limits);
  }

  /** A graph on kernels that are compiled. */
  static of(graph: Graph, compiled: Compiled, limits: EvaluatorOptions = {}): WasmSession {
    return new WasmSession(graph, new Machine(compiled), compiled.build, limits);
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
    const programs = new Programs(this.#machine, feedback);
    const feeds = new StreamFeeds(streamed, batch, this.#limits);
    const slots = streamed.slots.map(({ input }) => input);
    return new WasmStream({
      checkModel: () => this.check(),
      isModelDisposed: () => this.#disposed,
      machine: this.#machine,
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
