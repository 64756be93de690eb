// The kernel of persistent.wgsl: its phases, its buffers and its tile.
import type { CellPhase } from '../../src/cells/index.ts';
import type { Kernel } from '../kernel.ts';
import { joinParts, kernelOf, type Part } from '../part.ts';
import { expand, rename } from '../wgsl.ts';
import {
  cellPart,
  gatesFunction,
  parametersPart,
  projectedInputPart,
  statePart,
} from './cell-functions.ts';
import text from './persistent.wgsl?raw';
import phaseText from './persistent-phase.wgsl?raw';
import reductionText from './persistent-reduction.wgsl?raw';
import weightsText from './persistent-weights.wgsl?raw';
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
  stepPhases,
} from './spec.ts';
import type { ProductSizes, RecurrentSpec, StepPhase } from './spec.ts';
import { weightPart, weightType } from './weights.ts';
import type { WeightStorage } from './weights.ts';
import workgroupSum from './workgroup-sum.wgsl?raw';

/** How a workgroup is spread over a block of batch rows: LANES and ROWS of persistent.wgsl. */
export interface PersistentTile extends RowBlock {
  /** Invocations; each computes the hidden units lane, lane + lanes, … */
  readonly lanes: number;
  /**
   * Whether each invocation loads the weights of its units into variables before the loop over time, with
   * the product unrolled: registers on a GPU while they are few, memory that is cheap to index on a CPU.
   * Else each time step reads them from their buffer. Excludes `sharers` above 1.
   */
  readonly weightsInRegisters: boolean;
}

/**
 * Maximum time steps of one dispatch: a constant, so that Tint and naga see a finite loop over time and add no
 * counter to it; `MAX_TRIP_COUNT` in kernel.ts has their sources.
 */
export const PERSISTENT_STEPS = 256;

/** Bytes of workgroup memory that {@link persistentKernel} needs. */
export function persistentMemory(spec: RecurrentSpec, tile: PersistentTile): number {
  const vectors = paddedOutput(spec) + (sharesVector(spec) ? paddedHidden(spec) : 0);
  const reduces = spec.phases.some(({ reductions }) => reductions.length > 0);
  return (tile.rows * vectors + (reduces ? tile.lanes : 0)) * 4;
}

/** Hidden units of an invocation. */
export const persistentUnits = ({ hidden, output }: RecurrentSpec, lanes: number): number =>
  Math.ceil(Math.max(hidden, output) / lanes);

/** The passed value that the phase after `index` multiplies; undefined where it multiplies h or nothing. */
function nextOperand(spec: RecurrentSpec, index: number): string | undefined {
  const next = spec.phases[index + 1];
  return next && next.product.length > 0 && next.of !== spec.states[0] ? next.of : undefined;
}

const sharesVector = (spec: RecurrentSpec): boolean =>
  spec.projected || spec.phases.some((_, index) => nextOperand(spec, index) !== undefined);

/** Maximum (unit, row) cells of an invocation that are unrolled into registers; more use arrays and a loop. */
const MAX_UNROLLED_CELLS = 4;

/**
 * The recurrence of a layer, or of the layers of a wavefront, over a chunk of at most
 * {@link PERSISTENT_STEPS} time steps; see persistent.wgsl for its buffers. Grid: 1, blocks of batch
 * rows, instances.
 */
export function persistentKernel(spec: RecurrentSpec, tile: PersistentTile): Kernel {
  const { lanes, rows } = tile;
  const phases = stepPhases(spec);
  const units = persistentUnits(spec, lanes);
  const wavefront = spec.layers > 1;
  const masked = isMasked(spec);
  const passes = spec.phases.some((phase) => phase.passes.length > 0);
  const inputs = [...new Set(spec.phases.flatMap((phase) => phase.inputs))];
  const reduces = spec.phases.some(({ reductions }) => reductions.length > 0);
  const common = joinParts([
    {
      flags: {
        FEW_CELLS: units * rows <= MAX_UNROLLED_CELLS,
        WAVEFRONT: wavefront,
        PROJECTED: spec.projected,
        SHARES_VECTOR: sharesVector(spec),
        MULTIPLIES_H: phases.some(
          (phase) =>
            phase !== 'projection' && phase.product.length > 0 && phase.of === spec.states[0],
        ),
        PASSES: passes,
        WEIGHTS_IN_REGISTERS: tile.weightsInRegisters,
      },
      constants: {
        LANES: lanes,
        UNITS: units,
        CELLS: units * rows,
        HIDDEN: spec.hidden,
        OUTPUT: spec.output,
        ...(sharesVector(spec) && { HIDDEN_STRIDE: paddedHidden(spec) }),
        WIDEST: Math.max(spec.hidden, spec.output),
        MAX_STEPS: PERSISTENT_STEPS,
      },
    },
    rowBlockPart(tile),
    cellPart(spec, spec.phases),
    projectedInputPart(spec, inputs),
    parametersPart(spec, true),
    reduces
      ? {
          wgsl: workgroupSum,
          constants: { INVOCATIONS: lanes, ROUNDS: Math.ceil(Math.log2(lanes)) },
        }
      : {},
    statePart(spec, {
      layout: 'packed',
      load: true,
      store: true,
      loadH: false,
      storeH: spec.projected,
      inPlace: true,
    }),
    outputPart(spec, true, masked),
  ]);
  const products = phases.map((phase, index) =>
    phasePart(spec, phaseOf(spec, phase, index, tile), tile, common),
  );
  const frame: Part = {
    names: {
      LOAD_WEIGHTS: products.map(({ load }) => load).join('\n'),
      PHASES: products.map(({ run }) => run).join('\n'),
    },
    uniforms: {
      rows: 'u32',
      steps: 'u32',
      start: 'u32',
      chunkSteps: 'u32',
      fromZero: 'u32',
      ...(wavefront && { layer: 'u32' }),
    },
  };
  const parts = products.map(({ part }) => part);
  return kernelOf('recurrent-persistent', text, [common, ...parts, frame]);
}

/** What is known of one phase of a layer when its part is made. */
interface Phase {
  readonly index: number;
  /** Undefined for the projection. */
  readonly cell: CellPhase | undefined;
  readonly storage: WeightStorage;
  readonly sizes: ProductSizes;
  /** Whether the phase multiplies; a phase without a product runs the cell only. */
  readonly multiplies: boolean;
  /** Whether its weights are in registers during the loop over time. */
  readonly inRegisters: boolean;
  /** Tiles of LANES units. */
  readonly tiles: number;
}

function phaseOf(
  spec: RecurrentSpec,
  phase: StepPhase,
  index: number,
  { lanes, weightsInRegisters }: PersistentTile,
): Phase {
  const sizes = productSizes(spec, phase);
  const isCell = phase !== 'projection';
  return {
    index,
    cell: isCell ? phase : undefined,
    storage: isCell ? spec.storage.recurrent : spec.storage.projection,
    sizes,
    multiplies: sizes.gates > 0,
    inRegisters: sizes.gates > 0 && weightsInRegisters,
    tiles: Math.ceil(sizes.units / lanes),
  };
}

/** Sizes of the phase, printed as literals: every phase has its own. */
function phaseSizes({ sizes, inRegisters, tiles }: Phase): Readonly<Record<string, string>> {
  const { units, k4, gates } = sizes;
  const numbers = {
    GATES: gates,
    TILES: tiles,
    K4: k4,
    REGISTER_VECTORS: k4 * gates,
    UNITS_PER_PASS: inRegisters ? 1 : tiles,
    PASSES_OVER_K: inRegisters ? tiles : 1,
    SUMS: gates * (inRegisters ? 1 : tiles),
    PHASE_UNITS: units,
  };
  return Object.fromEntries(Object.entries(numbers).map(([name, n]) => [name, `${n}u`]));
}

function phaseFlags(
  spec: RecurrentSpec,
  { index, cell, storage, multiplies, inRegisters }: Phase,
  { sharers = 1 }: PersistentTile,
  common: Readonly<Record<string, boolean>>,
): Readonly<Record<string, boolean>> {
  const before = index > 0 ? spec.phases[index - 1] : undefined;
  const isFinal = cell?.passes.length === 0;
  const isLast = index === stepPhases(spec).length - 1;
  return {
    ...common,
    CELL: cell !== undefined,
    PRODUCT: multiplies,
    WEIGHTS_IN_REGISTERS: inRegisters,
    SCALED: multiplies && storage === 'int8',
    READS_X: (cell?.inputs.length ?? 0) > 0,
    READS_PASSED: cell !== undefined && (before?.passes.length ?? 0) > 0,
    READS_LIVE: isMasked(spec) && (isLast || isFinal),
    REDUCES: (cell?.reductions.length ?? 0) > 0,
    PASSES: (cell?.passes.length ?? 0) > 0,
    PROJECTED: isFinal && spec.projected,
    SHARES_VECTOR: nextOperand(spec, index) !== undefined,
    OUTPUTS: isLast && common['OUTPUTS']!,
    // Where invocations share loads, none may be missing; those without a unit have weights of zero.
    ALL_ACTIVE: sharers > 1 || !multiplies,
  };
}

function phaseNames(
  spec: RecurrentSpec,
  phase: Phase,
  { sharers = 1 }: PersistentTile,
): Readonly<Record<string, string>> {
  const { index, cell, storage, inRegisters } = phase;
  const names = {
    ...phaseSizes(phase),
    REGISTERS: `weights${index}`,
    SCALES: `scales${index}`,
    Weight4: weightType(storage, spec.arithmetic),
    load_r: `load_r${index}`,
    scale_r: `scale_r${index}`,
    CELL_FUNCTION: cell?.name ?? '',
    TO_GATES: `toGates${index}`,
    NEXT_OPERAND: nextOperand(spec, index) ?? '',
    OUTPUT_STATE: spec.states[0]!,
  };
  const load = cell?.of === spec.states[0] ? 'hVector' : 'passedVector';
  const multiply = rename(product, {
    WEIGHT: inRegisters
      ? 'REGISTERS[pass][k * GATES + s]'
      : 'load_r((((instance * TILES + s / GATES) * K4 + k) * GATES + s % GATES) * LANES + lane)',
    VECTOR: `${load}(k, ${sharers > 1 ? 'min(j * SHARERS + subgroupLane, ROWS - 1u)' : 'j'})`,
  });
  return { ...names, MULTIPLY: rename(multiply, names) };
}

/** The weights and functions of a phase, the statements that load its weights, and those that run it. */
function phasePart(
  spec: RecurrentSpec,
  phase: Phase,
  tile: PersistentTile,
  { flags: commonFlags = {}, constants = {} }: Part,
): { readonly part: Part; readonly load: string; readonly run: string } {
  const { index, cell, storage, multiplies, tiles } = phase;
  const { k4, gates } = phase.sizes;
  const shape = { groups: instancesOf(spec) * tiles, k4, span: gates * tile.lanes };
  const weights = multiplies ? weightPart(`r${index}`, storage, shape, spec.arithmetic) : {};
  const names = phaseNames(spec, phase, tile);
  const expansion = { flags: phaseFlags(spec, phase, tile, commonFlags), names, constants };
  const reductions = (cell?.reductions ?? []).map(({ name }) =>
    expand(reductionText, { ...expansion, names: { ...names, TERM: name } }),
  );
  const gatesOf = multiplies && cell ? gatesFunction(spec, `toGates${index}`, cell.product) : '';
  return {
    part: { ...weights, wgsl: `${weights.wgsl ?? ''}\n${gatesOf}` },
    load: multiplies ? expand(weightsText, expansion) : '',
    run: expand(phaseText, {
      ...expansion,
      names: { REDUCTIONS: reductions.join('\n'), ...names },
    }),
  };
}
