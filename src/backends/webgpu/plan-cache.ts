// The plans of one graph on a device, by shape, in two tiers: where the optimized kernels compile
// slowly, the first plan of a shape has baseline kernels, and is replaced once the optimized one is
// ready.
import { RnnError } from '../../errors.ts';
import type { Overrides } from '../../plan/select/select-kernel.ts';
import { hasBaseline } from '../../plan/select/tuning-tables.ts';
import type { Tier } from '../../plan/select/variants.ts';
import { makePlan } from '../../plan/index.ts';
import { kernelsOf } from '../../plan/types.ts';
import type { Plan } from '../../plan/types.ts';
import { completionOf } from '../../gpu/completion.ts';
import { Program } from '../../gpu/program.ts';
import { ownedUploads, type CheckedCall, type Uploads } from '../prepare-call.ts';
import type { CachedPlan, Executor } from './executor.ts';
import type { RangeRequest } from './warm-up-kernels.ts';

/** Plans kept for a graph. Each shape costs its scratch memory; the least recent goes first. */
const MAX_PLANS = 16;

/** The place of the plan for one shape. */
interface CacheEntry {
  readonly key: string;
  plan: CachedPlan | Promise<CachedPlan>;
}

/** What a plan is known by. */
const keyOf = ({ key }: CheckedCall, outputs: readonly string[]): string =>
  JSON.stringify([key, outputs]);

/** The plans of one graph, by shape and wanted outputs. */
export class PlanCache {
  readonly #executor: Executor;
  readonly #feedback: ReadonlyMap<string, string>;
  readonly #entries = new Map<string, CacheEntry>();
  /** Whether an optimized plan is in its place: then another length is likely to compile nothing. */
  #tieredUp = false;
  #warned = false;
  #users = 0;

  /** @param feedback outputs to copy into an input after each call, by the name of that input */
  constructor(executor: Executor, feedback: ReadonlyMap<string, string>) {
    this.#executor = executor;
    this.#feedback = feedback;
  }

  /** The plan for a call: at once when it has been made before. */
  get(
    call: CheckedCall,
    outputs: readonly string[],
    uploads: Uploads,
  ): CachedPlan | Promise<CachedPlan> {
    return this.#entry(call, outputs, uploads, 'baseline').plan;
  }

  /** Resolves when the optimized plan for a call is in its place. @throws RnnError as a call does */
  async warmUp(call: CheckedCall, outputs: readonly string[], uploads: Uploads): Promise<void> {
    const plan = await this.#entry(call, outputs, uploads, 'optimized').plan;
    await plan.tierUp?.();
  }

  /** The plan for a call, where it is there already. */
  ready(call: CheckedCall, outputs: readonly string[]): CachedPlan | undefined {
    const plan = this.#found(keyOf(call, outputs))?.plan;
    return plan instanceof Promise ? undefined : plan;
  }

  /**
   * Compiles what calls of a range of shapes need, of which none compiles anything then.
   *
   * @throws RnnError `INVALID_ARGUMENT` with `tune`, which compiles at each shape
   */
  async warmUpRange(request: RangeRequest): Promise<void> {
    const { profile, options } = this.#executor;
    if (options.tune) {
      const what = 'got a range, but `tune` times kernels at each shape: call warmUp with feeds';
      throw new RnnError('INVALID_ARGUMENT', 'range', what);
    }
    const { compileRange } = await import('./warm-up-kernels.ts');
    if (!hasBaseline(profile)) return compileRange(this.#executor, request, 'optimized');
    try {
      await compileRange(this.#executor, request, 'optimized');
      this.#tieredUp = true;
    } catch (error) {
      if (!(error instanceof RnnError) || error.code !== 'INTERNAL') throw error;
      this.#keepBaseline(error);
      await compileRange(this.#executor, request, 'baseline');
    }
  }

  #found(key: string): CacheEntry | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key); // most recent last
    this.#entries.set(key, entry);
    return entry;
  }

  #entry(call: CheckedCall, outputs: readonly string[], uploads: Uploads, tier: Tier): CacheEntry {
    const key = keyOf(call, outputs);
    const found = this.#found(key);
    if (found) return found;
    const entry = { key } as CacheEntry;
    const made = this.#make(entry, call, outputs, uploads, tier);
    entry.plan = made;
    this.#entries.set(key, entry);
    made.then(
      (plan) => (entry.plan = plan),
      () => this.#holds(entry) && this.#entries.delete(key),
    );
    for (const old of this.#entries.values()) {
      if (this.#entries.size <= MAX_PLANS) break;
      this.#entries.delete(old.key);
      this.#free(old, (program) => program.retire());
    }
    return entry;
  }

  #holds(entry: CacheEntry): boolean {
    return this.#entries.get(entry.key) === entry;
  }

  async #make(
    entry: CacheEntry,
    call: CheckedCall,
    outputs: readonly string[],
    uploads: Uploads,
    tier: Tier,
  ): Promise<CachedPlan> {
    const { resources, options } = this.#executor;
    const planOf = (as: Tier, overrides?: Overrides): Plan =>
      makePlan(call.specialized, {
        outputs,
        feedback: this.#feedback,
        device: this.#executor.profile,
        options: { ...options, excluded: this.#executor.excluded, tier: as, ...overrides },
      });
    /** The last plan of a shape: nothing else will be made from its nodes. */
    const lastPlanOf = (overrides?: Overrides): Plan => {
      const plan = planOf('optimized', overrides);
      call.release();
      return plan;
    };
    if (options.selfCheck ?? this.#executor.profile.adapter === 'gpu') {
      const { selfCheck } = await import('./self-check.ts');
      await selfCheck(this.#executor, planOf);
    }
    const forced = options.recurrentKernel !== undefined;
    if (options.tune && !forced) {
      const owned = ownedUploads(uploads);
      const { autotune } = await import('./autotune.ts');
      const optimized = (overrides: Overrides): Plan => planOf('optimized', overrides);
      return this.#real(lastPlanOf({ tuned: await autotune(this.#executor, optimized, owned) }));
    }
    if (!hasBaseline(this.#executor.profile) || forced) return this.#real(lastPlanOf());
    if (tier === 'optimized' || this.#tieredUp) {
      const plan = planOf('optimized');
      const compiled = [...kernelsOf(plan).values()].every((k) => resources.pipelines.has(k));
      if (compiled) {
        call.release();
        return this.#real(plan);
      }
      // What the optimized kernels cannot do here, the baseline ones may.
      const made = tier === 'optimized' && (await this.#real(plan).catch(this.#keepBaseline));
      if (made) {
        call.release();
        this.#tieredUp = true;
        return made;
      }
    }
    const baseline = await this.#real(planOf('baseline'));
    let tieringUp: Promise<void> | undefined;
    const plan: CachedPlan = {
      ...baseline,
      tierUp: () => (tieringUp ??= this.#tierUp(entry, plan, lastPlanOf).catch(this.#keepBaseline)),
    };
    return plan;
  }

  async #real(plan: Plan): Promise<CachedPlan> {
    const program = await this.#executor.during(Program.create(this.#executor.resources, plan));
    return { program, bindings: this.#feedback.size === 0 ? program.bind(new Map()) : undefined };
  }

  async #tierUp(entry: CacheEntry, baseline: CachedPlan, makeOptimized: () => Plan): Promise<void> {
    const { queue } = this.#executor.device;
    await this.#executor.guard(completionOf(queue, queue.onSubmittedWorkDone()));
    // Whoever waits for the first result goes on first: planning holds the thread for a moment.
    await new Promise((resolve) => setTimeout(resolve));
    if (!this.#holds(entry)) return;
    const plan = makeOptimized();
    const [next, now] = [kernelsOf(plan), kernelsOf(baseline.program.plan)];
    if (next.size === now.size && [...next.keys()].every((source) => now.has(source))) return;
    const optimized = await this.#real(plan);
    if (!this.#holds(entry)) return optimized.program.destroy();
    entry.plan = optimized;
    this.#tieredUp = true;
    void this.#executor.queue.run(() => baseline.program.retire());
  }

  /** Says once why there are no optimized kernels, unless the model or the device is gone. */
  readonly #keepBaseline = (error: unknown): undefined => {
    const gone = error instanceof RnnError && ['DISPOSED', 'DEVICE_LOST'].includes(error.code);
    if (gone || this.#warned) return;
    this.#warned = true;
    console.warn('webgpu-rnn goes on with slower kernels, the optimized ones failed:', error);
  };

  /** Frees the program of a plan when the calls that have been given it have been submitted. */
  #free({ plan }: CacheEntry, free: (program: Program) => void): void {
    Promise.resolve(plan).then(
      ({ program }) => void this.#executor.queue.run(() => free(program)),
      () => undefined, // it was never made
    );
  }

  /** Counts a stream that has its plans here. */
  retain(): void {
    this.#users++;
  }

  /** The opposite of {@link retain}: with the last stream the plans go. */
  release(): void {
    if (--this.#users === 0) this.destroy();
  }

  /** Whether streams have their plans here. */
  get isUsed(): boolean {
    return this.#users > 0;
  }

  destroy(): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const entry of entries) this.#free(entry, (program) => program.destroy());
  }
}
