// The kernels of step.wgsl: which variant a phase of a layer needs, its buffers and its tile.
import type { Kernel } from '../kernel.ts';
import { kernelOf, type Part } from '../part.ts';
import {
  cellPart,
  gatesFunction,
  parametersPart,
  passPart,
  projectedInputPart,
  reductionPart,
  statePart,
} from './cell-functions.ts';
import { rename } from '../wgsl.ts';
import { inputPart } from './input.ts';
import product from './product.wgsl?raw';
import { rowBlockPart } from './row-block.ts';
import type { RowBlock } from './row-block.ts';
import {
  instancesOf,
  isMasked,
  outputPart,
  paddedHidden,
  paddedOutput,
  productSizes,
  roundUp,
  stepPhases,
} from './spec.ts';
import type { RecurrentSpec, StepPhase } from './spec.ts';
import text from './step.wgsl?raw';
import { weightPart, weightType } from './weights.ts';

/** How a step is spread over invocations: LANES, UNITS, SLICES and ROWS of step.wgsl. */
export interface StepTile extends RowBlock {
  /** Invocations along the hidden units; neighbours read neighbouring 16 bytes of R. */
  readonly lanes: number;
  /** Hidden units of an invocation, strided by `lanes`; one load of h serves all of them. */
  readonly units: number;
  /** Split-K: invocations that each sum a part of K for the same unit. */
  readonly slices: number;
  /**
   * Whether a workgroup is one subgroup of `lanes · slices` invocations, which add up their slices by
   * shuffles; else they do so through workgroup memory.
   */
  readonly isSubgroup?: boolean;
}

/** The input of a layer of one time step, whose kernels compute W·x + b and R·h in one dispatch. */
export interface SingleStep {
  /** Features of the input, I. */
  readonly width: number;
  readonly hasBias: boolean;
}

/** Hidden units that a workgroup covers. */
export const tileUnits = ({ lanes, units }: StepTile): number => lanes * units;

/** Invocations of a workgroup. */
export const stepInvocations = ({ lanes, slices }: StepTile): number => lanes * slices;

/** Gates whose W·x a phase computes by itself: none where a projection kernel has done so. */
const ownInputs = (phase: StepPhase, single: SingleStep | undefined): readonly string[] =>
  single && phase !== 'projection' ? phase.inputs : [];

/** Bytes of workgroup memory that the kernel of a phase needs. */
export function stepMemory(
  spec: RecurrentSpec,
  phase: StepPhase,
  tile: StepTile,
  single?: SingleStep,
): number {
  if (tile.slices === 1 || tile.isSubgroup) return 0;
  const sums = productSizes(spec, phase).gates + ownInputs(phase, single).length;
  return sums * tile.units * tile.rows * stepInvocations(tile) * 4;
}

/**
 * The kernel of phase `index` of a layer; see step.wgsl for its buffers. Grid: tiles of hidden units,
 * blocks of batch rows, instances.
 *
 * @param single where the layer is one time step long and computes W·x + b by itself
 */
export function stepKernel(
  spec: RecurrentSpec,
  index: number,
  tile: StepTile,
  single?: SingleStep,
): Kernel {
  const phases = stepPhases(spec);
  const phase = phases[index]!;
  const before = phases[index - 1];
  const cell = phase === 'projection' ? undefined : phase;
  const isLast = index === phases.length - 1; // has the h of the step
  const masked = isMasked(spec);
  // The cell returns its states; before that it passes values on.
  const isFinal = cell?.passes.length === 0;
  const passed = typeof before === 'object' ? before.passes : [];
  const sums = (productSizes(spec, phase).gates + ownInputs(phase, single).length) * tile.units;
  const splitK = sums > 0 && tile.slices > 1 && !tile.isSubgroup;
  const passes = passPart(spec, cell ? passed : [], cell?.passes ?? [], isFinal && spec.projected);
  const parts: Part[] = [
    tilePart(spec, phase, tile),
    rowBlockPart(tile),
    cellPart(spec, cell ? [cell] : []),
    productPart(spec, phase, tile, single !== undefined),
    gateInputPart(spec, phase, tile, single),
    parametersPart(spec, cell !== undefined),
    passes,
    reductionPart(spec, cell, passes, stepInvocations(tile)),
    statePart(spec, {
      layout: single ? 'separate' : 'packed',
      load: cell !== undefined,
      store: isFinal,
      loadH: !cell && masked,
      storeH: !cell,
    }),
    // Without a mask Y of a single step is h after it, which is written as a state.
    outputPart(spec, isLast && (!single || masked), masked && (isLast || isFinal)),
    {
      flags: { CELL: cell !== undefined, SPLIT_K: splitK },
      names: cell ? { CELL_FUNCTION: cell.name } : {},
      constants: splitK ? { ALL_SUMS: sums } : {},
      uniforms: { rows: 'u32', start: 'u32' },
    },
  ];
  return kernelOf(`recurrent-step-${index}`, text, parts, true);
}

/** LANES × SLICES invocations over UNITS hidden units each, and where this workgroup is. */
function tilePart(spec: RecurrentSpec, phase: StepPhase, tile: StepTile): Part {
  const { lanes, slices, units, isSubgroup = false, rows, sharers = 1 } = tile;
  const wavefront = spec.layers > 1;
  return {
    constants: {
      LANES: lanes,
      SLICES: slices,
      UNITS: units,
      TILES: Math.ceil(productSizes(spec, phase).units / tileUnits(tile)),
      PHASE_UNITS: productSizes(spec, phase).units,
      WORKGROUP_X: isSubgroup ? lanes * slices : lanes,
      WORKGROUP_Y: isSubgroup ? 1 : slices,
      ...(isSubgroup && { LOG2_SLICES: Math.log2(slices) }),
    },
    flags: {
      SUBGROUP_SUM: isSubgroup,
      SLICED: slices > 1,
      READS_SUBGROUP_LANE: isSubgroup || sharers > 1,
      ONE_CELL: units * rows === 1,
      WAVEFRONT: wavefront,
    },
    enables: isSubgroup ? ['subgroups'] : [],
    uniforms: wavefront ? { steps: 'u32', chunkSteps: 'u32', layer: 'u32' } : {},
  };
}

/** R · h, or R times what the phase before passes. */
function productPart(
  spec: RecurrentSpec,
  phase: StepPhase,
  tile: StepTile,
  isSingle: boolean,
): Part {
  const { units, k4: vectors, gates } = productSizes(spec, phase);
  if (gates === 0) {
    return {
      flags: { PRODUCT: false, SCALED: false },
      constants: { SUMS: 0 },
    };
  }
  const [h] = spec.states as readonly [string];
  const isCell = phase !== 'projection';
  const ofState = isCell && phase.of === h;
  const span = gates * tileUnits(tile);
  const groups = instancesOf(spec) * Math.ceil(units / tileUnits(tile));
  const storage = isCell ? spec.storage.recurrent : spec.storage.projection;
  const k4 = roundUp(vectors, tile.slices);
  const weights = weightPart('r', storage, { groups, k4, span }, spec.arithmetic);
  const operand = ofState ? (isSingle ? `${h}Before` : 'state') : 'passed';
  return {
    ...weights,
    wgsl: [
      weights.wgsl!,
      operandFunction(operand, ofState ? spec.output : spec.hidden, k4),
      ...(isCell ? [gatesFunction(spec, 'toGates', phase.product)] : []),
    ].join('\n'),
    bindings: { ...weights.bindings, [operand]: 'read vec4f' },
    flags: {
      PRODUCT: true,
      SCALED: storage === 'int8',
    },
    constants: {
      GATES: gates,
      SUMS: gates * tile.units,
      SPAN: span,
      K4: k4,
      K_ITERATIONS: k4 / tile.slices,
      OPERAND_STRIDE: (ofState ? paddedOutput(spec) : paddedHidden(spec)) / 4,
    },
    names: {
      MULTIPLY_STATE: rename(product, {
        Weight4: weightType(storage, spec.arithmetic),
        WEIGHT: 'load_r(at + s * LANES)',
        VECTOR: 'loadOperand(rowAt[j], k)',
      }),
    },
  };
}

/**
 * `loadOperand`: four numbers of the vector of `width` numbers that a product multiplies. Weights beyond the
 * width are zero, but zero times NaN is NaN: the padding of a row may hold anything and is read as zero.
 * Where K is padded to the slices, the last vector stands in for those that are missing. Without a branch
 * the invocations of a subgroup stay converged for the shuffles that add up their slices.
 */
function operandFunction(operand: string, width: number, k4: number): string {
  const last = Math.ceil(width / 4) - 1;
  const index = last < k4 - 1 ? `min(k, ${last}u)` : 'k';
  const isThere = [0, 1, 2, 3].map((lane) => last * 4 + lane < width);
  const value = `${operand}[at + ${index}]`;
  const masked = `select(${value}, select(vec4f(), ${value}, vec4<bool>(${isThere.join(', ')})), k >= ${last}u)`;
  return `fn loadOperand(at: u32, k: u32) -> vec4f { return ${width % 4 === 0 ? value : masked}; }`;
}

/** W·x + b: loaded, or computed here where the layer is one time step long. */
function gateInputPart(
  spec: RecurrentSpec,
  phase: StepPhase,
  tile: StepTile,
  single: SingleStep | undefined,
): Part {
  const inputs = phase === 'projection' ? [] : phase.inputs;
  const flags = {
    INPUT_PRODUCT: false,
    READS_X: inputs.length > 0,
    X_SCALED: false,
    BIAS: false,
  };
  if (!single || inputs.length === 0) {
    return { ...projectedInputPart(spec, inputs), flags };
  }
  const vectors = Math.ceil(single.width / 4);
  const x4 = roundUp(vectors, tile.slices);
  const span = inputs.length * tileUnits(tile);
  const groups = instancesOf(spec) * Math.ceil(spec.hidden / tileUnits(tile));
  const storage = spec.storage.input;
  const weights = weightPart('w', storage, { groups, k4: x4, span }, spec.arithmetic);
  const input = inputPart(single.width);
  return {
    ...weights,
    wgsl: [
      weights.wgsl!,
      input.wgsl!,
      gatesFunction(spec, 'toInputs', inputs, single.hasBias),
    ].join('\n'),
    bindings: {
      ...input.bindings,
      ...weights.bindings,
      b: single.hasBias && 'read f32',
    },
    flags: {
      INPUT_PRODUCT: true,
      X_SCALED: storage === 'int8',
      READS_X: true,
      BIAS: single.hasBias,
    },
    constants: {
      ...input.constants,
      X_GATES: inputs.length,
      X_SUMS: inputs.length * tile.units,
      X_SPAN: span,
      X4: x4,
      X_ITERATIONS: x4 / tile.slices,
    },
    uniforms: { xB: 'u32' },
    names: {
      MULTIPLY_INPUT: rename(product, {
        acc: 'accX',
        SUMS: 'X_SUMS',
        Weight4: weightType(storage, spec.arithmetic),
        WEIGHT: 'load_w(at + s * LANES)',
        VECTOR: `loadInput(rowAt[j], ${vectors < x4 ? `min(k, ${vectors - 1}u)` : 'k'})`,
      }),
    },
  };
}
