// Layers on top of each other that compute side by side, as a wavefront: while the first is at one chunk of
// time steps, each other is at the chunk that the one below has just left. A chunk's input projections
// are made at once, so that only the layers of one step wait for each other.
import { projectKernel, projectSpan } from '../../../shaders/recurrent/project.ts';
import { recurrentAttributes } from '../../graph.ts';
import { chooseProject, chooseStack } from '../choose.ts';
import type { Lowering } from '../lowering.ts';
import { recurrenceKernels, Recurrence } from './recurrence.ts';
import { mostTurns, recurrentDispatch, timeUniforms } from './recurrent-dispatch.ts';
import { LayerState } from './recurrent-state.ts';
import {
  callOf,
  foldedBias,
  inputProduct,
  LENGTHS,
  specOf,
  topOf,
  X,
} from './recurrent-weights.ts';
import type { Stack } from './recurrent-weights.ts';

/**
 * Lowers a stack as `groupStacks` finds them, if that pays and the device has room for it.
 *
 * @returns false where it does not, and nothing has been done
 */
export function lowerStack(layers: readonly Lowering[]): boolean {
  const [bottom, ...above] = layers;
  const [second, ...more] = above;
  if (!bottom || !second) return false;
  const stack: Stack = [bottom, second, ...more];
  const upper: Stack = [second, ...more];
  const top = topOf(stack);
  const spec = { ...specOf(top), layers: stack.length };
  const alone = { ...spec, layers: 1 };
  const a = recurrentAttributes(top.node);
  const call = callOf(bottom);
  const { steps, rows, inputs } = call;
  const { hidden, output } = spec;
  const columns = spec.gates.length * hidden;
  const perStep = rows * columns;
  const { device, options } = top;
  const most = mostTurns(stack.length * perStep);
  const choice = chooseStack(spec, rows, steps, most, device, options);
  if (!choice) return false;
  const { recurrent, chunk } = choice;
  const tile = chooseProject(chunk * rows, columns, device, options.effort);
  const bindings = recurrenceKernels(spec, recurrent).map((k) => Object.keys(k.bindings).length);
  // Units are padded to the tiles of a kernel, twice as many at most.
  const widest = 2 * 4 * stack.length * columns * (Math.max(hidden, output) + 4);
  const fits =
    Math.max(...bindings) <= device.maxStorageBuffersPerShaderStage &&
    widest <= Math.min(device.maxStorageBufferBindingSize, device.maxBufferSize);
  if (!fits) return false;

  const first = {
    w: inputProduct([bottom], alone, projectSpan(tile)),
    b: foldedBias([bottom], spec),
  };
  const others = { w: inputProduct(upper, spec, projectSpan(tile)), b: foldedBias(upper, spec) };
  const projectFirst = projectKernel(alone, inputs, tile, first.b !== undefined);
  const projectAbove = projectKernel(spec, output, tile, others.b !== undefined);
  const shared = {
    xw: top.scratch(stack.length * chunk * perStep, 'gates'),
    below: top.scratch(above.length * chunk * rows * output, 'outputs below'),
    y: spec.writesY ? top.write(0) : undefined,
    ...(spec.hasLengths && { lengths: top.read(LENGTHS) }),
  };
  const recurrence = new Recurrence(stack, spec, recurrent, rows, shared);
  const states = stack.map((l, layer) => new LayerState(l, spec, rows, layer));
  for (const state of states) state.bringIn(recurrence.state);

  const chunks = Math.ceil(steps / chunk);
  /** Steps of a layer's chunk in a wave. */
  const turnsOf = (layer: number, wave: number): number =>
    Math.min(chunk, steps - (wave - layer) * chunk);
  const across = Math.ceil(columns / projectSpan(tile));
  for (let wave = 0; wave < chunks + above.length; wave++) {
    const lowest = Math.max(0, wave - chunks + 1);
    const highest = Math.min(above.length, wave);
    const uniforms = { ...timeUniforms(a, call, output), start: wave * chunk, turns: chunk };
    if (lowest === 0) {
      const turns = turnsOf(0, wave);
      const grid = [across, Math.ceil((turns * rows) / tile.rows), 1] as const;
      const buffers = { ...shared, ...first, x: bottom.read(X) };
      const flops = 2 * turns * perStep * inputs;
      const own = { ...uniforms, turns };
      top.emit(recurrentDispatch(bottom.path, projectFirst, grid, buffers, own, flops));
    }
    const lowestAbove = Math.max(lowest, 1);
    if (highest >= lowestAbove) {
      const live = highest - lowestAbove + 1;
      const grid = [across, Math.ceil((chunk * rows) / tile.rows), live] as const;
      const buffers = { ...shared, ...others, x: shared.below };
      const flops = 2 * live * chunk * perStep * output;
      const own = { ...uniforms, layer: lowestAbove - 1 };
      top.emit(recurrentDispatch(top.path, projectAbove, grid, buffers, own, flops));
    }
    recurrence.run({
      turns: turnsOf(highest, wave), // a layer below may have fewer, and waits
      instances: highest - lowest + 1,
      fromZero: false,
      uniforms: { ...uniforms, layer: lowest },
    });
  }
  // Chunks are even but the last of each layer, so all have ended in the same buffer.
  for (const state of states) state.bringOut(recurrence.state);
  return true;
}
