// Many streams of one model as rows of one batch: whoever has a step pending is computed together.
import { RnnError } from '../../errors.ts';
import { hostInputsOf } from '../../plan/specialize/shape-inputs.ts';
import { abortable, checkSignal } from '../abort.ts';
import type { Tensors } from '../backend.ts';
import { CallQueue } from '../call-queue.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import { copyOf, portable } from '../stream-state.ts';
import { findBatchAxes, type BatchAxes } from './batch-axes.ts';
import { Members, type Member } from './members.ts';
import { MAX_KINDS, StepKind, StepKinds, type Pending, type Results } from './pending.ts';
import type { GroupParts } from './parts.ts';
import { RowStates, type Restored } from './row-states.ts';
import { Wait } from './wait.ts';

export type { Member } from './members.ts';

const disposed = (): RnnError =>
  new RnnError('DISPOSED', 'streams', 'the streams have been disposed of');

/** See the top of the file. */
export class Group {
  /** Steps computed, and batches that they were computed in. */
  readonly counts = { steps: 0, batches: 0 };
  readonly #parts: GroupParts;
  /** Checks the steps of one stream. */
  readonly #feeds: StreamFeeds;
  readonly #members: Members;
  /** What copies of states are made from, besides outputs that are wanted; none where none are made. */
  readonly #checkpoint: readonly string[];
  readonly #host: ReadonlySet<string>;
  /** Where the batch is, by the shapes of a step. */
  readonly #axes = new Map<string, BatchAxes>();
  readonly #kinds = new StepKinds();
  #states: RowStates | undefined;
  #pending: Pending[] = [];
  #isScheduled = false;
  readonly #wait: Wait;
  /** Batches and changes of states, in the order in which they take effect. */
  readonly #order = new CallQueue();
  #disposed = false;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.#feeds = new StreamFeeds(parts.streamed, 1, parts.limits);
    this.#wait = new Wait(parts.maxWait);
    this.#host = hostInputsOf(parts.streamed.graph);
    const { session, streamed, capacity, checkpoint } = parts;
    // Only a GPU can be lost.
    const every = session.runOnGpu ? checkpoint : 0;
    this.#checkpoint = every > 0 ? streamed.slots.map(({ output }) => output) : [];
    this.#members = new Members(capacity, every);
  }

  get disposed(): boolean {
    return this.#disposed || this.#parts.session.disposed;
  }

  #check(): void {
    if (this.#disposed) throw disposed();
  }

  /** Has all streams say that their states are lost, where work that began after `losses` of them failed so. */
  #noteLoss(error: unknown, losses: number): void {
    if (!(error instanceof RnnError) || error.code !== 'DEVICE_LOST') return;
    if (losses !== this.#members.losses) return;
    this.#members.losses++;
    try {
      this.#states?.stream.reset(); // it need not say it as well
    } catch {
      // The device is gone for good, as the next call will say.
    }
  }

  join(): Member {
    return this.#members.join();
  }

  /** A new stream that goes on from the state of another, after the calls made before. */
  fork(source: Member): Member {
    const fork = this.#members.join();
    fork.progress = source.progress.fork(); // that of its state, from when it has it
    const copied = source.calls.run(async () => {
      await fork.placed;
      this.#members.copy(fork, source);
    });
    fork.calls.run(() => copied).catch(() => undefined);
    return fork;
  }

  /** Steps in the state of a stream. */
  stepsOf(member: Member): number {
    this.#members.catchUp(member);
    return member.progress.count.steps;
  }

  /** Gives the row back after the calls made before. */
  leave(member: Member): void {
    this.#members.joined--;
    if (this.#isComplete()) this.#wait.end();
    void member.calls.run(() => this.#members.release(member));
  }

  step(
    member: Member,
    feeds: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Results> {
    const { losses } = this.#members;
    const made = member.calls.run(() => {
      const enter = (): Promise<Results> => this.#enter(member, feeds, outputs, signal, losses);
      return member.placed ? member.placed.then(enter) : enter();
    });
    return abortable(made, signal);
  }

  /** Checks a step, and has it wait for its batch. */
  #enter(
    member: Member,
    feeds: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    calledAt: number,
  ): Promise<Results> {
    this.#check();
    checkSignal(signal);
    this.#members.check(member, calledAt);
    const kind = this.#kindOf(feeds, outputs);
    return new Promise((resolve, reject) => {
      this.#pending.push({ member, feeds, kind, signal, calledAt, resolve, reject });
      this.#schedule();
      if (this.#isComplete()) this.#wait.end();
    });
  }

  #isComplete(): boolean {
    return this.#pending.length >= this.#members.joined;
  }

  /** Checks the feeds of one stream, and finds where the rows of a batch of such feeds are. */
  #kindOf(feeds: Tensors, outputs: readonly string[]): StepKind {
    const { streamed, limits } = this.#parts;
    const known = this.#kinds.find(feeds, outputs);
    if (known?.isChecked) return known;
    const fed = streamed.slots.find(({ input }) => feeds?.[input] !== undefined);
    if (fed) {
      const what = `'${fed.input}' is the state of the stream, expected no feed: restore replaces it`;
      throw new RnnError('INVALID_ARGUMENT', `feeds.${fed.input}`, what);
    }
    const { call, initial } = this.#feeds.check(feeds, this.#states?.initial);
    call.release(); // plans are made for batches
    if (known) return known;
    const key = JSON.stringify([call.key, outputs]);
    let axes = this.#axes.get(key);
    if (!axes) {
      const states = this.#states?.axes;
      axes = findBatchAxes({ streamed, feeds, wanted: outputs, limits, known: states });
      if (this.#axes.size >= MAX_KINDS) this.#axes.clear();
      this.#axes.set(key, axes);
    }
    this.#states ??= new RowStates(this.#parts, axes.states, initial, this.#members);
    return this.#kinds.add(new StepKind(call, copyOf(feeds), axes, outputs, this.#host));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    void this.#wait
      .forSteps(() => this.#pending.length, this.#isComplete())
      .then(() => {
        this.#isScheduled = false;
        this.#flush();
      });
  }

  /** Computes what is pending, in as few batches as there are different shapes. */
  #flush(): void {
    const batches: Pending[][] = [];
    for (const item of this.#pending.splice(0)) {
      if (item.signal?.aborted) {
        item.reject(item.signal.reason);
        continue;
      }
      const batch = batches.find(([first]) => first!.kind === item.kind);
      if (batch) batch.push(item);
      else batches.push([item]);
    }
    for (const batch of batches) {
      const { losses } = this.#members;
      const failed = (error: unknown): void => {
        this.#noteLoss(error, losses);
        batch.forEach(({ reject }) => reject(error));
      };
      this.#order.run(() => this.#compute(batch)).catch(failed);
    }
  }

  /** Begins a batch. What is waited for is only that restored states are in their rows. */
  #compute(batch: readonly Pending[]): Promise<void> | undefined {
    const restored = batch.flatMap(({ member }): Restored[] =>
      typeof member.state === 'object' ? [{ member, state: member.state }] : [],
    );
    if (restored.length === 0) return this.#submit(batch);
    return this.#states!.write(restored).then(() => this.#submit(batch));
  }

  #submit(entered: readonly Pending[]): undefined {
    this.#check();
    const batch = entered.filter(({ member, calledAt, reject }) => {
      try {
        this.#members.check(member, calledAt);
        return true;
      } catch (error) {
        reject(error); // the device was lost while it waited
        return false;
      }
    });
    if (batch.length === 0) return undefined;
    const { losses, copies } = this.#members;
    const [{ kind }] = batch as [Pending];
    const isDue = batch.some(({ member: { progress } }) => progress.isDue(progress.count, 1));
    const wanted = isDue ? this.#withStates(kind.outputs) : kind.outputs;
    const before = batch.map(({ member }) => member.state);
    const forks = Array.from(copies, (fork) => ({ fork, count: fork.progress.count }));
    const feeds = this.#states!.begin(batch);
    const numbers = batch.map(({ member: { progress } }) => {
      return { count: progress.count, number: progress.count.add() };
    });
    this.counts.steps += batch.length;
    this.counts.batches++;
    const failed = (error: unknown): void => {
      this.#noteLoss(error, losses);
      if (losses === this.#members.losses) {
        for (const { fork, count } of forks) {
          // Its source may have gone on since; and so may it, from another state.
          if (fork.progress.count !== count) continue;
          Object.assign(fork, { state: 'initial', failure: error });
        }
      }
      batch.forEach(({ member, reject }, i) => {
        numbers[i]!.count.refuse(numbers[i]!.number);
        // Its row may hold the state of a stream that has left.
        const state = before[i]!;
        if (state === 'initial' || typeof state === 'object') member.state = state;
        this.#members.catchUp(member);
        reject(member.isReported ? error : this.#members.lost(member, error));
        member.isReported = true;
      });
    };
    this.#states!.stream.step(feeds, wanted).then((results) => {
      // Another batch has found out that the states were lost before this one.
      if (losses !== this.#members.losses) return failed(this.#members.lost(batch[0]!.member));
      batch.forEach(({ member, resolve }, row) => {
        const { count, number } = numbers[row]!;
        if (isDue) member.progress.keep(count, number, this.#stateIn(kind, results, row));
        resolve(kind.resultsOf(results, kind.outputs, row));
      });
    }, failed);
    return undefined;
  }

  /** Outputs, and what copies of states are made from. */
  #withStates(outputs: readonly string[]): readonly string[] {
    return [...new Set([...outputs, ...this.#checkpoint])];
  }

  /** The state of a row, among the results of a batch. */
  #stateIn(kind: StepKind, results: Tensors, row: number): Tensors {
    const own = kind.resultsOf(results, this.#checkpoint, row);
    const { slots } = this.#parts.streamed;
    return Object.fromEntries(slots.map(({ input, output }) => [input, own[output]!]));
  }

  reset(member: Member): void {
    void member.calls.run(() => {
      this.#members.catchUp(member);
      this.#members.set(member, undefined);
    });
  }

  /** @throws RnnError as `restore` of a stream does */
  restore(member: Member, state: unknown): Promise<void> {
    return member.calls.run(() => {
      this.#check();
      const checked = this.#feeds.checkState(state, this.#states?.initial);
      this.#members.catchUp(member);
      this.#members.set(member, checked);
    });
  }

  snapshot(member: Member): Promise<Results> {
    const { losses } = this.#members;
    return member.calls.run(async () => {
      this.#check();
      this.#members.check(member, losses);
      if (member.state === 'initial') return {};
      if (typeof member.state === 'object') return portable(copyOf(member.state));
      return portable(await this.#read(member));
    });
  }

  /** The state of a stream on the device. */
  async #read(member: Member): Promise<Tensors> {
    const states = this.#states!;
    const { losses } = this.#members;
    let [taken, row]: [Promise<Tensors>?, number?] = [];
    try {
      await this.#order.run(() => {
        // A batch may have made a copy of it meanwhile.
        row = this.#members.rowOf(member);
        taken = states.stream.snapshot();
      });
      return states.rowIn(await taken!, row!);
    } catch (error) {
      this.#noteLoss(error, losses);
      this.#members.check(member, losses); // says so where it was lost
      throw error;
    }
  }

  /** Makes the plans of batches of such steps ready, of up to `streams` rows. */
  async warmUp(
    feeds: Tensors,
    outputs: readonly string[],
    streams: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#check();
    checkSignal(signal);
    const kind = this.#kindOf(feeds, outputs);
    const states = this.#states!;
    const { capacity } = this.#parts;
    for (let count = 1; ; count *= 2) {
      const rows = Math.min(count, capacity);
      const warm = states.idle(kind, feeds, rows);
      await states.stream.warmUp(warm, outputs, signal);
      if (this.#checkpoint.length > 0) {
        await states.stream.warmUp(warm, this.#withStates(outputs), signal);
      }
      if (rows >= Math.min(streams, capacity)) return;
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const { reject } of this.#pending.splice(0)) reject(disposed());
    void this.#order.run(() => this.#states?.stream.dispose());
  }
}
