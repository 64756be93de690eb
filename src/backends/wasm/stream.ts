// A stream on the CPU: the state of its layers stays in linear memory between steps.
import { RnnError } from '../../errors.ts';
import type { Tensor } from '../../tensor.ts';
import { sizeOf } from '../../tensor.ts';
import type { Machine } from '../../wasm/machine.ts';
import { wordsOf } from '../../wasm/program.ts';
import { checkSignal } from '../abort.ts';
import type { StreamSession, Tensors } from '../backend.ts';
import { asSteps, joinSteps, stepAt, type StepFeeds } from '../step-tensors.ts';
import type { StreamFeeds } from '../stream-feeds.ts';
import { MIN_STEPS, type ManySteps } from './many-steps.ts';
import type { Programs, Resident } from './programs.ts';

/** What a stream and its forks have in common. */
interface Common {
  /** Throws `DISPOSED` once the model is. */
  readonly checkModel: () => void;
  readonly isModelDisposed: () => boolean;
  readonly machine: Machine;
  readonly programs: Programs;
  readonly feeds: StreamFeeds;
  /** Inputs that take the state. */
  readonly slots: readonly string[];
  /** Computes many steps at once. */
  readonly many: ManySteps;
}

type State = Map<string, Resident>;

/** See {@link StreamSession}. */
export class CpuStream implements StreamSession {
  readonly #common: Common;
  /** Undefined before the first step, when shapes are not known. */
  #state: State | undefined;
  /** Steps since the stream began, or was reset or restored. */
  steps = 0;
  #disposed = false;

  constructor(common: Common) {
    this.#common = common;
  }

  #check(): void {
    this.#common.checkModel();
    if (this.#disposed) throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  /** Blocks with the numbers of some tensors. */
  #place(tensors: Tensors): State {
    const { memory } = this.#common.machine;
    const state: State = new Map();
    for (const [name, { type, dims, data }] of Object.entries(tensors)) {
      const at = memory.take(sizeOf(dims) * 4, `state.${name}`) >>> 2;
      const words = wordsOf(type, data);
      if (words instanceof Float32Array) memory.f32.set(words, at);
      else memory.i32.set(words, at);
      state.set(name, { type, dims, at });
    }
    return state;
  }

  #free(state: State | undefined): void {
    for (const { at } of state?.values() ?? []) this.#common.machine.memory.give(at * 4);
  }

  #replace(state: State | undefined): void {
    this.#free(this.#state);
    this.#state = state;
  }

  stepSync(feeds: Tensors, outputs: readonly string[]): Record<string, Tensor> {
    this.#check();
    const { programs, machine, slots } = this.#common;
    const before = this.#state;
    let entry = before && programs.latest(feeds, before, outputs);
    let state = before;
    if (!entry || !state) {
      const { call, initial } = this.#common.feeds.check(feeds, this.#tensors());
      entry = programs.get(call, { ...initial, ...feeds }, outputs);
      state ??= this.#place(initial);
    }
    try {
      programs.run(entry, feeds, state);
    } catch (error) {
      if (!before) this.#free(state);
      throw error;
    }
    const results = programs.results(entry);
    for (const input of slots) {
      const { type, dims, at } = programs.next(entry, input);
      let to = state.get(input)!;
      // A state that was fed may have had another batch.
      if (sizeOf(to.dims) !== sizeOf(dims)) {
        machine.memory.give(to.at * 4);
        to = { type, dims, at: machine.memory.take(sizeOf(dims) * 4, `state.${input}`) >>> 2 };
        state.set(input, to);
      } else if (to.dims !== dims) state.set(input, (to = { type, dims, at: to.at }));
      machine.memory.i32.copyWithin(to.at, at, at + sizeOf(dims));
    }
    this.#state = state;
    this.steps++;
    return results;
  }

  async step(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    checkSignal(signal);
    return this.stepSync(feeds, outputs);
  }

  /** Many steps in one call, as {@link StreamSession.stepRows} has it. */
  async stepRows(
    feeds: StepFeeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    checkSignal(signal);
    const { many, slots } = this.#common;
    const { same, each, steps } = feeds;
    // The first step takes a state that is fed, and finds out the shapes of one that is not.
    const parts: Tensors[] = [asSteps(this.stepSync({ ...same, ...stepAt(each, 0) }, outputs))];
    const isState = ([name]: readonly [string, Tensor]): boolean => slots.includes(name);
    const rest = Object.fromEntries(Object.entries(same).filter((entry) => !isState(entry)));
    const isOne = steps <= MIN_STEPS || Object.entries(each).some(isState);
    const plan = isOne
      ? undefined
      : many.plan({ ...rest, ...stepAt(each, 0) }, outputs, this.#state!);
    for (let at = 1; at < steps;) {
      if (plan && steps - at >= MIN_STEPS) {
        const { done, results } = many.run(plan, { ...feeds, same: rest }, at, this.#state!);
        parts.push(results);
        this.steps += done;
        at += done;
      } else parts.push(asSteps(this.stepSync({ ...rest, ...stepAt(each, at++) }, outputs)));
    }
    return joinSteps(parts);
  }

  async warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#check();
    checkSignal(signal);
    const { call, initial } = this.#common.feeds.check(feeds, this.#tensors());
    this.#common.programs.get(call, { ...initial, ...feeds }, outputs);
  }

  reset(): void {
    this.#check();
    this.#replace(undefined);
    this.steps = 0;
  }

  /** The state as tensors; undefined before the first step. */
  #tensors(): Record<string, Tensor> | undefined {
    const { programs } = this.#common;
    if (!this.#state) return undefined;
    const values = [...this.#state].map(([name, value]) => [name, programs.read(value)]);
    return Object.fromEntries(values) as Record<string, Tensor>;
  }

  async snapshot(): Promise<Record<string, Tensor>> {
    this.#check();
    return { ...this.#tensors() };
  }

  restore(state: Tensors): void {
    this.#check();
    const checked = this.#common.feeds.checkState(state, this.#tensors());
    this.#replace(checked && this.#place(checked));
    this.steps = 0;
  }

  fork(): StreamSession {
    this.#check();
    const other = new CpuStream(this.#common);
    const state = this.#tensors();
    if (state) other.#state = this.#place(state);
    other.steps = this.steps;
    return other;
  }

  get disposed(): boolean {
    return this.#disposed || this.#common.isModelDisposed();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#replace(undefined);
  }
}
