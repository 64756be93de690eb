// A stream whose first step decides which side computes it.
import type { Feeds, GpuTensor, StreamSession, Tensors } from '../backends/backend.ts';
import type { StreamedGraph } from '../backends/stateful-graph.ts';
import { StreamFeeds } from '../backends/stream-feeds.ts';
import type { EvaluatorOptions } from '../plan/specialize/infer.ts';
import { RnnError } from '../errors.ts';
import { hasGpuTensor } from '../feeds.ts';
import { notSynchronous } from '../stream.ts';
import type { Tensor } from '../tensor.ts';
import type { Side } from './predict.ts';
import { STAYS_ON_GPU, type Choice, type Judge } from './judge.ts';

/** What a stream and its forks have in common, and the two streams that it is until one is chosen. */
export interface AutoStreamParts {
  readonly sides: Readonly<Record<Side, StreamSession>>;
  readonly streamed: StreamedGraph;
  readonly batch: number;
  readonly limits: EvaluatorOptions;
  readonly judge: Judge;
  /** Called with the side of each step. */
  readonly tell: (choice: Choice) => void;
}

/** See {@link StreamSession}. */
export class AutoStream implements StreamSession {
  readonly #parts: AutoStreamParts;
  #choice: Choice | undefined;

  constructor(parts: AutoStreamParts, choice?: Choice) {
    this.#parts = parts;
    this.#choice = choice;
  }

  /** The streams that are in use: both, until a step decides. */
  get #open(): StreamSession[] {
    const { sides } = this.#parts;
    return this.#choice ? [sides[this.#choice.side]] : [sides.wasm, sides.webgpu];
  }

  /** The stream of the chosen side; the first step chooses. */
  #chosen(feeds: Feeds, outputs: readonly string[]): StreamSession {
    const { sides, streamed, batch, limits, judge, tell } = this.#parts;
    if (!this.#choice && hasGpuTensor(feeds)) this.#decide(STAYS_ON_GPU);
    if (!this.#choice && !this.disposed) {
      const { call } = new StreamFeeds(streamed, batch, limits).check(feeds);
      this.#decide(judge.choose(call, outputs, undefined));
    }
    if (this.#choice) tell(this.#choice);
    return sides[this.#choice?.side ?? 'wasm'];
  }

  #decide(choice: Choice): void {
    this.#choice = choice;
    this.#parts.sides[choice.side === 'wasm' ? 'webgpu' : 'wasm'].dispose();
  }

  async step(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    return this.#chosen(feeds, outputs).step(feeds, outputs, signal);
  }

  async stepOnGpu(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    const { sides, tell } = this.#parts;
    if (!this.#choice) this.#decide(STAYS_ON_GPU);
    if (this.#choice?.side === 'wasm') {
      const what = `'gpu' came after a step that wasm computed, where the state is: load with device: 'webgpu'`;
      throw new RnnError('INVALID_ARGUMENT', 'options.output', what);
    }
    tell(STAYS_ON_GPU);
    return sides.webgpu.stepOnGpu!(feeds, outputs, signal);
  }

  /** That of the chosen side, where it has one; none before a step has chosen. */
  get stepMany(): StreamSession['stepMany'] {
    const [choice, { sides, tell }] = [this.#choice, this.#parts];
    const chosen = choice && sides[choice.side];
    if (!chosen?.stepMany) return undefined;
    return (...call) => {
      tell(choice!);
      return chosen.stepMany!(...call);
    };
  }

  /** That of the chosen side, where it has one; none before a step has chosen. */
  get stepRows(): StreamSession['stepRows'] {
    const [choice, { sides, tell }] = [this.#choice, this.#parts];
    const chosen = choice && sides[choice.side];
    if (!chosen?.stepRows) return undefined;
    return (...call) => {
      tell(choice!);
      return chosen.stepRows!(...call);
    };
  }

  stepSync(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    if (this.#choice?.side === 'webgpu') throw notSynchronous('stream.stepSync', 'step');
    const results = this.#parts.sides.wasm.stepSync!(feeds, outputs);
    if (!this.#choice) this.#decide({ side: 'wasm', reason: 'wasm: a synchronous call' });
    this.#parts.tell(this.#choice!);
    return results;
  }

  async warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    await this.#chosen(feeds, outputs).warmUp(feeds, outputs, signal);
  }

  reset(): void {
    for (const stream of this.#open) stream.reset();
  }

  snapshot(): Promise<Record<string, Tensor>> {
    return this.#open[0]!.snapshot();
  }

  restore(state: unknown): void {
    for (const stream of this.#open) stream.restore(state);
  }

  fork(): StreamSession {
    const { sides } = this.#parts;
    const forks = this.#choice
      ? { ...sides, [this.#choice.side]: sides[this.#choice.side].fork() }
      : { webgpu: sides.webgpu.fork(), wasm: sides.wasm.fork() };
    return new AutoStream({ ...this.#parts, sides: forks }, this.#choice);
  }

  get steps(): number {
    return this.#open[0]!.steps;
  }

  get disposed(): boolean {
    return this.#open[0]!.disposed;
  }

  dispose(): void {
    for (const stream of this.#open) stream.dispose();
  }
}
