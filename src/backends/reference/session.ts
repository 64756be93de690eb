// The reference backend of a Model: the float64 interpreter behind the same calls as a GPU. It is
// slow and exact, and needs nothing of its environment.
import { RnnError } from '../../errors.ts';
import { checkIsFeeds } from '../../feeds.ts';
import type { Graph } from '../../graph.ts';
import { toTensor } from '../../ops/value.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import { runReference } from '../../reference.ts';
import type { Tensor } from '../../tensor.ts';
import { checkSignal } from '../abort.ts';
import type { Session, StreamSession, Tensors } from '../backend.ts';
import { CallQueue } from '../call-queue.ts';
import { CallChecker } from '../prepare-call.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import { copyOf, portable } from '../stream-state.ts';

/** A graph in float64 on the CPU. */
export class ReferenceSession implements Session {
  readonly backend = 'reference';
  readonly adapter = 'float64 interpreter';
  readonly queue = new CallQueue();
  readonly #graph: Graph;
  readonly #limits: EvaluatorOptions;
  readonly #checker: CallChecker;
  #disposed = false;

  constructor(graph: Graph, limits: EvaluatorOptions = {}) {
    this.#graph = graph;
    this.#limits = limits;
    this.#checker = new CallChecker(graph, limits);
  }

  /** @throws RnnError `DISPOSED` */
  check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
  }

  /** Interprets a graph. */
  compute(graph: Graph, feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    const { maxUnrolled, maxLiveElements } = this.#limits;
    const values = runReference(graph, feeds, outputs, maxUnrolled, maxLiveElements);
    return Object.fromEntries([...values].map(([name, value]) => [name, toTensor(value, name)]));
  }

  async run(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    this.#begin(feeds, signal);
    const owned = copyOf(feeds);
    // Computing blocks the thread, so it begins in a task of its own, where an abort can come first.
    await new Promise((resolve) => setTimeout(resolve));
    this.check();
    checkSignal(signal);
    return this.compute(this.#graph, owned, outputs);
  }

  runSync(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    this.check();
    this.#checker.check(feeds).release(); // no plan is made
    return this.compute(this.#graph, feeds, outputs);
  }

  /** Nothing is ever compiled: it only refuses what a run would. */
  async warmUp(feeds: Tensors, _outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#begin(feeds, signal);
  }

  #begin(feeds: Tensors, signal: AbortSignal | undefined): void {
    this.check();
    checkSignal(signal);
    this.#checker.check(feeds).release(); // no plan is made
  }

  stream(streamed: StreamedGraph, batch: number): StreamSession {
    return new ReferenceStream(this, streamed, new StreamFeeds(streamed, batch, this.#limits));
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  dispose(): void {
    this.#disposed = true;
  }
}

class ReferenceStream implements StreamSession {
  readonly #session: ReferenceSession;
  readonly #streamed: StreamedGraph;
  readonly #feeds: StreamFeeds;
  #state: Tensors | undefined;
  /** Steps since the stream began, or was reset or restored. */
  steps = 0;
  #disposed = false;

  constructor(session: ReferenceSession, streamed: StreamedGraph, feeds: StreamFeeds) {
    this.#session = session;
    this.#streamed = streamed;
    this.#feeds = feeds;
  }

  #check(): void {
    this.#session.check();
    if (this.#disposed) throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  async step(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    this.#check();
    checkSignal(signal);
    checkIsFeeds(feeds);
    const owned = copyOf(feeds);
    return this.#session.queue.run(() => {
      this.#session.check();
      checkSignal(signal);
      return this.#advance(owned, outputs);
    });
  }

  stepSync(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    this.#check();
    checkIsFeeds(feeds);
    return this.#advance(copyOf(feeds), outputs);
  }

  /** Computes a step from feeds that nobody else has, and moves the state. */
  #advance(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    const { graph, slots } = this.#streamed;
    const state = this.#begin(feeds);
    const wanted = new Set([...outputs, ...slots.map(({ output }) => output)]);
    const results = this.#session.compute(graph, { ...state, ...feeds }, [...wanted]);
    this.#state = Object.fromEntries(slots.map(({ input, output }) => [input, results[output]!]));
    this.steps++;
    // What is given away is the caller's to change.
    return copyOf(Object.fromEntries(outputs.map((name) => [name, results[name]!])));
  }

  async warmUp(feeds: Tensors, _outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#check();
    checkSignal(signal);
    this.#begin(feeds);
  }

  /** Checks a step, and gives the state that it begins with. */
  #begin(feeds: Tensors): Tensors {
    const { call, initial } = this.#feeds.check(feeds, this.#state);
    call.release(); // no plan is made
    return initial;
  }

  reset(): void {
    this.#check();
    void this.#session.queue.run(() => {
      this.#state = undefined;
      this.steps = 0;
    });
  }

  snapshot(): Promise<Record<string, Tensor>> {
    this.#check();
    return this.#session.queue.run(() => portable(copyOf(this.#state ?? {})));
  }

  restore(state: unknown): void {
    this.#check();
    const copy = this.#feeds.checkState(state, this.#state);
    void this.#session.queue.run(() => {
      this.#state = copy;
      this.steps = 0;
    });
  }

  fork(): StreamSession {
    this.#check();
    const other = new ReferenceStream(this.#session, this.#streamed, this.#feeds);
    void this.#session.queue.run(() => {
      other.#state = this.#state; // a state is never written to, only replaced
      other.steps = this.steps;
    });
    return other;
  }

  get disposed(): boolean {
    return this.#disposed || this.#session.disposed;
  }

  dispose(): void {
    this.#disposed = true;
  }
}
