// A recurrent layer as dispatches: state in, then for each chunk of time steps the input projection
// of all of them at once and the recurrence, then state out.
import type { Kernel, Workgroups } from '../../../shaders/kernel.ts';
import { gridOf } from '../../../shaders/kernel.ts';
import { PERSISTENT_STEPS, persistentKernel } from '../../../shaders/recurrent/persistent.ts';
import { projectKernel, projectSpan } from '../../../shaders/recurrent/project.ts';
import { paddedHidden, paddedOutput } from '../../../shaders/recurrent/spec.ts';
import { packState, STATE_LANES, unpackState } from '../../../shaders/recurrent/state.ts';
import { stepKernel, stepPhases, stepSpan } from '../../../shaders/recurrent/step.ts';
import { directionsOf, recurrentAttributes } from '../../graph.ts';
import { chooseProject, chooseRecurrent } from '../choose.ts';
import type { Lower, PlanValue } from '../lowering.ts';
import type { BufferId, Dispatch } from '../types.ts';
import { MAX_LOOP_STEPS } from '../types.ts';
import { recurrentDispatch } from './recurrent-dispatch.ts';
import type { NamedBuffers } from './recurrent-dispatch.ts';
import { lowerSingleStep } from './recurrent-single.ts';
import {
  extraVectors,
  foldedBias,
  INITIAL_C,
  INITIAL_H,
  LENGTHS,
  MASK,
  product,
  PROJECTION,
  R,
  specOf,
  W,
  X,
} from './recurrent-weights.ts';

/** Bytes that the hoisted gates of one chunk of time steps may take: it bounds memory for any T. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** True for an initial state that is certainly zero. */
function isZero(value: PlanValue | undefined): boolean {
  return value === undefined || (value.host?.data.every((v) => v === 0) ?? false);
}

/** Lowers a `Recurrent` node. */
export const lowerRecurrent: Lower = (l) => {
  const a = recurrentAttributes(l.node);
  const spec = specOf(l);
  if (lowerSingleStep(l, spec)) return;
  const directions = directionsOf(a);
  const x = l.inputs[X]!;
  const [steps, rows] = a.layout === 0 ? [x.dims[0]!, x.dims[1]!] : [x.dims[1]!, x.dims[0]!];
  const inputs = x.dims[2]!;
  const { hidden, output } = spec;
  const columns = spec.gates.length * hidden;
  const [op, hp] = [paddedOutput(spec), paddedHidden(spec)];
  const choice = chooseRecurrent(spec, rows, steps, l.device, l.options);
  const phases = stepPhases(spec);
  const tile = choice.kernel === 'step' ? choice.tile : undefined;
  const projected = rows * Math.min(steps, MAX_LOOP_STEPS);
  const project = chooseProject(projected, columns, l.device, l.options.effort);
  const span = projectSpan(project);

  // Weights.
  const w = product(l, W, {
    directions,
    sourceRows: columns,
    blocks: [0],
    units: columns,
    tile: span,
    width: inputs,
  });
  const bias = foldedBias(l, spec, directions);
  const unitsOf = choice.kernel === 'step' ? stepSpan(tile!) : choice.tile.lanes;
  const recurrent = phases.map((phase) => {
    const projection = phase === 'projection';
    const units = projection ? output : hidden;
    return product(l, projection ? PROJECTION : R, {
      directions,
      sourceRows: projection ? output : columns,
      blocks: projection ? [0] : phase.gates,
      units,
      tile: unitsOf,
      width: projection || phase.operand === 'u' ? hidden : output,
    });
  });
  const extra = extraVectors(l, spec, directions);

  // State.
  const hPart = directions * rows * op;
  const size = hPart + (spec.hasC ? directions * rows * hp : 0);
  let state = l.scratch(size, 'state');
  const parts = [
    { slot: INITIAL_H, out: 1, width: output, padded: op, offset: 0 },
    ...(spec.hasC ? [{ slot: INITIAL_C, out: 2, width: hidden, padded: hp, offset: hPart }] : []),
  ].map((part) => ({
    ...part,
    grid: gridOf(directions * rows * part.padded, STATE_LANES),
    uniforms: {
      rows,
      directions,
      width: part.width,
      padded: part.padded,
      offset: part.offset,
      batchFirst: a.layout,
    },
  }));
  // A layer that begins from zero needs no state brought in, unless there is no step to make one.
  const fromZero = steps > 0 && parts.every(({ slot }) => isZero(l.inputs[slot]));
  for (const { slot, grid, uniforms } of fromZero ? [] : parts) {
    if (isZero(l.inputs[slot])) l.dispatch(packState(false), grid, { state }, uniforms);
    else l.dispatch(packState(true), grid, { tensor_: l.read(slot), state }, uniforms);
  }

  // Time.
  const y = spec.writesY ? l.write(0) : undefined;
  const [xT, xB] = a.layout === 0 ? [rows * inputs, inputs] : [inputs, steps * inputs];
  const yD = a.layout === 0 ? rows * output : output;
  const yT = directions * output * (a.layout === 0 ? rows : 1);
  const yB = a.layout === 0 ? output : steps * directions * output;
  const [maskT, maskB] = a.layout === 0 ? [rows, 1] : [1, steps];
  const perStep = directions * rows * columns * 4;
  const most = Math.min(
    MAX_LOOP_STEPS,
    PERSISTENT_STEPS,
    Math.max(1, Math.floor(CHUNK_BYTES / perStep)),
  );
  const chunk = Math.min(steps, most > 1 ? most - (most % 2) : 1);
  const xw = l.scratch((chunk * perStep) / 4, 'gates');
  const conditions = {
    ...(spec.hasLengths && { lengths: l.read(LENGTHS) }),
    ...(spec.mask && { mask: l.read(MASK) }),
  };
  const projectGates = projectKernel(spec, inputs, project, bias !== undefined);
  const persistent =
    choice.kernel === 'persistent' ? persistentKernel(spec, choice.tile) : undefined;
  const stepKernels = tile ? phases.map((phase, i) => stepKernel(spec, phase, i, tile)) : [];
  let next = tile && steps > 0 ? l.scratch(size, 'next state') : undefined;
  const u =
    phases.length > 1 ? l.scratch(2 * directions * rows * hp, 'between products') : undefined;
  const available = { x: l.read(X), w, b: bias, xw, extra, y, u, uNext: u, ...conditions };

  for (let start = 0; start < steps; start += chunk) {
    const turns = Math.min(chunk, steps - start);
    const isFirst = fromZero && start === 0;
    const fixed = { rows, steps, maskT, maskB, yT, yB, yD, xT, xB };
    const values = { ...fixed, start, turns, fromZero: Number(isFirst) };
    /** One run of a kernel with its own buffers beside those of all. */
    const dispatch = (
      kernel: Kernel,
      grid: Workgroups,
      own: NamedBuffers,
      flops: number,
    ): Dispatch => recurrentDispatch(l.path, kernel, grid, { ...available, ...own }, values, flops);
    const blocks = Math.ceil((turns * rows) / project.rows);
    const inputFlops = 2 * turns * rows * directions * columns * inputs;
    l.emit(dispatch(projectGates, [Math.ceil(columns / span), blocks, directions], {}, inputFlops));
    const flops = 2 * rows * directions * hidden * (columns + (spec.projected ? output : 0));
    if (persistent && choice.kernel === 'persistent') {
      const grid = [1, Math.ceil(rows / choice.tile.rows), directions] as const;
      const [r0, r1] = recurrent;
      l.emit(dispatch(persistent, grid, { r0, r1, state }, turns * flops));
      continue;
    }
    const turn = (from: BufferId, to: BufferId): Dispatch[] =>
      stepKernels.map((kernel, i) => {
        const units = phases[i] === 'projection' ? output : hidden;
        const grid = [
          Math.ceil(units / stepSpan(tile!)),
          Math.ceil(rows / tile!.rows),
          directions,
        ] as const;
        const own = { r: recurrent[i], state: from, next: to };
        return dispatch(kernel, grid, own, flops / phases.length);
      });
    const first = Number(isFirst);
    if (isFirst) {
      const zeros = l.weight(`zeros#${size}`, size, () => new Float32Array(size));
      l.emit({ kind: 'loop', first: 0, steps: 1, even: turn(zeros, next!), odd: [] });
      [state, next] = [next!, state];
    }
    const [even, odd] = [turn(state, next!), turn(next!, state)];
    l.emit({ kind: 'loop', first, steps: turns - first, even, odd });
    // An odd number of turns leaves the state in the other buffer.
    if ((turns - first) % 2 === 1) [state, next] = [next!, state];
  }

  for (const { out, grid, uniforms } of parts) {
    if (l.wanted(out)) l.dispatch(unpackState, grid, { state, tensor_: l.write(out) }, uniforms);
  }
};
