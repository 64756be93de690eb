// Many steps of a stream in one call. What does not depend on the state, such as the front end of a model, and what no
// state follows from, such as its output layer, is computed for many steps at once, as rows of a batch: the weights are
// read once for all of them, and products have full tiles.
import { RnnError } from '../../errors.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import { isFloat, sizeOf, type DataType, type Tensor } from '../../tensor.ts';
import type { CpuStorage } from '../../wasm/lowering.ts';
import type { Loaded, Machine } from '../../wasm/machine.ts';
import { makeProgram, type ProgramRequest } from '../../wasm/make-program.ts';
import { wordsOf, type NamedValue, type Place } from '../../wasm/program.ts';
import type { Tensors } from '../backend.ts';
import { findBatchAxes } from '../group/batch-axes.ts';
import { stack } from '../group/rows.ts';
import type { CheckedCall } from '../prepare-call.ts';
import type { StateSlot, StreamedGraph } from '../stateful-graph.ts';
import type { StepFeeds } from '../step-tensors.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import { checkRange, tensorOf, type Resident } from './programs.ts';
import { splitGraph, type Crossing, type Part, type SplitGraph } from './split-graph.ts';

/** Steps that are computed at once. More would save little, and what they share would leave the cache. */
const ROWS = 32;

/** Fewer steps than this are not worth the work for all of the rows. */
export const MIN_STEPS = ROWS / 2;

/** What a stream has for its steps. */
export interface ManyParts {
  readonly machine: Machine;
  readonly streamed: StreamedGraph;
  readonly storage: CpuStorage;
  readonly limits: EvaluatorOptions;
}

/** An array in memory, [outer, rows, inner]. */
interface Rows {
  readonly type: DataType;
  readonly at: number;
  readonly outer: number;
  readonly rows: number;
  readonly inner: number;
}

/** A copy from part to part. */
interface Copy {
  readonly from: Rows;
  readonly to: Rows;
}

/** A state within the part that goes step by step. In elements. */
interface PlacedState {
  readonly input: string;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** A value of the caller's. */
interface Outside {
  readonly name: string;
  readonly dims: readonly number[];
  readonly rows: Rows;
}

/** The parts of a graph in memory, for steps of one shape. */
interface Plan {
  readonly before: Loaded;
  readonly between: Loaded;
  readonly after: Loaded;
  readonly inputs: readonly Outside[];
  readonly outputs: readonly Outside[];
  /** What the first part gives for all steps at once. */
  readonly whole: readonly Copy[];
  /** What a step is given by the first part, and gives to the third. */
  readonly enter: readonly Copy[];
  readonly leave: readonly Copy[];
  readonly states: readonly PlacedState[];
}

/** A part in memory, with where it reads and gives values. */
class PlacedPart {
  readonly loaded: Loaded;
  readonly #part: Part;
  readonly #isOne: boolean;

  constructor(machine: Machine, part: Part, isOne: boolean, request: ProgramRequest) {
    this.#part = part;
    this.#isOne = isOne;
    const outputs = [...request.outputs, ...part.gives.map(({ name }) => name)];
    this.loaded = machine.load(makeProgram(part.graph, { ...request, outputs }));
  }

  /** An array with the shape of a crossing value as this part has it. */
  rowsOf(crossing: Crossing, place: Place): Rows {
    const { type, dims } = this.#isOne ? crossing.one : crossing.many;
    const at = this.loaded.address(place) >>> 2;
    const { axis } = crossing;
    if (axis === undefined) return { type, at, outer: 1, rows: 1, inner: sizeOf(dims) };
    const [outer, inner] = [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis + 1))];
    return { type, at, outer, rows: dims[axis]!, inner };
  }

  /** Where a value is that this part reads; undefined where it reads it not. */
  read(crossing: Crossing): Rows | undefined {
    const index = this.#part.reads.indexOf(crossing);
    const input = this.loaded.program.inputs[index];
    return input && this.rowsOf(crossing, input.place);
  }

  /** Where an output is. */
  output(name: string): Place {
    const found = this.loaded.program.outputs.find((output) => output.name === name);
    return (found as NamedValue).place;
  }

  give(crossing: Crossing): Rows {
    return this.rowsOf(crossing, this.output(crossing.name));
  }

  /** What goes from this part to another. */
  copiesTo(other: PlacedPart): Copy[] {
    return this.#part.gives.flatMap((crossing): Copy[] => {
      const to = other.read(crossing);
      return to ? [{ from: this.give(crossing), to }] : [];
    });
  }
}

/** Copies row `k` of an array into row `n` of another. */
function copyRow(words: Int32Array, from: Rows, k: number, to: Rows, n: number): void {
  const { outer, inner } = from;
  for (let o = 0; o < outer; o++) {
    const at = from.at + (o * from.rows + k) * inner;
    words.copyWithin(to.at + (o * to.rows + n) * inner, at, at + inner);
  }
}

/** Copies an array into one of the same shape. */
function copyAll(words: Int32Array, { from, to }: Copy): void {
  words.copyWithin(to.at, from.at, from.at + from.outer * from.rows * from.inner);
}

/** Puts together where everything is. */
function planOf(
  split: SplitGraph,
  parts: Readonly<Record<keyof Pick<Plan, 'before' | 'between' | 'after'>, PlacedPart>>,
  slots: readonly StateSlot[],
): Plan {
  const { before, between, after } = parts;
  const { program, address } = between.loaded;
  const word = (place: Place): number => address(place) >>> 2;
  const states = slots.map(({ input, output }): PlacedState => {
    const at = split.between.states.indexOf(input) + split.between.reads.length;
    const { place, dims } = program.inputs[at]!;
    return { input, from: word(place), to: word(between.output(output)), count: sizeOf(dims) };
  });
  const entering = before.copiesTo(between);
  const isShared = ({ from }: Copy): boolean => from.rows === 1;
  return {
    before: before.loaded,
    between: between.loaded,
    after: after.loaded,
    inputs: split.before.reads.map((crossing) => {
      const { name, dims } = crossing.one;
      return { name, dims, rows: before.read(crossing)! };
    }),
    outputs: split.outputs.map((crossing) => {
      const { name, one } = crossing;
      return { name, dims: one.dims, rows: after.rowsOf(crossing, after.output(name)) };
    }),
    whole: [...entering.filter(isShared), ...before.copiesTo(after)],
    enter: entering.filter((copy) => !isShared(copy)),
    leave: between.copiesTo(after),
    states,
  };
}

/** See the top of the file. One for a stream and its forks. */
export class ManySteps {
  readonly #parts: ManyParts;
  /** By shapes; undefined where steps cannot be computed together. */
  readonly #plans = new Map<string, Plan | undefined>();

  readonly #feeds: StreamFeeds;

  constructor(parts: ManyParts) {
    this.#parts = parts;
    this.#feeds = new StreamFeeds(parts.streamed, 1, parts.limits);
  }

  /**
   * Computes as many of the steps from `at` on as there are rows.
   *
   * @param state is read, and moves on when all of these steps have been computed
   * @returns the results, [n, …]
   */
  run(
    plan: Plan,
    feeds: StepFeeds,
    at: number,
    state: ReadonlyMap<string, Resident>,
  ): { readonly done: number; readonly results: Tensors } {
    const { machine } = this.#parts;
    const done = Math.min(ROWS, feeds.steps - at);
    this.#feed(plan, feeds, at, done);
    machine.run(plan.before);
    const { i32 } = machine.memory;
    for (const copy of plan.whole) copyAll(i32, copy);
    for (const { input, from, count } of plan.states) {
      const resident = state.get(input)!;
      i32.copyWithin(from, resident.at, resident.at + count);
    }
    for (let row = 0; row < done; row++) {
      for (const { from, to } of plan.enter) copyRow(i32, from, row, to, 0);
      machine.run(plan.between);
      for (const { from, to } of plan.leave) copyRow(i32, from, 0, to, row);
      for (const { from, to, count } of plan.states) i32.copyWithin(from, to, to + count);
    }
    machine.run(plan.after);
    for (const { input, from, count } of plan.states) {
      i32.copyWithin(state.get(input)!.at, from, from + count);
    }
    return { done, results: this.#results(plan, done) };
  }

  /** Writes feeds: a row for each step, those beyond the last as the last. */
  #feed({ inputs }: Plan, { same, each }: StepFeeds, at: number, done: number): void {
    const { f32, i32 } = this.#parts.machine.memory;
    for (const { name, rows } of inputs) {
      const feed = each[name] ?? same[name]!;
      checkRange(name, feed);
      const size = rows.outer * rows.inner;
      const [from, count] = each[name] ? [at, done] : [0, 1];
      const words = wordsOf(feed.type, feed.data.subarray(from * size, (from + count) * size));
      const memory = isFloat(feed.type) ? f32 : i32;
      for (let row = 0; row < rows.rows; row++) {
        const start = Math.min(row, count - 1) * size;
        for (let o = 0; o < rows.outer; o++) {
          const block = start + o * rows.inner;
          const to = rows.at + (o * rows.rows + row) * rows.inner;
          memory.set(words.subarray(block, block + rows.inner), to);
        }
      }
    }
  }

  #results({ outputs }: Plan, done: number): Record<string, Tensor> {
    const { f32, i32 } = this.#parts.machine.memory;
    return Object.fromEntries(
      outputs.map(({ name, dims, rows }) => {
        const { type, at, outer, inner } = rows;
        const memory = isFloat(type) ? f32 : i32;
        const words = memory.slice(0, done * outer * inner);
        for (let row = 0, to = 0; row < done; row++) {
          for (let o = 0; o < outer; o++, to += inner) {
            const from = at + (o * rows.rows + row) * inner;
            words.set(memory.subarray(from, from + inner), to);
          }
        }
        return [name, tensorOf(type, [done, ...dims], words)];
      }),
    );
  }

  /**
   * The plan for steps like this one; undefined where they are to be computed one by one.
   *
   * @param feeds of one step, without its state
   * @param state that the steps go on from
   */
  plan(
    feeds: Tensors,
    outputs: readonly string[],
    state: ReadonlyMap<string, Resident>,
  ): Plan | undefined {
    const { call } = this.#feeds.check(feeds);
    const key = JSON.stringify([call.key, outputs]);
    if (!this.#plans.has(key)) {
      for (const plan of this.#plans.values()) this.#unload(plan);
      this.#plans.clear();
      this.#plans.set(key, this.#make(call, feeds, outputs));
    }
    call.release();
    const plan = this.#plans.get(key);
    const fits = plan?.states.every(({ input, count }) => sizeOf(state.get(input)!.dims) === count);
    return fits ? plan : undefined;
  }

  #make(call: CheckedCall, feeds: Tensors, outputs: readonly string[]): Plan | undefined {
    const { streamed, limits, machine } = this.#parts;
    const { slots } = streamed;
    if (call.lengths.length > 0 || call.indices.length > 0) return undefined;
    let split: SplitGraph | undefined;
    try {
      const { inputs } = findBatchAxes({ streamed, feeds, wanted: outputs, limits });
      const tiled = Object.entries(feeds).map(([name, value]): [string, Tensor] => {
        const axis = inputs.get(name);
        return [name, axis === undefined ? value : stack(axis, ROWS, () => value)];
      });
      const many = new StreamFeeds(streamed, ROWS, limits).check(Object.fromEntries(tiled)).call;
      split = splitGraph(call.specialized, many.specialized, ROWS, slots, outputs);
    } catch (error) {
      // Rows that are not independent, or a graph that takes no more than one: steps go one by one.
      if (error instanceof RnnError) return undefined;
      throw error;
    }
    if (!split) return undefined;
    const { storage } = this.#parts;
    const feedback = new Map(slots.map(({ input, output }) => [input, output]));
    const none = { outputs: [], feedback: new Map<string, string>(), storage };
    const before = new PlacedPart(machine, split.before, false, none);
    const between = new PlacedPart(machine, split.between, true, { ...none, feedback });
    const after = new PlacedPart(machine, split.after, false, { ...none, outputs });
    return planOf(split, { before, between, after }, slots);
  }

  #unload(plan: Plan | undefined): void {
    for (const part of plan ? [plan.before, plan.between, plan.after] : []) {
      this.#parts.machine.unload(part);
    }
  }
}
