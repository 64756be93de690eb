// What a stream adds to the feeds of its caller: its state, and the shapes of that.
import { checkFeeds, checkIsFeeds, type Feeds } from '../feeds.ts';
import type { ValueInfo } from '../graph.ts';
import type { EvaluatorOptions } from '../plan/specialize/infer.ts';
import { allocate, sizeOf } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensors } from './backend.ts';
import { CallChecker, type CheckedCall } from './prepare-call.ts';
import type { StateSlot, StreamedGraph } from './stateful-graph.ts';
import { checkedState } from './stream-state.ts';

/** A step that has been checked. */
export interface CheckedStep {
  readonly call: CheckedCall;
  /** The state that a stream begins with at the shapes of this step, by name of the input. */
  readonly initial: Tensors;
}

/** Checks the steps of streams of one graph, and completes their feeds. */
export class StreamFeeds {
  /** Checks calls of the graph that takes its state as inputs. */
  readonly checker: CallChecker;
  readonly #streamed: StreamedGraph;
  readonly #batch: number;
  /** State that the caller may feed. */
  readonly #explicit: readonly { slot: StateSlot; info: ValueInfo }[];
  readonly #others: readonly ValueInfo[];
  readonly #states: readonly ValueInfo[];
  readonly #probe: CallChecker | undefined;
  readonly #takesGpu: boolean;

  /**
   * @param batch size of the free dimensions of a state that no other input names
   * @param takesGpu whether feeds may be on the GPU
   */
  constructor(streamed: StreamedGraph, batch: number, options: EvaluatorOptions, takesGpu = false) {
    this.checker = new CallChecker(streamed.graph, options, takesGpu);
    this.#takesGpu = takesGpu;
    this.#streamed = streamed;
    this.#batch = batch;
    const { slots, probe } = streamed;
    this.#explicit = slots
      .filter(({ begin }) => begin === undefined)
      .map((slot) => ({ slot, info: probe.inputs.find(({ name }) => name === slot.input)! }));
    const states = new Set(this.#explicit.map(({ slot }) => slot.input));
    this.#states = slots.map(({ input }) =>
      streamed.graph.inputs.find(({ name }) => name === input)!,
    );
    this.#others = probe.inputs.filter(({ name }) => !states.has(name));
    const isProbed = slots.some(({ begin }) => begin !== undefined);
    this.#probe = isProbed ? new CallChecker(probe, options, takesGpu) : undefined;
  }

  /**
   * Checks a step.
   *
   * @param initial what an earlier step of the stream has begun with
   */
  check(feeds: Feeds, initial: Tensors = this.#initial(feeds)): CheckedStep {
    checkIsFeeds(feeds);
    return { call: this.checker.check({ ...initial, ...feeds }), initial };
  }

  /**
   * A state that a caller wants to restore, copied; undefined where it is empty, which is the state
   * before the first step.
   *
   * @param initial what an earlier step of the stream has begun with
   * @throws RnnError `INVALID_ARGUMENT` for what is no state of this model, `SHAPE_MISMATCH` for other
   *   shapes
   */
  checkState(state: unknown, initial: Tensors | undefined): Tensors | undefined {
    return checkedState(state, this.#states, initial);
  }

  /** The shapes of the state follow from those of the other inputs. */
  #initial(feeds: Feeds): Tensors {
    checkIsFeeds(feeds);
    const given = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => this.#others.some((info) => info.name === name)),
    );
    const sizes = checkFeeds(this.#others, given, this.#takesGpu);
    const state: Record<string, Tensor> = {};
    for (const { slot, info } of this.#explicit) {
      const dims = info.dims.map((dim) =>
        typeof dim === 'number' ? dim : (sizes.get(dim) ?? this.#batch),
      );
      state[slot.input] = { type: info.type, dims, data: allocate(info.type, sizeOf(dims)) };
    }
    const probe = this.#probe?.check({ ...given, ...state });
    for (const { input, begin } of this.#streamed.slots) {
      if (probe && begin) state[input] = begin(probe.specialized.value);
    }
    probe?.release();
    return state;
  }
}
