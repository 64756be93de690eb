// The states of recurrent layers between their kernels, in one buffer: h of all instances, then each other
// state of all instances. This module packs initial states into it and unpacks final states
// from it.
import { gridOf, type Workgroups } from '../../../../shaders/kernel.ts';
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import { instancesOf, paddedHidden, paddedOutput } from '../../../../shaders/recurrent/spec.ts';
import { packState, STATE_INVOCATIONS, unpackState } from '../../../../shaders/recurrent/state.ts';
import { directionsOf, initialStateSlot, recurrentAttributes } from '../../../graph.ts';
import type { Lowering } from '../../lowering.ts';
import type { PlanValue } from '../../values.ts';
import type { BufferId } from '../../types.ts';
import { recurrentDispatch } from './dispatch.ts';

/** Whether an initial state is zero in every call: absent, or a constant of zeros. */
function isZero(value: PlanValue | undefined): boolean {
  return value === undefined || (value.host?.data.every((v) => v === 0) ?? false);
}

/** Elements of a state buffer for `rows` batch rows. */
export function stateSize(spec: RecurrentSpec, rows: number): number {
  const perRow = paddedOutput(spec) + (spec.states.length - 1) * paddedHidden(spec);
  return instancesOf(spec) * rows * perRow;
}

/** Uniforms of the kernels of shaders/recurrent/state.ts for one state. */
interface StateUniforms {
  readonly [name: string]: number;
  readonly rows: number;
  readonly directions: number;
  readonly padded: number;
}

const gridFor = ({ directions, rows, padded }: StateUniforms): Workgroups =>
  gridOf(directions * rows * padded, STATE_INVOCATIONS);

/** The part of a state buffer that one layer has. */
export class LayerState {
  readonly #ctx: Lowering;
  readonly #states: readonly { readonly slot: number; readonly uniforms: StateUniforms }[];

  /** @param layer number of the layer in its wavefront, 0 for one by itself */
  constructor(ctx: Lowering, spec: RecurrentSpec, rows: number, layer = 0) {
    this.#ctx = ctx;
    const a = recurrentAttributes(ctx.node);
    const [op, hp, instances] = [paddedOutput(spec), paddedHidden(spec), instancesOf(spec)];
    this.#states = spec.states.map((_, k) => {
      const [width, padded] = k === 0 ? [spec.output, op] : [spec.hidden, hp];
      const before = k === 0 ? 0 : instances * rows * (op + (k - 1) * hp);
      const offset = before + layer * rows * padded;
      const common = { rows, directions: directionsOf(a), batchFirst: a.layout };
      return { slot: initialStateSlot(k), uniforms: { ...common, width, padded, offset } };
    });
  }

  /** Whether the layer begins from zero. */
  get fromZero(): boolean {
    return this.#states.every(({ slot }) => isZero(this.#ctx.inputs[slot]));
  }

  /** Writes the initial states into a buffer, zeros too. */
  packInitial(state: BufferId): void {
    const ctx = this.#ctx;
    for (const { slot, uniforms } of this.#states) {
      const zero = isZero(ctx.inputs[slot]);
      const buffers = { tensor_: zero ? undefined : ctx.read(slot), state };
      const grid = gridFor(uniforms);
      ctx.emit(recurrentDispatch(ctx.path, packState(!zero), grid, buffers, uniforms, 0));
    }
  }

  /** Makes the outputs that are states after the last step. */
  unpackFinal(state: BufferId): void {
    const ctx = this.#ctx;
    this.#states.forEach(({ uniforms }, k) => {
      if (!ctx.wanted(1 + k)) return;
      const buffers = { state, tensor_: ctx.write(1 + k) };
      const grid = gridFor(uniforms);
      ctx.emit(recurrentDispatch(ctx.path, unpackState(), grid, buffers, uniforms, 0));
    });
  }
}
