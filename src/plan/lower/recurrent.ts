// A recurrent layer as dispatches: state in, then for each chunk of time steps the input projection
// of all of them at once and the recurrence, then state out.
import { projectKernel, projectSpan } from '../../../shaders/recurrent/project.ts';
import { directionsOf, recurrentAttributes } from '../../graph.ts';
import { chooseProject, chooseRecurrent } from '../choose.ts';
import type { Lower } from '../lowering.ts';
import { MAX_LOOP_STEPS } from '../types.ts';
import { Recurrence } from './recurrence.ts';
import { mostTurns, recurrentDispatch, timeUniforms } from './recurrent-dispatch.ts';
import { lowerSingleStep } from './recurrent-single.ts';
import { LayerState } from './recurrent-state.ts';
import { callOf, foldedBias, inputProduct, LENGTHS, MASK, specOf, X } from './recurrent-weights.ts';

/** Lowers a `Recurrent` node. */
export const lowerRecurrent: Lower = (l) => {
  const a = recurrentAttributes(l.node);
  const spec = specOf(l);
  if (lowerSingleStep(l, spec)) return;
  const directions = directionsOf(a);
  const call = callOf(l);
  const { steps, rows, inputs } = call;
  const columns = spec.gates.length * spec.hidden;
  const choice = chooseRecurrent(spec, rows, steps, l.device, l.options);
  const projected = rows * Math.min(steps, MAX_LOOP_STEPS);
  const tile = chooseProject(projected, columns, l.device, l.options.effort);
  const w = inputProduct([l], spec, projectSpan(tile));
  const b = foldedBias([l], spec);
  const perStep = directions * rows * columns;
  const most = mostTurns(perStep);
  const chunk = Math.min(steps, most > 1 ? most - (most % 2) : 1);
  const shared = {
    xw: l.scratch(chunk * perStep, 'gates'),
    y: spec.writesY ? l.write(0) : undefined,
    ...(spec.hasLengths && { lengths: l.read(LENGTHS) }),
    ...(spec.mask && { mask: l.read(MASK) }),
  };
  const project = projectKernel(spec, inputs, tile, b !== undefined);
  const recurrence = new Recurrence([l], spec, choice, rows, shared);
  const state = new LayerState(l, spec, rows);
  // A layer that begins from zero needs no state brought in, unless there is no step to make one.
  const fromZero = steps > 0 && state.fromZero;
  if (!fromZero) state.bringIn(recurrence.state);

  for (let start = 0; start < steps; start += chunk) {
    const turns = Math.min(chunk, steps - start);
    const uniforms = { ...timeUniforms(a, call, spec.output), start, turns };
    const across = Math.ceil(columns / projectSpan(tile));
    const grid = [across, Math.ceil((turns * rows) / tile.rows), directions] as const;
    const buffers = { ...shared, x: l.read(X), w, b };
    const flops = 2 * turns * perStep * inputs;
    l.emit(recurrentDispatch(l.path, project, grid, buffers, uniforms, flops));
    const isFirst = fromZero && start === 0;
    recurrence.run({ turns, instances: directions, fromZero: isFirst, uniforms });
  }
  state.bringOut(recurrence.state);
};
