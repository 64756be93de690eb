// The recurrence of a layer, or of the layers of a wavefront, over chunks of time steps: its kernels, and
// the buffers in which its states pass from step to step.
import type { Kernel } from '../../../../shaders/kernel.ts';
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import {
  instancesOf,
  paddedHidden,
  productSizes,
  stepPhases,
} from '../../../../shaders/recurrent/spec.ts';
import { tileUnits } from '../../../../shaders/recurrent/step.ts';
import type { RecurrentCandidate } from '../../select/recurrent-candidates.ts';
import type { Lowering } from '../../lowering.ts';
import type { BufferId, Dispatch } from '../../types.ts';
import { recurrentDispatch } from './dispatch.ts';
import type { NamedBuffers } from './dispatch.ts';
import { stateSize } from './state.ts';
import { parameterVectors, recurrentProducts, zeros } from './weights.ts';
import type { Stack } from './weights.ts';

/**
 * Two buffers for the values that phases pass to the next one, by the parity of the phase: a phase reads one and
 * writes the other.
 */
export function passingBuffers(
  ctx: Lowering,
  spec: RecurrentSpec,
  rows: number,
): (phase: number) => NamedBuffers {
  const size = instancesOf(spec) * rows * paddedHidden(spec);
  const counts = stepPhases(spec).map((phase, i, all) => {
    if (phase === 'projection') return 0;
    return all[i + 1] === 'projection' ? 1 : phase.passes.length;
  });
  const buffers = [0, 1].map((parity) => {
    const count = Math.max(0, ...counts.filter((_, i) => i % 2 === parity));
    return count === 0 ? undefined : ctx.scratch(count * size, 'passed between phases');
  });
  return (phase) => ({ passing: buffers[phase % 2], passed: buffers[(phase + 1) % 2] });
}

/** Part of a recurrence. */
interface Chunk {
  /** Time steps. */
  readonly steps: number;
  /** Layers or directions that take part. */
  readonly instances: number;
  /** Whether the states before the chunk are zero; their buffer is then not read. */
  readonly fromZero: boolean;
  readonly uniforms: Readonly<Record<string, number>>;
}

/** A recurrence that is being lowered. */
export class Recurrence {
  readonly #ctx: Lowering;
  readonly #spec: RecurrentSpec;
  readonly #candidate: RecurrentCandidate;
  readonly #kernels: readonly Kernel[];
  readonly #rows: number;
  readonly #size: number;
  readonly #weights: readonly (BufferId | undefined)[];
  readonly #buffers: NamedBuffers;
  readonly #passing: (phase: number) => NamedBuffers;
  #state: BufferId;
  #next: BufferId | undefined;

  /** @param buffers what its kernels bind in addition to weights, parameters and states */
  constructor(
    stack: Stack,
    spec: RecurrentSpec,
    candidate: RecurrentCandidate,
    rows: number,
    buffers: NamedBuffers,
  ) {
    const ctx = stack.at(-1)!;
    const isStep = candidate.kernel === 'step';
    const units = isStep ? tileUnits(candidate.tile) : candidate.tile.lanes;
    this.#ctx = ctx;
    this.#spec = spec;
    this.#candidate = candidate;
    this.#rows = rows;
    this.#passing = isStep ? passingBuffers(ctx, spec, rows) : () => ({});
    this.#kernels = candidate.kernels();
    this.#size = stateSize(spec, rows);
    const slices = isStep ? candidate.tile.slices : 1;
    this.#weights = recurrentProducts(stack, spec, units, slices);
    this.#buffers = { ...buffers, parameters: parameterVectors(stack, spec) };
    this.#state = ctx.scratch(this.#size, 'state');
    this.#next = isStep ? ctx.scratch(this.#size, 'next state') : undefined;
  }

  /** Buffer of the states: the caller fills it before the first chunk; then it has those of the last time step. */
  get state(): BufferId {
    return this.#state;
  }

  /** Adds the commands of a chunk. */
  run({ steps, instances, fromZero, uniforms }: Chunk): void {
    const values = { ...uniforms, fromZero: Number(fromZero) };
    if (this.#candidate.kernel === 'persistent') this.#runPersistent(steps, instances, values);
    else this.#runSteps(steps, instances, fromZero, values);
  }

  /** Floating point operations of one time step of some instances. */
  #flops(instances: number): number {
    const { hidden, output, gates, projected } = this.#spec;
    const weights = gates.length * hidden + (projected ? output : 0);
    return 2 * this.#rows * instances * hidden * weights;
  }

  #runPersistent(
    steps: number,
    instances: number,
    uniforms: Readonly<Record<string, number>>,
  ): void {
    const ctx = this.#ctx;
    const weights = Object.fromEntries(this.#weights.map((id, i) => [`r${i}`, id]));
    const grid = [1, Math.ceil(this.#rows / this.#candidate.tile.rows), instances] as const;
    const buffers = { ...this.#buffers, ...weights, state: this.#state };
    const flops = steps * this.#flops(instances);
    ctx.emit(recurrentDispatch(ctx.path, this.#kernels[0]!, grid, buffers, uniforms, flops));
  }

  /** A loop over time steps. Each swaps the two state buffers, so the loop has a body for even and one for odd steps. */
  #runSteps(
    steps: number,
    instances: number,
    fromZero: boolean,
    uniforms: Readonly<Record<string, number>>,
  ): void {
    const ctx = this.#ctx;
    const first = Number(fromZero);
    if (fromZero) {
      // The first step reads zeros from a buffer that nobody writes, instead of clearing one.
      const even = this.#step(zeros(ctx, this.#size), this.#next!, instances, uniforms);
      ctx.emit({ kind: 'loop', first: 0, steps: 1, even, odd: [] });
      this.#swap();
    }
    const even = this.#step(this.#state, this.#next!, instances, uniforms);
    const odd = this.#step(this.#next!, this.#state, instances, uniforms);
    ctx.emit({ kind: 'loop', first, steps: steps - first, even, odd });
    if ((steps - first) % 2 === 1) this.#swap();
  }

  /** The dispatches of one time step. */
  #step(
    state: BufferId,
    next: BufferId,
    instances: number,
    uniforms: Readonly<Record<string, number>>,
  ): Dispatch[] {
    const candidate = this.#candidate;
    if (candidate.kernel !== 'step') return [];
    const phases = stepPhases(this.#spec);
    return this.#kernels.map((kernel, i) => {
      const { units } = productSizes(this.#spec, phases[i]!);
      const across = Math.ceil(units / tileUnits(candidate.tile));
      const grid = [across, Math.ceil(this.#rows / candidate.tile.rows), instances] as const;
      const passing = this.#passing(i);
      const buffers = { ...this.#buffers, ...passing, r: this.#weights[i], state, next };
      const flops = this.#flops(instances) / phases.length;
      return recurrentDispatch(this.#ctx.path, kernel, grid, buffers, uniforms, flops);
    });
  }

  #swap(): void {
    [this.#state, this.#next] = [this.#next!, this.#state];
  }
}
