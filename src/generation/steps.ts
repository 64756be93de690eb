// The steps of one generation on the streams that it has to itself.
import { checkSignal } from '../backends/abort.ts';
import type { StreamSession, Tensors } from '../backends/backend.ts';
import { tensor, type Tensor } from '../tensor.ts';
import type { Sampling } from './options.ts';
import type { Programs } from './programs.ts';
import type { Rows } from './rows.ts';
import { tokenTensor } from './locate.ts';

/** What one step has chosen, a number for each row. */
export interface StepResult {
  readonly tokens: readonly number[];
  /** Empty where nobody wants them. */
  readonly logProbs: readonly number[];
}

/** What a generation is about. */
interface Task {
  /** The model, which must not be collected meanwhile. */
  readonly owner: object;
  readonly rows: Rows;
  readonly prompts: readonly (readonly number[])[];
  readonly sampling: Sampling;
  /** For the other inputs of the model. */
  readonly feeds: Tensors;
  readonly signal: AbortSignal | undefined;
}

/** Milliseconds that the thread may compute before others have it for a moment. */
const BREATH_MS = 8;

const numbersOf = (value: Tensor | undefined): number[] => Array.from(value?.data ?? [], Number);

/** See the top of the file. */
export class Steps {
  readonly #task: Task;
  readonly #programs: Programs;
  readonly #prefill: StreamSession;
  readonly #loop: StreamSession;
  readonly #outputs: readonly string[];
  #breath = performance.now();

  constructor(programs: Programs, task: Task) {
    this.#programs = programs;
    this.#task = task;
    const { chosen, logProb } = programs.names;
    this.#outputs = logProb === undefined ? [chosen] : [chosen, logProb];
    this.#prefill = programs.prefill.fork();
    this.#loop = programs.loop.fork();
  }

  /** Whether several steps are computed before anything is read back. */
  get canBatch(): boolean {
    return this.#loop.stepMany !== undefined;
  }

  /** What does not change from step to step. */
  get #constants(): Record<string, Tensor> {
    const { temperature, topP, penalty } = this.#programs.names;
    const { sampling } = this.#task;
    const numbers: [string | undefined, number][] = [
      [temperature, sampling.temperature],
      [topP, sampling.topP],
      [penalty, sampling.penalty],
    ];
    return Object.fromEntries(
      numbers.flatMap(([name, value]): [string, Tensor][] =>
        name === undefined ? [] : [[name, tensor(Float32Array.of(value), [1])]],
      ),
    );
  }

  /** What the next `count` steps are fed one after the other, [count, B, 1]. */
  #varying(count: number): Record<string, Tensor> {
    const { uniform, forced } = this.#programs.names;
    const { prompts, rows } = this.#task;
    const dims = [count, prompts.length, 1];
    const numbers = rows.feed(count);
    return {
      ...(uniform !== undefined && { [uniform]: tensor(numbers.uniform, dims) }),
      ...(forced !== undefined && { [forced]: tensor(numbers.forced, dims) }),
    };
  }

  /** 1 for each token of the part of the prompts that is read first, [B, V]. */
  #seen(): Record<string, Tensor> {
    const { names, vocabulary } = this.#programs;
    const { prompts, rows } = this.#task;
    if (names.seen === undefined) return {};
    const data = new Float32Array(prompts.length * vocabulary);
    prompts.forEach((prompt, row) => {
      for (const token of prompt.slice(0, rows.shortest)) {
        if (token < vocabulary) data[row * vocabulary + token] = 1;
      }
    });
    return { [names.seen]: tensor(data, [prompts.length, vocabulary]) };
  }

  /** Feeds without those for a state, which are for the first step. */
  #afterFirst(feeds: Tensors): Tensors {
    const { states } = this.#programs;
    return Object.fromEntries(Object.entries(feeds).filter(([name]) => !states.has(name)));
  }

  /** Reads what all prompts have, and gives the first token of each row. */
  async first(): Promise<StepResult[]> {
    const { input } = this.#programs;
    const { prompts, rows, feeds, signal } = this.#task;
    const [varying] = each(this.#varying(1), 1);
    const common = { ...this.#constants, ...varying };
    const read = prompts.map((prompt) => prompt.slice(0, rows.shortest));
    const chunks = input.takesSequences
      ? [read]
      : Array.from({ length: rows.shortest }, (_, at) => read.map((row) => [row[at]!]));
    const calls: Promise<Record<string, Tensor>>[] = [];
    for (const [at, tokens] of chunks.entries()) {
      const isLast = at === chunks.length - 1;
      const x = tokenTensor(input, tokens);
      const given = at === 0 ? feeds : this.#afterFirst(feeds);
      const all = { ...given, ...common, [input.info.name]: x, ...(isLast && this.#seen()) };
      const call = this.#prefill.step(all, isLast ? this.#outputs : [], signal);
      call.catch(() => undefined); // they are waited for together
      calls.push(call);
      if (!this.canBatch) await this.#breathe();
    }
    const state = this.#prefill.snapshot();
    state.catch(() => undefined);
    const results = await Promise.all(calls);
    this.#loop.restore(await state);
    this.#prefill.dispose();
    return this.#split(results.at(-1)!, 1);
  }

  /** Lets the device choose the next tokens of each row. */
  async advance(count: number): Promise<StepResult[]> {
    const { feeds, signal } = this.#task;
    const given = { ...this.#afterFirst(feeds), ...this.#constants };
    const varying = this.#varying(count);
    if (this.#loop.stepMany) {
      const results = await this.#loop.stepMany(given, count, varying, this.#outputs, signal);
      return this.#split(results, count);
    }
    const made: StepResult[] = [];
    for (const one of each(varying, count)) {
      await this.#breathe();
      const results = await this.#loop.step({ ...given, ...one }, this.#outputs, signal);
      made.push(...this.#split(results, 1));
    }
    return made;
  }

  /** Where the CPU computes, lets timers, events and an abort have the thread now and then. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#breath < BREATH_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.#breath = performance.now();
    checkSignal(this.#task.signal);
  }

  /** Results of several steps, [count, B, 1], step by step. */
  #split(results: Record<string, Tensor>, count: number): StepResult[] {
    const { chosen, logProb } = this.#programs.names;
    const tokens = numbersOf(results[chosen]);
    const logProbs = numbersOf(logProb === undefined ? undefined : results[logProb]);
    const batch = tokens.length / count;
    return Array.from({ length: count }, (_, step) => ({
      tokens: tokens.slice(step * batch, (step + 1) * batch),
      logProbs: logProbs.slice(step * batch, (step + 1) * batch),
    }));
  }

  /** Frees the streams. */
  dispose(): void {
    this.#prefill.dispose();
    this.#loop.dispose();
  }
}

/** Tensors [count, …] step by step. */
function each(tensors: Readonly<Record<string, Tensor>>, count: number): Record<string, Tensor>[] {
  return Array.from({ length: count }, (_, step) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { type, dims, data }]) => {
        const size = data.length / count;
        const part = data.slice(step * size, (step + 1) * size);
        return [name, { type, dims: dims.slice(1), data: part } as Tensor];
      }),
    ),
  );
}
