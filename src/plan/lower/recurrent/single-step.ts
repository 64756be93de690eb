// A recurrent layer over one time step, as a stream computes it: one dispatch for each phase of the cell,
// from the states of the graph to the states of the graph. Gates projected ahead, and states packed and
// unpacked around a loop, would only be more dispatches here.
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import { productSizes, stepPhases } from '../../../../shaders/recurrent/spec.ts';
import { stepKernel, tileUnits } from '../../../../shaders/recurrent/step.ts';
import { directionsOf, initialStateSlot, recurrentAttributes } from '../../../graph.ts';
import { chooseSingle } from '../../select/select-kernel.ts';
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
 * Lowers a layer of one time step, if it is one that fits: few rows, units in fours, states that lie in
 * memory as the kernel has them, and no more buffers than a stage may bind.
 *
 * @returns false where it does not fit, and nothing has been done
 */
export function lowerSingleStep(ctx: Lowering, spec: RecurrentSpec): boolean {
  const a = recurrentAttributes(ctx.node);
  const { steps, rows, inputs } = callOf(ctx);
  const { hidden, output } = spec;
  const directions = directionsOf(a);
  const tile = chooseSingle(rows, steps, ctx.device, ctx.options.recurrentKernel);
  // [B, D, H] is [D, B, H] where either is one.
  const inOrder = a.layout === 0 || directions === 1 || rows === 1;
  if (!tile || !inOrder || hidden % 4 !== 0 || output % 4 !== 0) return false;
  // Sums over units read W·x + b of all units, which no workgroup of these kernels has.
  if (spec.phases.some(({ reductions }) => reductions.length > 0)) return false;
  const phases = stepPhases(spec);
  const single = { width: inputs, hasBias: ctx.inputs[B] !== undefined };
  const kernels = phases.map((_, i) => stepKernel(spec, i, tile, single));
  const max = ctx.device.maxStorageBuffersPerShaderStage;
  if (kernels.some(({ bindings }) => Object.keys(bindings).length > max)) return false;

  const columns = spec.gates.length * hidden;
  const span = tileUnits(tile);
  const layout = { directions, sourceRows: columns, units: hidden, tile: span, width: inputs };
  const r = recurrentProducts([ctx], spec, span);
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
  return true;
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
