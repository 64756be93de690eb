// A recurrent layer as dispatches: pack the initial states; for each chunk of time steps compute the input
// projection of all its steps at once, then the recurrence; unpack the final states.
import { projectKernel, tileColumns } from '../../../../shaders/recurrent/project.ts';
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import { directionsOf, recurrentAttributes } from '../../../graph.ts';
import { projectCandidates } from '../../select/project-candidates.ts';
import { recurrentCandidates, recurrentKey } from '../../select/recurrent-candidates.ts';
import type { RecurrentCandidate } from '../../select/recurrent-candidates.ts';
import { select } from '../../select/select-kernel.ts';
import type { Lower, Lowering } from '../../lowering.ts';
import { MAX_LOOP_STEPS } from '../../types.ts';
import { maxChunkSteps, recurrentDispatch, timeUniforms } from './dispatch.ts';
import type { LayerCall } from './dispatch.ts';
import { Recurrence } from './recurrence.ts';
import { lowerSingleStep, singleStepOf } from './single-step.ts';
import { callOf, LENGTHS, MASK, specOf, X } from './spec.ts';
import { LayerState } from './state.ts';
import { foldedBias, inputProduct } from './weights.ts';

/** Selects the kernel of a layer and reports the selection to the plan. */
function selectRecurrent(
  ctx: Lowering,
  spec: RecurrentSpec,
  { rows, steps }: LayerCall,
): RecurrentCandidate {
  const shape = { spec, rows, steps, single: singleStepOf(ctx, spec) };
  const candidates = recurrentCandidates(shape, ctx.device, ctx.options);
  const key = recurrentKey(shape);
  const found = select(ctx.path, candidates, ctx.options.tuned?.get(key));
  ctx.report({ labels: [ctx.path], key, selected: found.name, candidates });
  return found;
}

/** Lowers a `Recurrent` node. */
export const lowerRecurrent: Lower = (ctx) => {
  const a = recurrentAttributes(ctx.node);
  const spec = specOf(ctx);
  const directions = directionsOf(a);
  const call = callOf(ctx);
  const { steps, rows, inputs } = call;
  const candidate = selectRecurrent(ctx, spec, call);
  if (candidate.kernel === 'step' && candidate.single) {
    lowerSingleStep(ctx, spec, candidate);
    return;
  }
  const columns = spec.gates.length * spec.hidden;
  const projected = rows * Math.min(steps, MAX_LOOP_STEPS);
  const tiles = projectCandidates(projected, columns, ctx.device, ctx.options);
  const { tile } = select(ctx.path, tiles);
  const w = inputProduct([ctx], spec, inputs, tileColumns(tile));
  const b = foldedBias([ctx], spec);
  const perStep = directions * rows * columns;
  const max = maxChunkSteps(perStep);
  const chunk = Math.min(steps, max > 1 ? max - (max % 2) : 1); // even: states end in the buffer they start in
  const shared = {
    xw: ctx.scratch(chunk * perStep, 'W·x + b'),
    y: spec.writesY ? ctx.write(0) : undefined,
    ...(spec.hasLengths && { lengths: ctx.read(LENGTHS) }),
    ...(spec.mask && { mask: ctx.read(MASK) }),
  };
  const project = projectKernel(spec, inputs, tile, b !== undefined);
  const recurrence = new Recurrence([ctx], spec, candidate, rows, shared);
  const state = new LayerState(ctx, spec, rows);
  // Zero initial states need no dispatch that packs them, except with 0 time steps: then they are the final states.
  const fromZero = steps > 0 && state.fromZero;
  if (!fromZero) state.packInitial(recurrence.state);

  for (let start = 0; start < steps; start += chunk) {
    const chunkSteps = Math.min(chunk, steps - start);
    const uniforms = { ...timeUniforms(a, call, spec.output), start, chunkSteps };
    const across = Math.ceil(columns / tileColumns(tile));
    const grid = [across, Math.ceil((chunkSteps * rows) / tile.rows), directions] as const;
    const buffers = { ...shared, x: ctx.read(X), w, b };
    const flops = 2 * chunkSteps * perStep * inputs;
    ctx.emit(recurrentDispatch(ctx.path, project, grid, buffers, uniforms, flops));
    const isFirst = fromZero && start === 0;
    recurrence.run({ steps: chunkSteps, instances: directions, fromZero: isFirst, uniforms });
  }
  state.unpackFinal(recurrence.state);
};
