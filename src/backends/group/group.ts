// Many streams of one model as rows of one batch: whoever has a step pending is computed together.
import { RnnError } from '../../errors.ts';
import { hostInputsOf } from '../../plan/specialize/shape-inputs.ts';
import { tensor } from '../../tensor.ts';
import { abortable, checkSignal } from '../abort.ts';
import type { Tensors } from '../backend.ts';
import { CallQueue } from '../call-queue.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import { copyOf, portable } from '../stream-state.ts';
import { findBatchAxes, type BatchAxes } from './batch-axes.ts';
import { groupGraph, stateOf, writeState } from './group-graph.ts';
import {
  MAX_KINDS,
  StepKind,
  StepKinds,
  type Member,
  type Pending,
  type Results,
} from './pending.ts';
import { rowOf } from './rows.ts';
import type { Begun, GroupParts } from './parts.ts';
import { Wait } from './wait.ts';

export type { Member } from './pending.ts';

const disposed = (): RnnError =>
  new RnnError('DISPOSED', 'streams', 'the streams have been disposed of');

/** See the top of the file. */
export class Group {
  /** Streams that have joined and not left. */
  joined = 0;
  /** Steps computed, and batches that they were computed in. */
  readonly counts = { steps: 0, batches: 0 };
  readonly #parts: GroupParts;
  /** Checks the steps of one stream. */
  readonly #feeds: StreamFeeds;
  readonly #free: number[];
  readonly #host: ReadonlySet<string>;
  /** Where the batch is, by the shapes of a step. */
  readonly #axes = new Map<string, BatchAxes>();
  readonly #kinds = new StepKinds();
  #begun: Begun | undefined;
  #pending: Pending[] = [];
  #isScheduled = false;
  readonly #wait: Wait;
  /** Batches and changes of states, in the order in which they take effect. */
  readonly #order = new CallQueue();
  /** Losses of the device, each of which took the states in all rows. */
  #losses = 0;
  #disposed = false;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.#feeds = new StreamFeeds(parts.streamed, 1, parts.limits);
    this.#wait = new Wait(parts.maxWait);
    this.#host = hostInputsOf(parts.streamed.graph);
    this.#free = Array.from({ length: parts.capacity }, (_, i) => parts.capacity - 1 - i);
  }

  get disposed(): boolean {
    return this.#disposed || this.#parts.session.disposed;
  }

  #check(): void {
    if (this.#disposed) throw disposed();
  }

  /** @throws RnnError `DEVICE_LOST`, once after a loss that took the state of a stream */
  #checkState(member: Member): void {
    if (member.state !== 'row' || member.losses === this.#losses) return;
    member.state = 'initial';
    const what =
      'the GPU was lost, and the state of this stream with it: it begins anew with the next call';
    throw new RnnError('DEVICE_LOST', 'stream', what);
  }

  /** Has all streams say that their states are lost, where work that began after `losses` of them failed so. */
  #noteLoss(error: unknown, losses: number): void {
    if (!(error instanceof RnnError) || error.code !== 'DEVICE_LOST') return;
    if (losses !== this.#losses) return;
    this.#losses++;
    try {
      this.#begun?.stream.reset(); // it need not say it as well
    } catch {
      // The device is gone for good, as the next call will say.
    }
  }

  join(): Member {
    this.joined++;
    return { calls: new CallQueue(), row: undefined, state: 'initial', losses: 0 };
  }

  /** Gives the row back after the calls made before. */
  leave(member: Member): void {
    this.joined--;
    if (this.#isComplete()) this.#wait.end();
    void member.calls.run(() => {
      if (member.row !== undefined) this.#free.push(member.row);
      member.row = undefined;
      if (this.#pending.length > 0) this.#schedule();
    });
  }

  step(
    member: Member,
    feeds: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Results> {
    const made = member.calls.run(() => this.#enter(member, feeds, outputs, signal));
    return abortable(made, signal);
  }

  /** Checks a step, and has it wait for its batch. */
  #enter(
    member: Member,
    feeds: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Results> {
    this.#check();
    checkSignal(signal);
    this.#checkState(member);
    const kind = this.#kindOf(feeds, outputs);
    return new Promise((resolve, reject) => {
      this.#pending.push({ member, feeds, kind, signal, resolve, reject });
      this.#schedule();
      if (this.#isComplete()) this.#wait.end();
    });
  }

  #isComplete(): boolean {
    return this.#pending.length >= this.joined;
  }

  /** Checks the feeds of one stream, and finds where the rows of a batch of such feeds are. */
  #kindOf(feeds: Tensors, outputs: readonly string[]): StepKind {
    const { streamed, session, capacity, limits } = this.#parts;
    const known = this.#kinds.find(feeds, outputs);
    if (known?.isChecked) return known;
    const fed = streamed.slots.find(({ input }) => feeds?.[input] !== undefined);
    if (fed) {
      const what = `'${fed.input}' is the state of the stream, expected no feed: restore replaces it`;
      throw new RnnError('INVALID_ARGUMENT', `feeds.${fed.input}`, what);
    }
    const { call, initial } = this.#feeds.check(feeds, this.#begun?.initial);
    call.release(); // plans are made for batches
    if (known) return known;
    let axes = this.#axes.get(call.key);
    if (!axes) {
      axes = findBatchAxes(streamed, feeds, limits, this.#begun?.stateAxes);
      if (this.#axes.size >= MAX_KINDS) this.#axes.clear();
      this.#axes.set(call.key, axes);
    }
    if (!this.#begun) {
      const group = groupGraph(streamed, axes.states, initial, capacity);
      const stream = session.stream(group.streamed, 1, 0);
      this.#begun = { group, stream, initial, stateAxes: axes.states };
    }
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
      item.member.row ??= this.#free.pop();
      if (item.member.row === undefined) {
        this.#pending.push(item); // a stream that has left still computes its last step
        continue;
      }
      const batch = batches.find(([first]) => first!.kind === item.kind);
      if (batch) batch.push(item);
      else batches.push([item]);
    }
    for (const batch of batches) {
      const losses = this.#losses;
      const failed = (error: unknown): void => {
        this.#noteLoss(error, losses);
        batch.forEach(({ reject }) => reject(error));
      };
      this.#order.run(() => this.#compute(batch)).catch(failed);
    }
  }

  /** Begins a batch. What is waited for is only that restored states are in their rows. */
  #compute(batch: readonly Pending[]): Promise<void> | undefined {
    const restored = batch.flatMap(({ member }) =>
      typeof member.state === 'string' ? [] : [{ member, state: member.state }],
    );
    if (restored.length === 0) return this.#submit(batch);
    return this.#write(restored).then(() => this.#submit(batch));
  }

  #submit(batch: readonly Pending[]): undefined {
    this.#check();
    const { group, stream } = this.#begun!;
    const { capacity } = this.#parts;
    const losses = this.#losses;
    const [{ kind }] = batch as [Pending];
    const { axes, outputs } = kind;
    const count = Math.min(2 ** Math.ceil(Math.log2(batch.length)), capacity);
    const before = batch.map(({ member }) => member.state);
    // Rows beyond those of the batch repeat the first feeds, from the initial state; nobody gets them.
    const rows = new Int32Array(count).fill(capacity);
    const after = Int32Array.from({ length: capacity + 1 }, (_, row) => row);
    batch.forEach(({ member }, i) => {
      if (member.state !== 'initial') rows[i] = member.row!;
      after[member.row!] = capacity + 1 + i;
      member.state = 'row';
      member.losses = losses;
    });
    const feeds = {
      ...kind.batchOf(
        batch.map((step) => step.feeds),
        count,
      ),
      [group.rows]: tensor(rows),
      [group.after]: tensor(after),
    };
    this.counts.steps += batch.length;
    this.counts.batches++;
    stream.step(feeds, outputs).then(
      (results) =>
        batch.forEach(({ resolve }, row) => {
          const own: Results = {};
          for (const name of outputs) {
            own[name] = rowOf(results[name]!, axes.outputs.get(name)!, row);
          }
          resolve(own);
        }),
      (error: unknown) => {
        this.#noteLoss(error, losses);
        batch.forEach(({ member, reject }, i) => {
          // Its row may hold the state of a stream that has left.
          if (before[i] !== 'row') member.state = before[i]!;
          else if (losses !== this.#losses) member.state = 'initial'; // this error says so
          reject(error);
        });
      },
    );
    return undefined;
  }

  /** Writes restored states into their rows. Nothing else takes effect meanwhile. */
  async #write(
    restored: readonly { readonly member: Member; readonly state: Tensors }[],
  ): Promise<void> {
    const { group, stream, stateAxes } = this.#begun!;
    const found = await stream.snapshot();
    const all = copyOf(Object.keys(found).length > 0 ? found : group.initial);
    for (const { member, state } of restored) {
      writeState(group, stateAxes, all, member.row!, state);
    }
    stream.restore(all);
    for (const { member } of restored)
      Object.assign(member, { state: 'row', losses: this.#losses });
  }

  reset(member: Member): void {
    void member.calls.run(() => {
      member.state = 'initial';
    });
  }

  /** @throws RnnError as `restore` of a stream does */
  restore(member: Member, state: unknown): Promise<void> {
    return member.calls.run(() => {
      this.#check();
      member.state = this.#feeds.checkState(state, this.#begun?.initial) ?? 'initial';
    });
  }

  snapshot(member: Member): Promise<Results> {
    return member.calls.run(async () => {
      this.#check();
      this.#checkState(member);
      if (member.state === 'initial') return {};
      if (member.state !== 'row') return portable(copyOf(member.state));
      const { group, stream, stateAxes } = this.#begun!;
      let taken: Promise<Tensors> | undefined;
      await this.#order.run(() => {
        taken = stream.snapshot();
      });
      const losses = this.#losses;
      const all = await taken!.catch((error: unknown) => {
        this.#noteLoss(error, losses);
        if (losses !== this.#losses) member.state = 'initial'; // this error says so
        throw error;
      });
      return portable(stateOf(group, stateAxes, all, member.row!));
    });
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
    const { group, stream } = this.#begun!;
    const { capacity } = this.#parts;
    for (let count = 1; ; count *= 2) {
      const rows = Math.min(count, capacity);
      const warm = {
        ...kind.batchOf([feeds], rows),
        [group.rows]: tensor(new Int32Array(rows).fill(capacity)),
        [group.after]: tensor(Int32Array.from({ length: capacity + 1 }, (_, row) => row)),
      };
      await stream.warmUp(warm, outputs, signal);
      if (rows >= Math.min(streams, capacity)) return;
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const { reject } of this.#pending.splice(0)) reject(disposed());
    void this.#order.run(() => this.#begun?.stream.dispose());
  }
}
