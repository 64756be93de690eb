// Compile-time parameters of the recurrent kernels. Sizes that vary by call (rows, steps, lengths) are uniforms;
// everything here is fixed by the model.
import type { ActivationName, CellPhase, CellVariant } from '../../src/cells/index.ts';
import type { Part } from '../part.ts';
import { expand } from '../wgsl.ts';
import output from './output.wgsl?raw';
import time from './time.wgsl?raw';
import type { Arithmetic, WeightStorage } from './weights.ts';

/** One activation of one direction with its parameters. */
export interface ActivationUse {
  readonly name: ActivationName;
  readonly alpha: number;
  readonly beta: number;
}

/** A recurrent layer as its kernels see it. */
export interface RecurrentSpec {
  readonly gates: readonly string[];
  /** The first is the output h, O wide; the others are H wide. */
  readonly states: readonly string[];
  readonly variant: CellVariant;
  readonly phases: readonly CellPhase[];
  /** Names of the numbers per unit in the buffer `parameters`, [D, names, H]. */
  readonly parameters: readonly string[];
  /** Width of the cell, H. */
  readonly hidden: number;
  /** Whether h is a projection of the output of the cell. */
  readonly projected: boolean;
  /** Width of h, O: H, or the projected width. */
  readonly output: number;
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  /**
   * Layers of a wavefront: forward layers on top of each other that differ in their weights only and
   * compute concurrently, layer k on the chunk of time steps that layer k - 1 computed in the previous wave. 1 for
   * a single layer.
   */
  readonly layers: number;
  /** By direction, then in the order of the cell. */
  readonly activations: readonly (readonly ActivationUse[])[];
  readonly clip: number;
  readonly hasLengths: boolean;
  /** Element type of the step mask, where there is one. */
  readonly mask: 'f32' | 'i32' | undefined;
  readonly maskedOutput: 'zero' | 'repeat';
  /** Whether Y is wanted; without it only the final state is written. */
  readonly writesY: boolean;
  /** How the weights of each product are stored. */
  readonly storage: Readonly<Record<'input' | 'recurrent' | 'projection', WeightStorage>>;
  /** Type in which weights that are stored as f16 are multiplied. */
  readonly arithmetic: Arithmetic;
}

/** A product of the recurrence: a phase of the cell, or the projection of its output. */
export type StepPhase = CellPhase | 'projection';

/** The phases of a layer in order, the projection last. */
export const stepPhases = (spec: RecurrentSpec): readonly StepPhase[] =>
  spec.projected ? [...spec.phases, 'projection'] : spec.phases;

/** `n` rounded up to a multiple of `unit`. */
export const roundUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Width of h of a row in a state buffer: O, padded so that rows start on 16 bytes. */
export const paddedOutput = ({ output: width }: RecurrentSpec): number => roundUp(width, 4);

/** Width of every other state of a row in a state buffer. */
export const paddedHidden = ({ hidden }: RecurrentSpec): number => roundUp(hidden, 4);

/** Instances that a kernel computes along z: the directions of a layer, or the layers of a wavefront. */
export const instancesOf = ({ direction, layers }: RecurrentSpec): number =>
  direction === 'bidirectional' ? 2 : layers;

/** Whether a call may restrict which rows take part in a step. */
export const isMasked = ({ hasLengths, mask }: RecurrentSpec): boolean =>
  hasLengths || mask !== undefined;

/** Sizes of one product of the recurrence. */
export interface ProductSizes {
  /** Rows of the matrix for each gate: H, or O for the projection. */
  readonly units: number;
  /** vec4 along the sum. */
  readonly k4: number;
  /** Gates that are multiplied. */
  readonly gates: number;
}

/** The sizes of the product of a phase; `gates` is 0 for a phase that has none. */
export function productSizes(spec: RecurrentSpec, phase: StepPhase): ProductSizes {
  const { hidden, output: width } = spec;
  if (phase === 'projection') return { units: width, k4: Math.ceil(hidden / 4), gates: 1 };
  const k = phase.of === spec.states[0] ? width : hidden;
  return { units: hidden, k4: Math.ceil(k / 4), gates: phase.product.length };
}

/** Which functions of time.wgsl a kernel calls. */
export interface TimeUse {
  /** Calls `timeOf`. */
  readonly time: boolean;
  /** Calls `isLive`. */
  readonly live: boolean;
  /** Calls `lengthOf`. */
  readonly length?: boolean;
}

/** time.wgsl, as far as a kernel uses it. */
export function timePart(spec: RecurrentSpec, use: TimeUse): Part {
  const { direction, hasLengths } = spec;
  const mask = use.live && spec.mask !== undefined;
  const readsTime = use.time || mask;
  const readsLength =
    use.length === true || (use.live && hasLengths) || (readsTime && direction !== 'forward');
  const flags = {
    READS_LENGTH: readsLength,
    READS_TIME: readsTime,
    READS_LIVE: use.live,
    LENGTHS: hasLengths,
    MASK: mask,
    FORWARD: direction === 'forward',
    BIDIRECTIONAL: direction === 'bidirectional',
  };
  return {
    wgsl: expand(time, { flags }),
    flags: { READS_LIVE: use.live },
    bindings: {
      lengths: readsLength && hasLengths && 'read i32',
      mask: mask && `read ${spec.mask!}`,
    },
    uniforms: {
      rows: 'u32',
      ...(readsLength && { steps: 'u32' }),
      ...(mask && { maskT: 'u32', maskB: 'u32' }),
    },
  };
}

/**
 * output.wgsl and the functions of time.wgsl that it needs.
 *
 * @param writes whether the kernel has the final h of a step, and somebody reads it
 * @param live whether the kernel calls `isLive`
 */
export function outputPart(spec: RecurrentSpec, writes: boolean, live: boolean): Part {
  const wavefront = spec.layers > 1;
  const y = writes && spec.writesY;
  const repeats = y && spec.mask !== undefined && spec.maskedOutput === 'repeat';
  const times = timePart(spec, { time: y, live, length: repeats });
  const flags = { WRITES_Y: y, WAVEFRONT: wavefront, MASKED: isMasked(spec), REPEATS: repeats };
  const outputs = writes && (y || wavefront);
  return {
    wgsl: `${times.wgsl!}\n${outputs ? expand(output, { flags }) : ''}`,
    flags: { ...times.flags, OUTPUTS: outputs },
    bindings: {
      ...times.bindings,
      y: y && 'write f32',
      layerOutputs: outputs && wavefront && 'write f32',
    },
    uniforms: {
      ...times.uniforms,
      ...(y && { yT: 'u32', yB: 'u32' }),
      ...(y && !wavefront && { yD: 'u32' }),
      ...(outputs && wavefront && { chunkSteps: 'u32' }),
    },
    constants: wavefront ? { LAYERS: spec.layers, OUTPUT: spec.output } : {},
  };
}
