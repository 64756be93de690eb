// A stack of layers as a wavefront: layers compute concurrently, layer k in wave n on chunk n - k of the time
// steps, which layer k - 1 computed in wave n - 1 (Appleyard et al. 2016,
// https://arxiv.org/abs/1604.01946, figure 3).
//
//   wave         0        1        2        3        4
//   layer 0   chunk 0  chunk 1  chunk 2
//   layer 1            chunk 0  chunk 1  chunk 2
//   layer 2                     chunk 0  chunk 1  chunk 2
//
// One dispatch per time step (or chunk) computes all layers of a wave. The input projections of a wave
// are computed before, for all steps of its chunks at once.
import { projectKernel, tileColumns } from '../../../../shaders/recurrent/project.ts';
import type { ProjectTile } from '../../../../shaders/recurrent/project.ts';
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import { recurrentAttributes } from '../../../graph.ts';
import { projectCandidates } from '../../select/project-candidates.ts';
import { select } from '../../select/select-kernel.ts';
import { stackCandidates, stackKey } from '../../select/stack-candidates.ts';
import type { StackCandidate } from '../../select/stack-candidates.ts';
import type { Lowering } from '../../lowering.ts';
import { maxChunkSteps, recurrentDispatch, timeUniforms } from './dispatch.ts';
import { Recurrence } from './recurrence.ts';
import { callOf, LENGTHS, specOf, X } from './spec.ts';
import { LayerState } from './state.ts';
import { foldedBias, inputProduct } from './weights.ts';
import type { Stack } from './weights.ts';

/**
 * Lowers a stack as `findStacks` finds them, if a wavefront is selected for it.
 *
 * @returns false where it is not, and nothing has been done
 */
export function lowerWavefront(layers: readonly Lowering[]): boolean {
  const [bottom, second, ...more] = layers;
  if (!bottom || !second) return false;
  const stack: Stack = [bottom, second, ...more];
  const top = stack.at(-1)!;
  const spec = { ...specOf(top), layers: stack.length };
  const { steps, rows } = callOf(bottom);
  const { device, options } = top;
  const columns = spec.gates.length * spec.hidden;
  const shape = { spec, rows, steps, maxChunk: maxChunkSteps(stack.length * rows * columns) };
  const candidates = stackCandidates(shape, device, options);
  const key = stackKey(shape);
  const { name, wavefront } = select(top.path, candidates, options.tuned?.get(key));
  if (candidates.length > 1) {
    top.report({ labels: stack.map(({ path }) => path), key, selected: name, candidates });
  }
  if (!wavefront) return false;
  const tiles = projectCandidates(wavefront.chunk * rows, columns, device, options);
  emitWavefront(
    stack,
    [second, ...more],
    spec,
    wavefront,
    select(top.path, tiles).tile,
    steps,
    rows,
  );
  return true;
}

function emitWavefront(
  stack: Stack,
  upper: Stack,
  spec: RecurrentSpec,
  { recurrent, chunk }: NonNullable<StackCandidate['wavefront']>,
  tile: ProjectTile,
  steps: number,
  rows: number,
): void {
  const [bottom] = stack;
  const top = stack.at(-1)!;
  const { output } = spec;
  const project = new StackProjection(stack, upper, spec, tile, chunk, rows);
  const shared = {
    ...project.buffers,
    y: spec.writesY ? top.write(0) : undefined,
    ...(spec.hasLengths && { lengths: top.read(LENGTHS) }),
  };
  const recurrence = new Recurrence(stack, spec, recurrent, rows, shared);
  const states = stack.map((layer, k) => new LayerState(layer, spec, rows, k));
  for (const state of states) state.packInitial(recurrence.state);

  const a = recurrentAttributes(top.node);
  const call = callOf(bottom);
  const chunks = Math.ceil(steps / chunk);
  /** Time steps of the chunk of a layer in a wave. */
  const stepsOf = (layer: number, wave: number): number =>
    Math.min(chunk, steps - (wave - layer) * chunk);
  for (let wave = 0; wave < chunks + upper.length; wave++) {
    const lowest = Math.max(0, wave - chunks + 1);
    const highest = Math.min(upper.length, wave);
    const uniforms = {
      ...timeUniforms(a, call, output),
      start: wave * chunk,
      chunkSteps: chunk,
    };
    if (lowest === 0) project.first({ ...uniforms, chunkSteps: stepsOf(0, wave) }, shared);
    project.above(Math.max(lowest, 1), highest, uniforms, shared);
    recurrence.run({
      steps: stepsOf(highest, wave), // a layer below may have fewer, and waits
      instances: highest - lowest + 1,
      fromZero: false,
      uniforms: { ...uniforms, layer: lowest },
    });
  }
  // Chunks are even but for the last of each layer, so all states have ended in the same buffer.
  for (const state of states) state.unpackFinal(recurrence.state);
}

/** The input projections of a stack: the first layer reads X, the others the output of the layer below. */
class StackProjection {
  /** Buffers that the recurrence shares. */
  readonly buffers: { readonly xw: number; readonly layerOutputs: number };
  readonly #first;
  readonly #above;
  readonly #stack: Stack;
  readonly #tile: ProjectTile;
  readonly #columns: number;
  readonly #rows: number;
  readonly #chunk: number;
  readonly #output: number;

  constructor(
    stack: Stack,
    upper: Stack,
    spec: RecurrentSpec,
    tile: ProjectTile,
    chunk: number,
    rows: number,
  ) {
    const [bottom] = stack;
    const top = stack.at(-1)!;
    const { inputs } = callOf(bottom);
    const alone = { ...spec, layers: 1 };
    const { output } = spec;
    const span = tileColumns(tile);
    const firstBias = foldedBias([bottom], spec);
    const aboveBias = foldedBias(upper, spec);
    this.#stack = stack;
    this.#tile = tile;
    this.#rows = rows;
    this.#chunk = chunk;
    this.#output = output;
    this.#columns = spec.gates.length * spec.hidden;
    this.#first = {
      kernel: projectKernel(alone, inputs, tile, firstBias !== undefined),
      weights: { w: inputProduct([bottom], alone, inputs, span), b: firstBias },
    };
    this.#above = {
      kernel: projectKernel(spec, output, tile, aboveBias !== undefined),
      weights: { w: inputProduct(upper, spec, output, span), b: aboveBias },
    };
    this.buffers = {
      xw: top.scratch(stack.length * chunk * rows * this.#columns, 'W·x + b'),
      layerOutputs: top.scratch(upper.length * chunk * rows * output, 'layer outputs'),
    };
  }

  /** W·x + b of the first layer, for `chunkSteps` steps from `start` on. */
  first(uniforms: Readonly<Record<string, number>>, buffers: object): void {
    const [bottom] = this.#stack;
    const { inputs } = callOf(bottom);
    const lines = uniforms['chunkSteps']! * this.#rows;
    const { kernel, weights } = this.#first;
    this.#emit(bottom, kernel, lines, 1, inputs, uniforms, {
      ...buffers,
      ...weights,
      x: bottom.read(X),
    });
  }

  /** W·x + b of the layers `lowest` to `highest`, for a whole chunk each. */
  above(
    lowest: number,
    highest: number,
    uniforms: Readonly<Record<string, number>>,
    buffers: object,
  ): void {
    if (highest < lowest) return;
    const { kernel, weights } = this.#above;
    const lines = this.#chunk * this.#rows;
    const layers = highest - lowest + 1;
    const values = { ...uniforms, layer: lowest - 1 };
    this.#emit(this.#stack.at(-1)!, kernel, lines, layers, this.#output, values, {
      ...buffers,
      ...weights,
      x: this.buffers.layerOutputs,
    });
  }

  #emit(
    ctx: Lowering,
    kernel: ReturnType<typeof projectKernel>,
    lines: number,
    layers: number,
    width: number,
    uniforms: Readonly<Record<string, number>>,
    buffers: Readonly<Record<string, number | undefined>>,
  ): void {
    const across = Math.ceil(this.#columns / tileColumns(this.#tile));
    const grid = [across, Math.ceil(lines / this.#tile.rows), layers] as const;
    const flops = 2 * layers * lines * this.#columns * width;
    ctx.emit(recurrentDispatch(ctx.path, kernel, grid, buffers, uniforms, flops));
  }
}
