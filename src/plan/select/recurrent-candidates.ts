// The registry of kernels for a recurrent layer. To add one: its name in variants.ts, its time in tuning-tables.ts
// and a function in REGISTRY below.
//
// Costs are in time steps of the adapter's best step kernel: that kernel costs T for T time steps.
import type { Kernel } from '../../../shaders/kernel.ts';
import { persistentKernel, persistentMemory } from '../../../shaders/recurrent/persistent.ts';
import type { PersistentTile } from '../../../shaders/recurrent/persistent.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { instancesOf, roundUp, stepPhases } from '../../../shaders/recurrent/spec.ts';
import { stepInvocations, stepKernel, stepMemory } from '../../../shaders/recurrent/step.ts';
import type { SingleStep, StepTile } from '../../../shaders/recurrent/step.ts';
import type { DeviceProfile } from './device-profile.ts';
import type { Candidate, Overrides } from './select-kernel.ts';
import {
  blockOf,
  excess,
  once,
  powerOfTwo,
  refusalOf,
  sharersOf,
  withoutExcluded,
} from './select-kernel.ts';
import { tuningOf } from './tuning-tables.ts';
import type { ProductTuning, Tuning } from './tuning-tables.ts';
import { RECURRENT_VARIANTS } from './variants.ts';
import type { RecurrentVariant } from './variants.ts';

/** A recurrent layer, or the layers of a wavefront, at the sizes of a call. */
export interface RecurrentShape {
  readonly spec: RecurrentSpec;
  /** Batch rows, B. */
  readonly rows: number;
  /** Time steps, T. */
  readonly steps: number;
  /** The input of the layer, where one dispatch may compute W·x + b and R·h of a single time step. */
  readonly single?: SingleStep | undefined;
}

/** A kernel for a recurrent layer. */
export type RecurrentCandidate = Candidate & {
  readonly name: RecurrentVariant;
  /** The kernels of a time step in order, or the one of all time steps. */
  readonly kernels: () => readonly Kernel[];
} & (
    | { readonly kernel: 'step'; readonly tile: StepTile; readonly single?: SingleStep | undefined }
    | { readonly kernel: 'persistent'; readonly tile: PersistentTile }
  );

/** What a candidate is made from. */
interface Layer extends RecurrentShape {
  readonly device: DeviceProfile;
  readonly tuning: Tuning;
}

/** A tile and what a time step costs beyond the `stepTime` of the variant. */
interface Proposal<Tile> {
  readonly tile: Tile;
  readonly excess: number;
}

/** Invocations of a workgroup up to which persistent kernels are made, whatever more a device allows. */
const MAX_PERSISTENT_INVOCATIONS = 256;

/** Maximum hidden units of an invocation of a persistent kernel, whose sums are registers. */
const MAX_PERSISTENT_UNITS = 4;

const unitsOf = ({ hidden, output }: RecurrentSpec): number => Math.max(hidden, output);

const directionsOf = ({ direction }: RecurrentSpec): number =>
  direction === 'bidirectional' ? 2 : 1;

const maxPersistentInvocations = ({ maxComputeInvocationsPerWorkgroup }: DeviceProfile): number =>
  Math.min(MAX_PERSISTENT_INVOCATIONS, maxComputeInvocationsPerWorkgroup);

/** What persistent kernels of a few batch rows have in common. */
function persistentSizes({ spec, rows, device, tuning: { persistent } }: Layer) {
  const units = unitsOf(spec);
  const lanes = Math.min(
    maxPersistentInvocations(device),
    Math.max(powerOfTwo(units), persistent.minInvocations),
  );
  // Two workgroups at least, where there are rows for them.
  const maxRows = Math.min(persistent.rowsPerInvocation, powerOfTwo(Math.ceil(rows / 2)));
  return { units, lanes, maxRows };
}

/** A tile whose rows are halved until their vectors fit workgroup memory. */
function clampRows(tile: PersistentTile, { spec, device }: Layer): PersistentTile {
  let { rows } = tile;
  while (
    rows > 1 &&
    persistentMemory(spec, { ...tile, rows }) > device.maxComputeWorkgroupStorageSize
  ) {
    rows /= 2;
  }
  return { ...tile, rows };
}

/** Weights in registers for the whole chunk; the product of a time step is unrolled. */
function persistentRegisters(layer: Layer): Proposal<PersistentTile> {
  const { spec, rows: batch, tuning } = layer;
  const { persistent } = tuning;
  const { units, lanes, maxRows } = persistentSizes(layer);
  const vec4s = Math.ceil(units / lanes) * Math.ceil(units / 4) * spec.gates.length;
  const rows = Math.min(maxRows, Math.max(1, Math.floor(persistent.unrolledDots / vec4s)));
  const workgroups = Math.ceil(batch / rows) * directionsOf(spec);
  return {
    tile: { lanes, rows, weightsInRegisters: true },
    excess:
      excess(units, persistent.maxUnits) +
      excess(vec4s, persistent.registerVec4s) +
      excess(rows * vec4s, persistent.maxUnrolledDots) +
      excess(workgroups, persistent.maxWorkgroups),
  };
}

/** Many batch rows a workgroup, over weights that every time step reads from their buffer. */
function persistentRowBlocks(layer: Layer): Proposal<PersistentTile> | undefined {
  const { spec, rows: batch, device, tuning } = layer;
  const { persistent, rowBlocks, minWorkgroups, broadcastRows } = tuning;
  if (!rowBlocks) return undefined;
  const units = unitsOf(spec);
  const workgroupsOf = (rows: number): number => Math.ceil(batch / rows) * directionsOf(spec);
  let rows = blockOf(batch, rowBlocks.rowsPerInvocation);
  while (rows > 1 && workgroupsOf(rows) < minWorkgroups) rows /= 2;
  const lanes = roundUp(
    Math.ceil(units / rowBlocks.unitsPerInvocation),
    Math.max(device.subgroupSize, 1),
  );
  const sharers = sharersOf(broadcastRows, device, lanes);
  return {
    tile: clampRows({ lanes, rows, sharers, weightsInRegisters: false }, layer),
    excess:
      excess(units, persistent.maxUnits) +
      (workgroupsOf(rows) < minWorkgroups ? excess(minWorkgroups, workgroupsOf(rows)) : 0),
  };
}

/** Few batch rows a workgroup, over weights that every time step reads from their buffer. */
function persistentStreamed(layer: Layer): Proposal<PersistentTile> {
  const { units, lanes, maxRows } = persistentSizes(layer);
  return {
    tile: clampRows({ lanes, rows: maxRows, weightsInRegisters: false }, layer),
    excess: excess(units, layer.tuning.persistent.maxUnits),
  };
}

/** Rows of a tile of a few batch rows. */
const fewRows = (rows: number, { rowsPerInvocation }: ProductTuning): number =>
  Math.min(rowsPerInvocation, powerOfTwo(rows));

/**
 * One subgroup per workgroup: up to 4 units × (subgroup size / 4) parts of K, reduced by shuffles, so no
 * barrier.
 */
function subgroupTile({ rows, device, tuning }: Layer): StepTile | undefined {
  const { subgroupSize } = device;
  if (!tuning.stepSplitK || subgroupSize <= 1) return undefined;
  const lanes = Math.min(4, subgroupSize / 2);
  const slices = subgroupSize / lanes;
  return { lanes, units: 1, slices, rows: fewRows(rows, tuning.stepSplitK), isSubgroup: true };
}

function stepSubgroup(layer: Layer): Proposal<StepTile> | undefined {
  const tile = subgroupTile(layer);
  return tile && { tile, excess: 0 };
}

/** A tile with split-K, halved until a workgroup has its invocations and its partial sums fit in memory. */
function clampSplitK(tile: StepTile, { spec, device }: Layer, single?: SingleStep): StepTile {
  const limits = {
    invocations: device.maxComputeInvocationsPerWorkgroup,
    bytes: device.maxComputeWorkgroupStorageSize,
  };
  const fits = (candidate: StepTile): boolean =>
    stepInvocations(candidate) <= limits.invocations &&
    stepBytes(spec, candidate, single) <= limits.bytes;
  let { slices } = tile;
  while (slices > 1 && !fits({ ...tile, slices })) slices /= 2;
  return { ...tile, slices };
}

/** Bytes of workgroup memory that the kernels of a step need at most. */
const stepBytes = (spec: RecurrentSpec, tile: StepTile, single?: SingleStep): number =>
  Math.max(...stepPhases(spec).map((phase) => stepMemory(spec, phase, tile, single)));

/** Units and rows of a step tile; blocks of rows are halved while fewer workgroups than cores are left. */
function stepTile({ spec, rows, device, tuning }: Layer, product: ProductTuning): StepTile {
  const { lanes, unitsPerInvocation, rowsPerInvocation } = product;
  const { broadcastRows, minWorkgroups } = tuning;
  const width = unitsOf(spec);
  const units = width < lanes * unitsPerInvocation ? 1 : unitsPerInvocation;
  const across = Math.ceil(width / (lanes * units)) * instancesOf(spec);
  const sharers = sharersOf(broadcastRows, device, lanes);
  let block = blockOf(rows, sharers > 1 ? broadcastRows! : rowsPerInvocation);
  while (block > 4 && across * Math.ceil(rows / block) < minWorkgroups) block /= 2;
  return { lanes, units, slices: 1, rows: block, sharers: block > 1 ? sharers : 1 };
}

/** Parts of K summed through workgroup memory. */
function stepSplitK(layer: Layer): Proposal<StepTile> | undefined {
  const { stepSplitK: product } = layer.tuning;
  if (!product) return undefined;
  const tile = stepTile(layer, product);
  // Blocks of rows give every invocation enough sums: fewer parts of K are left to add.
  const slices = layer.rows <= 4 ? product.splitK : Math.min(4, product.splitK);
  const clamped = clampSplitK({ ...tile, slices }, layer);
  return clamped.slices > 1 ? { tile: clamped, excess: 0 } : undefined;
}

/** The whole of K in each invocation. */
const stepPlain = (layer: Layer): Proposal<StepTile> => ({
  tile: stepTile(layer, layer.tuning.step),
  excess: 0,
});

/** W·x + b and R·h of one time step in a dispatch, from the states of the graph to the states of the graph. */
function singleStep(layer: Layer): Proposal<StepTile> | undefined {
  const { rows, steps, single, tuning } = layer;
  const { maxRows, lanes, unitsPerInvocation, splitK } = tuning.singleStep;
  if (steps !== 1 || !single) return undefined;
  const tile = { lanes, units: unitsPerInvocation, slices: splitK, rows: powerOfTwo(rows) };
  return {
    tile: subgroupTile(layer) ?? clampSplitK(tile, layer, single),
    excess: excess(rows, maxRows),
  };
}

type Entry =
  | { kernel: 'step'; propose: (layer: Layer) => Proposal<StepTile> | undefined }
  | { kernel: 'persistent'; propose: (layer: Layer) => Proposal<PersistentTile> | undefined };

/** Every variant; one that proposes nothing is not for this layer or this adapter. */
const REGISTRY: Readonly<Record<RecurrentVariant, Entry>> = {
  'persistent-registers': { kernel: 'persistent', propose: persistentRegisters },
  'persistent-row-blocks': { kernel: 'persistent', propose: persistentRowBlocks },
  'persistent-streamed': { kernel: 'persistent', propose: persistentStreamed },
  'single-step': { kernel: 'step', propose: singleStep },
  'step-subgroup': { kernel: 'step', propose: stepSubgroup },
  'step-split-k': { kernel: 'step', propose: stepSplitK },
  'step-plain': { kernel: 'step', propose: stepPlain },
};

function persistentCandidate(
  name: RecurrentVariant,
  { spec, steps, device, tuning }: Layer,
  proposal: Proposal<PersistentTile>,
  stepTime: number,
): RecurrentCandidate {
  const { tile } = proposal;
  const kernels = once(() => [persistentKernel(spec, tile)]);
  const unitsPerInvocation = Math.ceil(unitsOf(spec) / tile.lanes);
  const maxInvocations = maxPersistentInvocations(device);
  // Breaks even with the step kernel at `breakEvenSteps`. Never 0, or it would be taken for no time step.
  const setup = tuning.persistent.breakEvenSteps * Math.max(2 ** -10, 1 - stepTime);
  return {
    name,
    kernel: 'persistent',
    tile,
    kernels,
    cost: setup + steps * (stepTime + proposal.excess),
    refusal: once(() => {
      if (unitsPerInvocation > MAX_PERSISTENT_UNITS) {
        return `${unitsPerInvocation} units an invocation, at most ${MAX_PERSISTENT_UNITS} are possible`;
      }
      const needs = {
        invocations: tile.lanes,
        workgroupBytes: persistentMemory(spec, tile),
        kernels,
      };
      return refusalOf(needs, {
        ...device,
        maxComputeInvocationsPerWorkgroup: maxInvocations,
      });
    }),
  };
}

function stepCandidate(
  name: RecurrentVariant,
  { spec, steps, device, single }: Layer,
  proposal: Proposal<StepTile>,
  stepTime: number,
): RecurrentCandidate {
  const { tile } = proposal;
  const input = name === 'single-step' ? single : undefined;
  const kernels = once(() => stepPhases(spec).map((_, i) => stepKernel(spec, i, tile, input)));
  return {
    name,
    kernel: 'step',
    tile,
    single: input,
    kernels,
    cost: steps * (stepTime + proposal.excess),
    refusal: once(() =>
      refusalOf(
        {
          invocations: stepInvocations(tile),
          workgroupBytes: stepBytes(spec, tile, input),
          kernels,
        },
        device,
      ),
    ),
  };
}

/**
 * The candidates for a layer that an adapter offers, in the order of {@link RECURRENT_VARIANTS}. Where an
 * override names one or some that the device can run, only those.
 */
export function recurrentCandidates(
  shape: RecurrentShape,
  device: DeviceProfile,
  { tier, recurrentKernel, excluded }: Overrides = {},
): readonly RecurrentCandidate[] {
  const tuning = tuningOf(device, tier);
  const layer: Layer = { ...shape, device, tuning };
  const proposed = RECURRENT_VARIANTS.flatMap((name): RecurrentCandidate[] => {
    const stepTime = tuning.stepTime[name];
    const entry = REGISTRY[name];
    if (stepTime === undefined) return [];
    if (entry.kernel === 'step') {
      const proposal = entry.propose(layer);
      return proposal ? [stepCandidate(name, layer, proposal, stepTime)] : [];
    }
    const proposal = entry.propose(layer);
    return proposal ? [persistentCandidate(name, layer, proposal, stepTime)] : [];
  });
  const all = withoutExcluded(proposed, excluded);
  const named = all.filter(
    ({ kernel, name }) => kernel === recurrentKernel || name === recurrentKernel,
  );
  return named.some((candidate) => candidate.refusal() === undefined) ? named : all;
}

/** The key of a layer in a {@link TuningCache}: everything that its kernels are made from. */
export const recurrentKey = ({ spec, rows, steps, single }: RecurrentShape): string =>
  JSON.stringify([spec, rows, steps, single]);
