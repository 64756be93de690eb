// The states of the streams of a group on the device, as rows of one stream.
import { tensor } from '../../tensor.ts';
import type { StreamSession, Tensors } from '../backend.ts';
import { copyOf } from '../stream-state.ts';
import { groupGraph, stateOf, writeState, type GroupGraph } from './group-graph.ts';
import type { Member, Members } from './members.ts';
import type { GroupParts } from './parts.ts';
import type { Pending, StepKind } from './pending.ts';

/** A stream, and a state on the host for its row. */
export interface Restored {
  readonly member: Member;
  readonly state: Tensors;
}

/** See the top of the file. It is there from the first step on, which tells the shapes. */
export class RowStates {
  /** The stream whose state has all rows. */
  readonly stream: StreamSession;
  /** State of one row at the beginning. */
  readonly initial: Tensors;
  /** Axes of the batch, by name of the state. */
  readonly axes: ReadonlyMap<string, number>;
  readonly #group: GroupGraph;
  readonly #capacity: number;
  readonly #members: Members;

  constructor(
    { session, streamed, capacity }: GroupParts,
    axes: ReadonlyMap<string, number>,
    initial: Tensors,
    members: Members,
  ) {
    this.#group = groupGraph(streamed, axes, initial, capacity);
    this.stream = session.stream(this.#group.streamed, 1, 0);
    this.initial = initial;
    this.axes = axes;
    this.#capacity = capacity;
    this.#members = members;
  }

  /** Row numbers that leave each row as it is. */
  #unchanged(): Int32Array {
    return Int32Array.from({ length: this.#capacity + 1 }, (_, row) => row);
  }

  /** The feeds of a batch, after which the states of its streams, and of forks, are in their rows. */
  begin(batch: readonly Pending[]): Tensors {
    const members = this.#members;
    const { copies, losses } = members;
    const [{ kind }] = batch as [Pending];
    const count = Math.min(2 ** Math.ceil(Math.log2(batch.length)), this.#capacity);
    // Rows beyond those of the batch repeat the first feeds, from the initial state; nobody gets them.
    const rows = new Int32Array(count).fill(this.#capacity);
    const after = this.#unchanged();
    batch.forEach(({ member }, i) => {
      if (member.state !== 'initial') rows[i] = members.rowOf(member)!;
    });
    for (const fork of copies) {
      members.catchUp(fork);
      if (copies.has(fork)) after[fork.row!] = fork.state as number;
    }
    batch.forEach(({ member }, i) => {
      after[member.row!] = this.#capacity + 1 + i;
    });
    for (const member of [...copies, ...batch.map((step) => step.member)]) {
      Object.assign(member, { state: 'row', losses });
    }
    copies.clear();
    const feeds = batch.map((step) => step.feeds);
    return { ...kind.batchOf(feeds, count), ...this.#places(rows, after) };
  }

  /** Feeds of such a batch that computes nothing for anybody. */
  idle(kind: StepKind, feeds: Tensors, count: number): Tensors {
    const rows = new Int32Array(count).fill(this.#capacity);
    return { ...kind.batchOf([feeds], count), ...this.#places(rows, this.#unchanged()) };
  }

  #places(rows: Int32Array, after: Int32Array): Tensors {
    return { [this.#group.rows]: tensor(rows), [this.#group.after]: tensor(after) };
  }

  /** Writes states into their rows, and those of forks. Nothing else may take effect meanwhile. */
  async write(restored: readonly Restored[]): Promise<void> {
    const { copies } = this.#members;
    const found = await this.stream.snapshot();
    const all = copyOf(Object.keys(found).length > 0 ? found : this.#group.initial);
    // Before a row that a fork is to have a copy of is written.
    const forks = [...copies].map((member) => {
      return { member, state: stateOf(this.#group, this.axes, all, member.state as number) };
    });
    const written = [...forks, ...restored];
    for (const { member, state } of written) {
      writeState(this.#group, this.axes, all, member.row!, state);
    }
    this.stream.restore(all);
    copies.clear();
    const { losses } = this.#members;
    for (const { member } of written) Object.assign(member, { state: 'row', losses });
  }

  /** The state of one row, from a snapshot of all. */
  rowIn(all: Tensors, row: number): Tensors {
    return stateOf(this.#group, this.axes, all, row);
  }
}
