// A recurrent layer over one time step, as a stream computes it: one dispatch for each product of the
// cell, from the states of the graph to the states of the graph. Gates computed ahead, and a state
// packed and unpacked around a loop, would only be more dispatches here.
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { stepKernel, stepPhases, stepSpan } from '../../../shaders/recurrent/step.ts';
import { directionsOf, recurrentAttributes } from '../../graph.ts';
import { chooseSingle } from '../choose.ts';
import type { Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { recurrentDispatch } from './recurrent-dispatch.ts';
import {
  B,
  callOf,
  extraVectors,
  foldedBias,
  INITIAL_C,
  INITIAL_H,
  LENGTHS,
  MASK,
  product,
  PROJECTION,
  R,
  W,
  X,
} from './recurrent-weights.ts';

/**
 * Lowers a layer of one time step, if it is one that fits: few rows, units in fours, states that lie in
 * memory as the kernel has them, and no more buffers than a stage may bind.
 *
 * @returns false where it does not fit, and nothing has been done
 */
export function lowerSingleStep(l: Lowering, spec: RecurrentSpec): boolean {
  const a = recurrentAttributes(l.node);
  const { steps, rows, inputs } = callOf(l);
  const { hidden, output } = spec;
  const directions = directionsOf(a);
  const tile = chooseSingle(rows, steps, l.device, l.options.recurrentKernel);
  // [B, D, H] is [D, B, H] where either is one.
  const inOrder = a.layout === 0 || directions === 1 || rows === 1;
  if (!tile || !inOrder || hidden % 4 !== 0 || output % 4 !== 0) return false;
  const phases = stepPhases(spec);
  const single = { width: inputs, hasBias: l.inputs[B] !== undefined };
  const kernels = phases.map((phase, i) => stepKernel(spec, phase, i, tile, single));
  const most = l.device.maxStorageBuffersPerShaderStage;
  if (kernels.some(({ bindings }) => Object.keys(bindings).length > most)) return false;

  const columns = spec.gates.length * hidden;
  const span = stepSpan(tile);
  const layout = { directions, sourceRows: columns, units: hidden, tile: span };
  const weights = phases.map((phase) => {
    if (phase === 'projection') {
      const own = { ...layout, sourceRows: output, units: output, blocks: [0], width: hidden };
      return { r: product([l], PROJECTION, own) };
    }
    const width = phase.operand === 'u' ? hidden : output;
    return {
      w: product([l], W, { ...layout, blocks: phase.gates, width: inputs }),
      r: product([l], R, { ...layout, blocks: phase.gates, width }),
    };
  });

  const before = (slot: number, width: number): BufferId => {
    const size = directions * rows * width;
    return l.inputs[slot]
      ? l.read(slot)
      : l.weight(`zeros#${size}`, size, () => new Float32Array(size));
  };
  // Without a mask Y is h after the step, so the one buffer is both.
  const masked = spec.hasLengths || spec.mask !== undefined;
  const y = spec.writesY ? l.write(0) : undefined;
  const after = (slot: number, width: number): BufferId =>
    l.wanted(slot) ? l.write(slot) : l.scratch(directions * rows * width, 'state after');
  const shared = masked ? undefined : y;
  const hAfter = shared ?? after(1, output);
  if (shared !== undefined && l.wanted(1)) l.yield(1, shared);
  const u =
    phases.length > 1 ? l.scratch(2 * directions * rows * hidden, 'between products') : undefined;
  const common = {
    x: l.read(X),
    b: foldedBias([l], spec),
    extra: extraVectors([l], spec),
    u,
    uNext: u,
    hBefore: before(INITIAL_H, output),
    hAfter,
    ...(spec.hasC && { cBefore: before(INITIAL_C, hidden), cAfter: after(2, hidden) }),
    ...(spec.hasLengths && { lengths: l.read(LENGTHS) }),
    ...(spec.mask && { mask: l.read(MASK) }),
    y,
  };
  const ofX = { rows, steps, start: 0, turns: 1, xB: inputs, maskT: rows, maskB: 1 };
  const ofY = { yT: directions * rows * output, yB: output, yD: rows * output };
  const uniforms = { ...ofX, ...ofY };
  const flops =
    2 * rows * directions * (columns * (inputs + output) + (spec.projected ? hidden * output : 0));
  const even = kernels.map((kernel, i) => {
    const units = phases[i] === 'projection' ? output : hidden;
    const grid = [Math.ceil(units / span), Math.ceil(rows / tile.rows), directions] as const;
    const buffers = { ...common, ...weights[i] };
    return recurrentDispatch(l.path, kernel, grid, buffers, uniforms, flops / phases.length);
  });
  l.emit({ kind: 'loop', first: 0, steps: 1, even, odd: [] });
  return true;
}
