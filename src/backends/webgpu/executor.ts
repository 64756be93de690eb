// Runs plans on a device in the order the calls were made. The runs and streams of a model share one.
import { RnnError } from '../../errors.ts';
import { toTensor } from '../../ops/value.ts';
import type { DeviceProfile } from '../../plan/select/device-profile.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import type { Plan, PlanOutput } from '../../plan/types.ts';
import type { Tensor } from '../../tensor.ts';
import type { Gpu, Lease } from '../../gpu/device.ts';
import type { Bindings, Program } from '../../gpu/program.ts';
import { ModelResources } from '../../gpu/model-resources.ts';
import { checkSignal } from '../abort.ts';
import { CallQueue } from '../call-queue.ts';
import { ownedUploads, type Uploads } from '../prepare-call.ts';
import { profileOf } from './device-profile.ts';
import type { GpuResults } from './gpu-results.ts';
import {
  allocateResults,
  copyFeeds,
  copyOutputs,
  refusedFeed,
  type GpuFeed,
} from './gpu-tensors.ts';
import { readBacksOf, repeated, submitSteps, type StepFeeds } from './many-steps.ts';
import { PendingRead, refusedWork, submitAndRead, type ReadBack } from './read-back.ts';

/** A plan on the device. */
export interface CachedPlan {
  readonly program: Program;
  /** Bind groups for calls without state. */
  readonly bindings: Bindings | undefined;
  /**
   * Makes the optimized plan in the background and puts it in the place of this one, which has
   * baseline kernels; undefined where this is the optimized one. It begins after the work that has
   * been submitted, once however often it is called, and never rejects: what fails is said on the
   * console, and leaves this plan in its place.
   */
  readonly tierUp?: () => Promise<void>;
}

/** What a call asks of its work besides the results; all but `feeds` is for steps of a stream. */
export interface CallWork {
  /** Feeds that are on the device. */
  readonly feeds?: readonly GpuFeed[];
  /** Buffers to read back together with the results, as they are after the work. */
  readonly also?: readonly ReadBack[];
  /** Called with the tensors of `also` by name, before the results are given. */
  readonly arrived?: (tensors: Record<string, Tensor>) => void;
  /** Called where the device refuses the work, which has changed nothing then. */
  readonly refused?: () => void;
}

const byName = (
  values: readonly { readonly name: string }[],
  tensors: readonly Tensor[],
): Record<string, Tensor> =>
  Object.fromEntries(values.map(({ name }, i) => [name, tensors[i]!] as const));

/** Where there was no room for results, the commands that copy to them are invalid. */
function rethrowNoRoom(error: unknown): void {
  if (error instanceof RnnError && error.code === 'OUT_OF_MEMORY') throw error;
}

/** See the top of the file. */
export class Executor {
  readonly resources: ModelResources;
  /** Without subgroups once the device has been found to form others than it says. */
  profile: DeviceProfile;
  /** Names of candidates that gave a wrong result on this device. */
  excluded: ReadonlySet<string> = new Set();
  readonly options: PlanOptions;
  /** Calls, in the order they were made. */
  readonly queue = new CallQueue();
  /** The plan of the latest call, for reports. */
  latest: Plan | undefined;
  readonly #lease: Lease;
  #disposed = false;

  /** @param timeout milliseconds for each wait on the device */
  constructor(lease: Lease, options: PlanOptions, timeout: number) {
    this.#lease = lease;
    this.options = options;
    this.profile = profileOf(lease.gpu, options);
    this.resources = new ModelResources(lease.gpu, timeout);
  }

  /** The adapter in words. */
  get adapter(): string {
    return this.#lease.gpu.description;
  }

  get gpu(): Gpu {
    return this.#lease.gpu;
  }

  get device(): GPUDevice {
    return this.#lease.gpu.device;
  }

  /** @throws RnnError `DISPOSED` or `DEVICE_LOST` */
  check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
    this.#lease.gpu.check();
  }

  /**
   * Runs one call: waits for its plan and its place in the queue, then submits.
   *
   * @param submit uploads and submits; it copies what it uploads after waiting for anything
   */
  async call<T>(
    plan: CachedPlan | Promise<CachedPlan>,
    uploads: Uploads,
    signal: AbortSignal | undefined,
    submit: (ready: CachedPlan, uploads: Uploads) => T | Promise<T>,
  ): Promise<T> {
    const waits = this.queue.busy || plan instanceof Promise;
    const owned = waits ? ownedUploads(uploads) : uploads;
    const after =
      ({ program, tierUp }: CachedPlan) =>
      (submitted: T): T => {
        this.latest = program.plan;
        void tierUp?.();
        return submitted;
      };
    const go = (ready: CachedPlan): T | Promise<T> => {
      this.check();
      checkSignal(signal);
      const result = submit(ready, owned);
      return result instanceof Promise ? result.then(after(ready)) : after(ready)(result);
    };
    return this.queue.run(() => (plan instanceof Promise ? plan.then(go) : go(plan)));
  }

  /** Records a plan, submitting on the way where there is much of it. */
  record(
    program: Program,
    bindings: Bindings,
    encoder = this.device.createCommandEncoder(),
    feeds: readonly GpuFeed[] = [],
  ): GPUCommandEncoder {
    const { device } = this;
    copyFeeds(encoder, program, bindings, feeds);
    return program.record(encoder, bindings, () => {
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
      // A feed that the device refuses must refuse each part, above all the one that moves a state on.
      copyFeeds(encoder, program, bindings, feeds);
      return encoder;
    });
  }

  /**
   * Submits a plan, its results to be read back.
   *
   * @throws RnnError `LIMIT_EXCEEDED` where no buffer can hold them; nothing has been changed then
   */
  execute(program: Program, bindings: Bindings, work: CallWork = {}): PendingRead {
    const computed = readBacksOf(program, bindings);
    return this.#reading(program.plan.outputs, computed, work, (also) => {
      const encoder = this.record(program, bindings, undefined, work.feeds);
      return this.#submit(encoder, [...computed, ...also]);
    });
  }

  /** Submits a plan whose results stay on the device. @throws as {@link execute} */
  executeOnGpu(program: Program, bindings: Bindings, work: CallWork = {}): GpuResults {
    const { tensors, room } = allocateResults(this.resources, program);
    const { read, accepted } = this.#checked(work, (also) => {
      const encoder = this.record(program, bindings, undefined, work.feeds);
      copyOutputs(encoder, program, bindings, (name) => tensors[name]!.buffer);
      return this.#submit(encoder, also);
    });
    const { also = [], arrived } = work;
    accepted.then(async () => arrived?.(byName(also, await read))).catch(() => undefined); // the copy before stays
    const submitted = room.then(() => accepted);
    submitted.catch(() => undefined); // the call may be aborted before it waits for them
    return { tensors, submitted };
  }

  /** Records a plan into commands of the app, with copies from its feeds and to its results. */
  encode(
    encoder: GPUCommandEncoder,
    program: Program,
    bindings: Bindings,
    feeds: readonly GpuFeed[],
    bufferOf: (name: string) => GPUBuffer | undefined,
  ): void {
    program.lend();
    copyFeeds(encoder, program, bindings, feeds);
    program.record(encoder, bindings);
    copyOutputs(encoder, program, bindings, bufferOf);
    this.latest = program.plan;
  }

  /** Submits a plan several times, the results of all steps to be read back at once. @throws as {@link execute} */
  executeMany(
    program: Program,
    bindings: Bindings,
    steps: StepFeeds,
    work: CallWork = {},
  ): PendingRead {
    const outputs = program.plan.outputs.map((output) => repeated(output, steps.count));
    const computed = readBacksOf(program, bindings);
    return this.#reading(outputs, computed, work, (also) =>
      submitSteps(this, program, bindings, steps, { computed, also }),
    );
  }

  /** What `submit` reads back, the computed outputs first, with those that the host knows. */
  #reading(
    outputs: readonly PlanOutput[],
    computed: readonly ReadBack[],
    work: CallWork,
    submit: (also: readonly ReadBack[]) => Promise<Tensor[]>,
  ): PendingRead {
    const { read, accepted } = this.#checked(work, submit);
    const values = accepted.then(async () => {
      const tensors = await read;
      work.arrived?.(byName(work.also ?? [], tensors.slice(computed.length)));
      const results = byName(computed, tensors);
      const named = outputs.map((output) => [
        output.name,
        'host' in output ? toTensor(output.host) : results[output.name],
      ]);
      return Object.fromEntries(named) as typeof results;
    });
    return this.#pending(values);
  }

  /** Has `submit` submit work, and says whether the device accepts it: then what is read back counts. */
  #checked(
    { also = [], refused, feeds = [] }: CallWork,
    submit: (also: readonly ReadBack[]) => Promise<Tensor[]>,
  ): { readonly read: Promise<Tensor[]>; readonly accepted: Promise<void> } {
    this.device.pushErrorScope('validation');
    let read: Promise<Tensor[]>;
    let scope: Promise<GPUError | null>;
    try {
      read = submit(also);
      read.catch(() => undefined); // refused work has an error of its own, which comes first
    } finally {
      scope = this.resources.wait(this.device.popErrorScope(), 'the check of the work');
      scope.catch(() => undefined); // nobody waits for it where nothing was submitted
    }
    const accepted = scope.then(async (error) => {
      if (!error) return;
      refused?.();
      await read.catch(rethrowNoRoom);
      throw (await refusedFeed(this.resources, feeds)) ?? refusedWork(error);
    });
    accepted.catch(() => undefined);
    return { read, accepted };
  }

  /** Reads buffers back by name, as they are after the work submitted so far. */
  readBack(values: readonly ReadBack[]): PendingRead {
    const read = this.#submit(this.device.createCommandEncoder(), values);
    return this.#pending(read.then((tensors) => byName(values, tensors)));
  }

  #submit(encoder: GPUCommandEncoder, values: readonly ReadBack[]): Promise<Tensor[]> {
    return submitAndRead(this.resources, encoder, values);
  }

  #pending(values: Promise<Record<string, Tensor>>): PendingRead {
    return new PendingRead(values, (work) => this.during(work));
  }

  /**
   * Something that the device is asked for.
   *
   * @param what it is, for the message of a timeout
   * @throws RnnError `TIMEOUT`, or as {@link during}
   */
  guard<T>(work: Promise<T>, what = 'the work that was submitted'): Promise<T> {
    return this.during(this.resources.wait(work, what));
  }

  /** Work of several waits, or why it can no longer succeed. @throws RnnError `DEVICE_LOST`, `DISPOSED` */
  async during<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#lease.gpu.guard(work);
    } catch (cause) {
      if (this.#disposed) {
        throw new RnnError('DISPOSED', 'model', 'disposed of during the call', { cause });
      }
      if (cause instanceof RnnError) throw cause;
      throw new RnnError('INTERNAL', 'device', String((cause as Error)?.message ?? cause), {
        cause,
      });
    }
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.abandon();
  }

  /** Frees everything on a device that is lost: calls go on to reject with `DEVICE_LOST`. */
  abandon(): void {
    this.resources.destroy();
    this.#lease.release();
  }
}
