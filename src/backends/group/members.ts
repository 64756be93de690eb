// The streams of a group: which row each of them has, and what is left of its state when the device is lost.
import { RnnError } from '../../errors.ts';
import type { Tensors } from '../backend.ts';
import { CallQueue } from '../call-queue.ts';
import { StreamProgress } from '../stream-progress.ts';

/** One stream of a group. */
export interface Member {
  /** Calls of this stream, one after the other. */
  readonly calls: CallQueue;
  /** Its row; undefined while streams that have left still compute in all of them. */
  row: number | undefined;
  /** Where it waits for a row. */
  placed: Promise<void> | undefined;
  /**
   * Its state: that of the beginning, the one in its row, the one in a row of this number, of which the next batch
   * makes a copy, or one on the host to begin the next step from.
   */
  state: 'initial' | 'row' | number | Tensors;
  /** How many steps there are in its state, and the latest copy of that on the host. */
  progress: StreamProgress;
  /** Losses of the device that there had been when its state came to the device. */
  losses: number;
  /** The number of the loss that last took its state. */
  lostBy: number;
  /** Whether a call has said so. */
  isReported: boolean;
  /** Why a fork has no state: the batch that was to copy it has failed. */
  failure: unknown;
}

/** See the top of the file. */
export class Members {
  /** Streams that have joined and not left. */
  joined = 0;
  /** Losses of the device, each of which took the states in all rows. */
  losses = 0;
  /** Forks whose state is still in the row of another. */
  readonly copies = new Set<Member>();
  readonly #every: number;
  readonly #free: number[];
  /** Streams without a row, in the order in which they came. */
  readonly #waiting: { readonly member: Member; readonly placed: () => void }[] = [];

  /** @param every steps of a stream between two copies of its state on the host; 0 for none */
  constructor(capacity: number, every: number) {
    this.#every = every;
    this.#free = Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
  }

  /**
   * A new stream. Rows are given in the order of these calls: as long as no more than `capacity` streams have joined,
   * a stream without a row waits for one that had left before, so that no two wait for one another.
   */
  join(): Member {
    this.joined++;
    const member: Member = {
      calls: new CallQueue(),
      row: this.#free.pop(),
      placed: undefined,
      state: 'initial',
      progress: new StreamProgress(this.#every),
      losses: this.losses,
      lostBy: 0,
      isReported: true,
      failure: undefined,
    };
    if (member.row === undefined) {
      member.placed = new Promise((resolve) => {
        this.#waiting.push({ member, placed: resolve });
      });
    }
    return member;
  }

  /** Gives the row of a stream that has left to the next. */
  release(member: Member): void {
    this.copies.delete(member);
    const { row } = member;
    member.row = undefined;
    if (row === undefined) {
      const at = this.#waiting.findIndex((waiting) => waiting.member === member);
      if (at >= 0) this.#waiting.splice(at, 1)[0]!.placed();
      return;
    }
    const next = this.#waiting.shift();
    if (!next) return void this.#free.push(row);
    next.member.row = row;
    next.member.placed = undefined;
    next.placed();
  }

  /** Has a fork begin with the state of its source. The copy of a row is left to the next batch. */
  copy(fork: Member, source: Member): void {
    this.catchUp(source);
    fork.state = source.state === 'row' ? source.row! : source.state;
    if (typeof fork.state === 'number') this.copies.add(fork);
    fork.progress = source.progress.fork();
    fork.progress.count.settle();
    const { losses, lostBy, isReported, failure } = source;
    Object.assign(fork, { losses, lostBy, isReported, failure });
  }

  /** Has a stream go on from another state. */
  set(member: Member, state: Tensors | undefined): void {
    this.copies.delete(member);
    member.state = state ?? 'initial';
    member.progress.begin(state);
    member.isReported = true;
    member.failure = undefined;
  }

  /** The row with the state of a stream; undefined where it is not on the device. */
  rowOf({ state, row }: Member): number | undefined {
    if (typeof state === 'number') return state;
    return state === 'row' ? row : undefined;
  }

  /** Takes a stream back to its latest copy where the device was lost. */
  catchUp(member: Member): void {
    const isOnDevice = this.rowOf(member) !== undefined;
    if (member.losses === this.losses || !isOnDevice) return;
    this.copies.delete(member);
    member.losses = this.losses;
    member.lostBy = this.losses;
    member.isReported = false;
    member.state = member.progress.rollBack().state ?? 'initial';
  }

  /**
   * @param calledAt losses that were known when the call was made
   * @throws RnnError `DEVICE_LOST` once after a loss that took the state, and for each call made before it was known;
   *   what has failed where a fork has no state
   */
  check(member: Member, calledAt: number): void {
    this.catchUp(member);
    if (!member.isReported || calledAt < member.lostBy) {
      member.isReported = true;
      throw this.lost(member);
    }
    if (member.failure !== undefined) throw member.failure;
  }

  /** What a stream says whose state was lost. */
  lost({ progress }: Member, cause?: unknown): RnnError {
    const next =
      this.#every > 0
        ? `it goes on from its copy after ${progress.count.steps} steps with the next call`
        : 'it begins anew with the next call; streams({ checkpoint: steps }) copies states in time';
    const what = `the GPU was lost, and the state of this stream with it: ${next}`;
    return new RnnError('DEVICE_LOST', 'stream', what, { cause });
  }
}
