// The plans of one graph on a device, by shape. Where the best kernels compile slowly, the first
// plan of a shape has others, and makes way for the best once that is ready.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import type { Effort, Measured } from '../../plan/select/select-kernel.ts';
import { hasQuick } from '../../plan/select/select-kernel.ts';
import { makePlan } from '../../plan/index.ts';
import { kernelsOf } from '../../plan/types.ts';
import type { Plan } from '../../plan/types.ts';
import { Program } from '../../gpu/program.ts';
import type { Bindings } from '../../gpu/program.ts';
import { uploadArray } from './executor.ts';
import type { DeviceArray, Executor } from './executor.ts';
import { Preparer } from '../backend.ts';
import type { Prepared, Tensors } from '../backend.ts';

/** Plans kept for a graph. Each shape costs its scratch memory; the least recent goes first. */
const MAX_PLANS = 16;

/** A plan on the device. */
export interface Entry {
  readonly program: Program;
  /** Bind groups for calls without state. */
  readonly bindings: Bindings | undefined;
  /**
   * Makes the best plan in the background and puts it in the place of this one, which has quick
   * kernels; undefined where this is the best. It begins after the work that has been submitted,
   * once however often it is called, and never rejects: what fails is said on the console, and leaves
   * this plan in its place.
   */
  readonly improve?: () => Promise<void>;
}

/** The place of the plan for one shape. */
interface Slot {
  readonly key: string;
  entry: Entry | Promise<Entry>;
}

/** The plans of one graph, by shape and wanted outputs. */
export class Plans {
  readonly preparer: Preparer;
  readonly #executor: Executor;
  readonly #graph: Graph;
  readonly #feedback: ReadonlyMap<string, string>;
  readonly #slots = new Map<string, Slot>();
  /** Whether a best plan has taken its place: then another length is likely to compile nothing. */
  #improved = false;
  #told = false;

  constructor(executor: Executor, graph: Graph, feedback: ReadonlyMap<string, string>) {
    this.#executor = executor;
    this.#graph = graph;
    this.#feedback = feedback;
    this.preparer = new Preparer(graph, executor.options.maxUnrolled);
  }

  /** The plan for a call: at once when it has been made before. */
  get(prepared: Prepared, outputs: readonly string[], feeds: Tensors): Entry | Promise<Entry> {
    return this.#slot(prepared, outputs, feeds, 'quick').entry;
  }

  /** Resolves when the best plan for a call is in its place. @throws RnnError as a call does */
  async warmUp(prepared: Prepared, outputs: readonly string[], feeds: Tensors): Promise<void> {
    const entry = await this.#slot(prepared, outputs, feeds, 'best').entry;
    await entry.improve?.();
  }

  #slot(prepared: Prepared, outputs: readonly string[], feeds: Tensors, effort: Effort): Slot {
    const key = `${prepared.key}→${outputs.join(';')}`;
    const found = this.#slots.get(key);
    if (found) {
      this.#slots.delete(key); // most recent last
      this.#slots.set(key, found);
      return found;
    }
    const slot = { key } as Slot;
    const made = this.#make(slot, prepared, outputs, feeds, effort);
    slot.entry = made;
    this.#slots.set(key, slot);
    made.then(
      (entry) => (slot.entry = entry),
      () => this.#isIn(slot) && this.#slots.delete(key),
    );
    for (const old of this.#slots.values()) {
      if (this.#slots.size <= MAX_PLANS) break;
      this.#slots.delete(old.key);
      this.#destroy(old);
    }
    return slot;
  }

  #isIn(slot: Slot): boolean {
    return this.#slots.get(slot.key) === slot;
  }

  async #make(
    slot: Slot,
    prepared: Prepared,
    outputs: readonly string[],
    feeds: Tensors,
    effort: Effort,
  ): Promise<Entry> {
    const { resources, profile, options } = this.#executor;
    const planOf = (how: Effort, measured?: Measured): Plan =>
      makePlan(this.#graph, {
        dims: prepared.dims,
        host: prepared.host,
        outputs,
        feedback: this.#feedback,
        device: profile,
        options: { ...options, effort: how, ...(measured && { measured }) },
      });
    const forced = options.recurrentKernel !== undefined;
    if (options.tune && !forced) {
      // A caller may reuse its arrays as soon as the call returns.
      const arrays = this.arraysOf(feeds).map(([name, data]) => [name, data.slice()] as const);
      const { measureWays } = await import('./autotune.ts');
      const bestOf = (measured: Measured): Plan => planOf('best', measured);
      return this.#real(bestOf(await measureWays(this.#executor, bestOf, arrays)));
    }
    if (!hasQuick(profile) || forced) return this.#real(planOf('best'));
    if (effort === 'best' || this.#improved) {
      const plan = planOf('best');
      const compiled = [...kernelsOf(plan).values()].every((k) => resources.pipelines.has(k));
      if (compiled) return this.#real(plan);
      // What the best kernels cannot do here, the quick ones may.
      const best = effort === 'best' && (await this.#real(plan).catch(this.#keepQuick));
      if (best) {
        this.#improved = true;
        return best;
      }
    }
    const quick = await this.#real(planOf('quick'));
    let improving: Promise<void> | undefined;
    const entry: Entry = {
      ...quick,
      improve: () =>
        (improving ??= this.#improve(slot, entry, () => planOf('best')).catch(this.#keepQuick)),
    };
    return entry;
  }

  async #real(plan: Plan): Promise<Entry> {
    const program = await this.#executor.guard(Program.create(this.#executor.resources, plan));
    return { program, bindings: this.#feedback.size === 0 ? program.bind(new Map()) : undefined };
  }

  async #improve(slot: Slot, quick: Entry, makeBest: () => Plan): Promise<void> {
    await this.#executor.device.queue.onSubmittedWorkDone();
    // Whoever waits for the first result goes on first: planning holds the thread for a moment.
    await new Promise((resolve) => setTimeout(resolve));
    if (!this.#isIn(slot)) return;
    const plan = makeBest();
    const [best, now] = [kernelsOf(plan), kernelsOf(quick.program.plan)];
    if (best.size === now.size && [...best.keys()].every((source) => now.has(source))) return;
    const entry = await this.#real(plan);
    if (!this.#isIn(slot)) return entry.program.destroy();
    slot.entry = entry;
    this.#improved = true;
    this.#retire(quick);
  }

  /** Says once why the best kernels do not come. They are not missed where the model or the device is gone. */
  readonly #keepQuick = (error: unknown): undefined => {
    const gone = error instanceof RnnError && ['DISPOSED', 'DEVICE_LOST'].includes(error.code);
    if (gone || this.#told) return;
    this.#told = true;
    console.warn('webgpu-rnn goes on with slower kernels, the best ones failed:', error);
  };

  /** Destroys a program when the calls that have been given it have been submitted. */
  #retire({ program }: Entry): void {
    void this.#executor.enter(() => program.destroy());
  }

  #destroy({ entry }: Slot): void {
    Promise.resolve(entry).then(
      (made) => this.#retire(made),
      () => undefined, // it was never made
    );
  }

  /** The feeds that are uploaded for a call, as the device takes them. */
  arraysOf(feeds: Tensors): (readonly [string, DeviceArray])[] {
    return this.#graph.inputs
      .filter(({ name }) => feeds[name] !== undefined && !this.preparer.isHost(name))
      .map(({ name }) => [name, uploadArray(name, feeds[name]!)] as const);
  }

  destroy(): void {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    for (const slot of slots) this.#destroy(slot);
  }
}
