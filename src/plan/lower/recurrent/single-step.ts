// A recurrent layer over one time step, as a stream computes it: one dispatch for each phase of the cell,
// from the states of the graph to the states of the graph. A separate input projection, and states packed and
// unpacked around a loop, would only add dispatches.
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import { productSizes, stepPhases } from '../../../../shaders/recurrent/spec.ts';
import { tileUnits } from '../../../../shaders/recurrent/step.ts';
import type { SingleStep } from '../../../../shaders/recurrent/step.ts';
import { directionsOf, initialStateSlot, recurrentAttributes } from '../../../graph.ts';
import type { RecurrentCandidate } from '../../select/recurrent-candidates.ts';
import type { Lowering } from '../../lowering.ts';
import type { BufferId } from '../../types.ts';
import { recurrentDispatch } from './dispatch.ts';
import type { NamedBuffers } from './dispatch.ts';
import { passingBuffers } from './recurrence.ts';
import { B, callOf, LENGTHS, MASK, W, X } from './spec.ts';
import {
  blocksOf,
  foldedBias,
  parameterVectors,
  product,
  recurrentProducts,
  zeros,
} from './weights.ts';

/**
 * The input of a layer whose W·x + b and R·h one dispatch can compute: its widths are multiples of 4, and its
 * states have the layout of the kernel. Undefined for any other layer.
 */
export function singleStepOf(ctx: Lowering, spec: RecurrentSpec): SingleStep | undefined {
  const a = recurrentAttributes(ctx.node);
  const { rows, inputs } = callOf(ctx);
  // [B, D, H] is [D, B, H] where either is one.
  const inOrder = a.layout === 0 || directionsOf(a) === 1 || rows === 1;
  if (!inOrder || spec.hidden % 4 !== 0 || spec.output % 4 !== 0) return undefined;
  // Sums over units read W·x + b of all units, of which a workgroup of these kernels computes a part.
  if (spec.phases.some(({ reductions }) => reductions.length > 0)) return undefined;
  return { width: inputs, hasBias: ctx.inputs[B] !== undefined };
}

/** Lowers a layer of one time step to the kernels of a `single-step` candidate. */
export function lowerSingleStep(
  ctx: Lowering,
  spec: RecurrentSpec,
  { tile, kernels: makeKernels }: Extract<RecurrentCandidate, { kernel: 'step' }>,
): void {
  const { steps, rows, inputs } = callOf(ctx);
  const { hidden, output } = spec;
  const directions = directionsOf(recurrentAttributes(ctx.node));
  const phases = stepPhases(spec);
  const kernels = makeKernels();
  const columns = spec.gates.length * hidden;
  const span = tileUnits(tile);
  const { slices } = tile;
  const layout = {
    directions,
    sourceRows: columns,
    units: hidden,
    tile: span,
    slices,
    width: inputs,
  };
  const r = recurrentProducts([ctx], spec, span, slices);
  const weights = phases.map((phase, i): NamedBuffers => {
    if (phase === 'projection' || phase.inputs.length === 0) return { r: r[i] };
    const blocks = blocksOf(spec, phase.inputs);
    return { r: r[i], w: product([ctx], W, { ...layout, blocks }) };
  });
  const passing = passingBuffers(ctx, spec, rows);
  const common = {
    x: ctx.read(X),
    b: foldedBias([ctx], spec),
    parameters: parameterVectors([ctx], spec),
    ...(spec.hasLengths && { lengths: ctx.read(LENGTHS) }),
    ...(spec.mask && { mask: ctx.read(MASK) }),
    ...stateBuffers(ctx, spec, directions * rows),
  };
  const ofX = { rows, steps, start: 0, chunkSteps: 1, xB: inputs, maskT: rows, maskB: 1 };
  const ofY = { yT: directions * rows * output, yB: output, yD: rows * output };
  const uniforms = { ...ofX, ...ofY };
  const flops =
    2 * rows * directions * (columns * (inputs + output) + (spec.projected ? hidden * output : 0));
  const even = kernels.map((kernel, i) => {
    const { units } = productSizes(spec, phases[i]!);
    const grid = [Math.ceil(units / span), Math.ceil(rows / tile.rows), directions] as const;
    const buffers = { ...common, ...passing(i), ...weights[i] };
    return recurrentDispatch(ctx.path, kernel, grid, buffers, uniforms, flops / phases.length);
  });
  ctx.emit({ kind: 'loop', first: 0, steps: 1, even, odd: [] });
}

/** `NAMEBefore` and `NAMEAfter` of each state, and Y where it is a buffer of its own. */
function stateBuffers(ctx: Lowering, spec: RecurrentSpec, lines: number): NamedBuffers {
  // Without a mask Y is h after the step, so one buffer is both.
  const masked = spec.hasLengths || spec.mask !== undefined;
  const y = spec.writesY ? ctx.write(0) : undefined;
  const buffers: Record<string, BufferId | undefined> = { y };
  spec.states.forEach((name, k) => {
    const size = lines * (k === 0 ? spec.output : spec.hidden);
    const slot = initialStateSlot(k);
    buffers[`${name}Before`] = ctx.inputs[slot] ? ctx.read(slot) : zeros(ctx, size);
    const shared = k === 0 && !masked ? y : undefined;
    if (shared !== undefined && ctx.wanted(1)) ctx.yield(1, shared);
    const own = (): BufferId =>
      ctx.wanted(1 + k) ? ctx.write(1 + k) : ctx.scratch(size, `${name} after`);
    buffers[`${name}After`] = shared ?? own();
  });
  return buffers;
}
