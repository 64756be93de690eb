// The state of recurrent layers between their kernels, in a buffer: h of all, then c of all. Here it is
// brought in from the graph and out to it.
import { gridOf, type Workgroups } from '../../../shaders/kernel.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { instancesOf, paddedHidden, paddedOutput } from '../../../shaders/recurrent/spec.ts';
import { packState, STATE_LANES, unpackState } from '../../../shaders/recurrent/state.ts';
import { directionsOf, recurrentAttributes } from '../../graph.ts';
import type { Lowering, PlanValue } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { INITIAL_C, INITIAL_H } from './recurrent-weights.ts';

/** True for an initial state that is certainly zero. */
function isZero(value: PlanValue | undefined): boolean {
  return value === undefined || (value.host?.data.every((v) => v === 0) ?? false);
}

/** Elements of a state buffer for `rows` batch rows. */
export function stateSize(spec: RecurrentSpec, rows: number): number {
  const perRow = paddedOutput(spec) + (spec.hasC ? paddedHidden(spec) : 0);
  return instancesOf(spec) * rows * perRow;
}

/** What the kernels of shaders/recurrent/state.ts are told of h or c. */
type PartUniforms = Readonly<
  Record<'rows' | 'directions' | 'width' | 'padded' | 'offset' | 'batchFirst', number>
>;

const gridFor = ({ directions, rows, padded }: PartUniforms): Workgroups =>
  gridOf(directions * rows * padded, STATE_LANES);

/** The part of a state buffer that one layer has. */
export class LayerState {
  readonly #l: Lowering;
  readonly #parts: readonly {
    readonly slot: number;
    readonly out: number;
    readonly uniforms: PartUniforms;
  }[];

  /** @param layer number of the layer in its stack, 0 for one by itself */
  constructor(l: Lowering, spec: RecurrentSpec, rows: number, layer = 0) {
    this.#l = l;
    const a = recurrentAttributes(l.node);
    const [op, hp] = [paddedOutput(spec), paddedHidden(spec)];
    const common = { rows, directions: directionsOf(a), batchFirst: a.layout };
    const h = { width: spec.output, padded: op, offset: layer * rows * op };
    const offset = instancesOf(spec) * rows * op + layer * rows * hp;
    const c = { width: spec.hidden, padded: hp, offset };
    this.#parts = [
      { slot: INITIAL_H, out: 1, uniforms: { ...common, ...h } },
      ...(spec.hasC ? [{ slot: INITIAL_C, out: 2, uniforms: { ...common, ...c } }] : []),
    ];
  }

  /** Whether the layer begins from zero. */
  get fromZero(): boolean {
    return this.#parts.every(({ slot }) => isZero(this.#l.inputs[slot]));
  }

  /** Writes the initial state, zeros too. */
  bringIn(state: BufferId): void {
    const l = this.#l;
    for (const { slot, uniforms } of this.#parts) {
      const zero = isZero(l.inputs[slot]);
      const from = zero ? {} : { tensor_: l.read(slot) };
      l.dispatch(packState(!zero), gridFor(uniforms), { ...from, state }, uniforms);
    }
  }

  /** Makes the outputs that are the state after the last step. */
  bringOut(state: BufferId): void {
    const l = this.#l;
    for (const { out, uniforms } of this.#parts) {
      if (!l.wanted(out)) continue;
      l.dispatch(unpackState, gridFor(uniforms), { state, tensor_: l.write(out) }, uniforms);
    }
  }
}
