// The reference backend of a Model: the float64 interpreter behind the same calls as a GPU. It is
// slow and exact, and needs nothing of its environment.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { toTensor } from '../../ops/value.ts';
import { runReference } from '../../reference.ts';
import { checkShapes, checkSignal, checkState, copyOf, Preparer, StreamFeeds } from '../backend.ts';
import type { Session, StreamSession, Tensors } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import type { Tensor } from '../../tensor.ts';
import { CallQueue } from '../call-queue.ts';

function compute(
  graph: Graph,
  feeds: Tensors,
  outputs: readonly string[],
  maxUnrolled: number | undefined,
): Record<string, Tensor> {
  const values = runReference(graph, feeds, outputs, maxUnrolled);
  return Object.fromEntries([...values].map(([name, value]) => [name, toTensor(value, name)]));
}

/** A graph in float64 on the CPU. */
export class ReferenceSession implements Session {
  readonly backend = 'reference';
  readonly adapter = 'float64 interpreter';
  readonly turns = new CallQueue();
  /** Nodes that loops may come to. */
  readonly maxUnrolled: number | undefined;
  readonly #graph: Graph;
  readonly #preparer: Preparer;
  #disposed = false;

  constructor(graph: Graph, maxUnrolled?: number) {
    this.#graph = graph;
    this.maxUnrolled = maxUnrolled;
    this.#preparer = new Preparer(graph, maxUnrolled);
  }

  /** @throws RnnError `DISPOSED` */
  check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
  }

  async run(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    this.check();
    checkSignal(signal);
    this.#preparer.prepare(feeds);
    const owned = copyOf(feeds);
    // Computing blocks the thread, so it begins in a task of its own, where an abort can come first.
    await new Promise((resolve) => setTimeout(resolve));
    this.check();
    checkSignal(signal);
    return compute(this.#graph, owned, outputs, this.maxUnrolled);
  }

  /** Nothing is ever compiled: it only refuses what a run would. */
  async warmUp(feeds: Tensors, _outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.check();
    checkSignal(signal);
    this.#preparer.prepare(feeds);
  }

  stream(streamed: StreamedGraph, batch: number): StreamSession {
    return new ReferenceStream(this, streamed, batch);
  }

  dispose(): void {
    this.#disposed = true;
  }
}

class ReferenceStream implements StreamSession {
  readonly #session: ReferenceSession;
  readonly #streamed: StreamedGraph;
  readonly #batch: number;
  readonly #feeds: StreamFeeds;
  readonly #preparer: Preparer;
  #state: Tensors | undefined;
  #disposed = false;

  constructor(session: ReferenceSession, streamed: StreamedGraph, batch: number) {
    this.#session = session;
    this.#streamed = streamed;
    this.#batch = batch;
    this.#feeds = new StreamFeeds(streamed, batch, session.maxUnrolled);
    this.#preparer = new Preparer(streamed.graph, session.maxUnrolled);
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
    const owned = copyOf(feeds);
    return this.#session.turns.enter(() => {
      this.#check();
      checkSignal(signal);
      const { graph, slots } = this.#streamed;
      const all = { ...(this.#state ?? this.#feeds.initial(owned)), ...owned };
      this.#preparer.prepare(all);
      const wanted = new Set([...outputs, ...slots.map(({ output }) => output)]);
      const results = compute(graph, all, [...wanted], this.#session.maxUnrolled);
      this.#state = Object.fromEntries(slots.map(({ input, output }) => [input, results[output]!]));
      return Object.fromEntries(outputs.map((name) => [name, results[name]!]));
    });
  }

  async warmUp(feeds: Tensors, _outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#check();
    checkSignal(signal);
    this.#preparer.prepare({ ...(this.#state ?? this.#feeds.initial(feeds)), ...feeds });
  }

  reset(): void {
    this.#check();
    void this.#session.turns.enter(() => {
      this.#state = undefined;
    });
  }

  snapshot(): Promise<Record<string, Tensor>> {
    this.#check();
    return this.#session.turns.enter(() => ({ ...this.#state }));
  }

  restore(state: Tensors): void {
    this.#check();
    checkState(state, this.#streamed.slots);
    const copy = copyOf(state);
    if (this.#state) checkShapes(state, this.#state);
    void this.#session.turns.enter(() => {
      this.#state = Object.keys(copy).length === 0 ? undefined : copy;
    });
  }

  fork(): StreamSession {
    this.#check();
    const other = new ReferenceStream(this.#session, this.#streamed, this.#batch);
    void this.#session.turns.enter(() => {
      other.#state = this.#state;
    });
    return other;
  }

  dispose(): void {
    this.#disposed = true;
  }
}
