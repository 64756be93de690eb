// The recurrence of a layer, or of a stack of them, over chunks of time steps: its kernels, and the
// buffers that they hand its state on in.
import type { Kernel } from '../../../shaders/kernel.ts';
import { persistentKernel } from '../../../shaders/recurrent/persistent.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { instancesOf, paddedHidden } from '../../../shaders/recurrent/spec.ts';
import { stepKernel, stepPhases, stepSpan } from '../../../shaders/recurrent/step.ts';
import type { RecurrentChoice } from '../choose.ts';
import type { BufferId, Dispatch } from '../types.ts';
import { recurrentDispatch } from './recurrent-dispatch.ts';
import type { NamedBuffers } from './recurrent-dispatch.ts';
import { stateSize } from './recurrent-state.ts';
import { extraVectors, recurrentProducts, topOf } from './recurrent-weights.ts';
import type { Stack } from './recurrent-weights.ts';

/** The kernels of a recurrence, one for each of its products or one for all. */
export function recurrenceKernels(spec: RecurrentSpec, choice: RecurrentChoice): readonly Kernel[] {
  return choice.kernel === 'persistent'
    ? [persistentKernel(spec, choice.tile)]
    : stepPhases(spec).map((phase, i) => stepKernel(spec, phase, i, choice.tile));
}

/** Part of a recurrence. */
interface Chunk {
  /** Time steps. */
  readonly turns: number;
  /** How many of the layers or directions take part. */
  readonly instances: number;
  /** Whether the state before is zero whatever is in its buffer. */
  readonly fromZero: boolean;
  readonly uniforms: Readonly<Record<string, number>>;
}

/** A recurrence that is being lowered. */
export class Recurrence {
  readonly #stack: Stack;
  readonly #spec: RecurrentSpec;
  readonly #choice: RecurrentChoice;
  readonly #kernels: readonly Kernel[];
  readonly #rows: number;
  readonly #size: number;
  readonly #weights: readonly BufferId[];
  readonly #buffers: NamedBuffers;
  #state: BufferId;
  #next: BufferId | undefined;

  /** @param buffers what its kernels bind beside weights and state */
  constructor(
    stack: Stack,
    spec: RecurrentSpec,
    choice: RecurrentChoice,
    rows: number,
    buffers: NamedBuffers,
  ) {
    const l = topOf(stack);
    const units = choice.kernel === 'step' ? stepSpan(choice.tile) : choice.tile.lanes;
    const between = 2 * instancesOf(spec) * rows * paddedHidden(spec);
    const u = stepPhases(spec).length > 1 ? l.scratch(between, 'between products') : undefined;
    this.#stack = stack;
    this.#spec = spec;
    this.#choice = choice;
    this.#rows = rows;
    this.#kernels = recurrenceKernels(spec, choice);
    this.#size = stateSize(spec, rows);
    this.#weights = recurrentProducts(stack, spec, units);
    this.#buffers = { ...buffers, extra: extraVectors(stack, spec), u, uNext: u };
    this.#state = l.scratch(this.#size, 'state');
    this.#next = choice.kernel === 'step' ? l.scratch(this.#size, 'next state') : undefined;
  }

  /** Where the state is: before the first chunk to be filled, afterwards as the last step left it. */
  get state(): BufferId {
    return this.#state;
  }

  /** Adds the commands of a chunk. */
  run({ turns, instances, fromZero, uniforms }: Chunk): void {
    const l = topOf(this.#stack);
    const { hidden, output, gates, projected } = this.#spec;
    const rows = this.#rows;
    const values = { ...uniforms, fromZero: Number(fromZero) };
    const weights = gates.length * hidden + (projected ? output : 0);
    const flops = 2 * rows * instances * hidden * weights;
    if (this.#choice.kernel === 'persistent') {
      const [r0, r1] = this.#weights;
      const grid = [1, Math.ceil(rows / this.#choice.tile.rows), instances] as const;
      const buffers = { ...this.#buffers, r0, r1, state: this.#state };
      l.emit(recurrentDispatch(l.path, this.#kernels[0]!, grid, buffers, values, turns * flops));
      return;
    }
    const { tile } = this.#choice;
    const phases = stepPhases(this.#spec);
    const turn = (state: BufferId, next: BufferId): Dispatch[] =>
      this.#kernels.map((kernel, i) => {
        const units = phases[i] === 'projection' ? output : hidden;
        const across = Math.ceil(units / stepSpan(tile));
        const grid = [across, Math.ceil(rows / tile.rows), instances] as const;
        const buffers = { ...this.#buffers, r: this.#weights[i], state, next };
        return recurrentDispatch(l.path, kernel, grid, buffers, values, flops / phases.length);
      });
    const first = Number(fromZero);
    if (fromZero) {
      const size = this.#size;
      const zeros = l.weight(`zeros#${size}`, size, () => new Float32Array(size));
      l.emit({ kind: 'loop', first: 0, steps: 1, even: turn(zeros, this.#next!), odd: [] });
      this.#swap();
    }
    const [even, odd] = [turn(this.#state, this.#next!), turn(this.#next!, this.#state)];
    l.emit({ kind: 'loop', first, steps: turns - first, even, odd });
    // An odd number of turns leaves the state in the other buffer.
    if ((turns - first) % 2 === 1) this.#swap();
  }

  #swap(): void {
    [this.#state, this.#next] = [this.#next!, this.#state];
  }
}
