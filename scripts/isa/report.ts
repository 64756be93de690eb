// The table of what AMD's compiler makes of the chosen kernels, and the bar that they must pass.
import { tableOf, three, type Column } from '../../bench/table.ts';
import type { StepLoads } from './assembly.ts';
import { stepLoads } from './assembly.ts';
import type { RequestedOptions } from '../../src/plan/options.ts';
import type { AdapterProfile, Chip } from './chips.ts';
import { nameOf } from './chosen.ts';
import type { ChosenKernel, LayerShape } from './chosen.ts';
import { GPUS, predictionsOf, stepWork } from './model.ts';
import type { MachineCode } from './radv.ts';
import type { SpirvShader } from './spirv.ts';

/** A kernel of a layer on a chip. */
export interface KernelReport extends StepLoads {
  /** `lstm-h128-b16`. */
  readonly layer: string;
  /** `recurrent-step-0`. */
  readonly kernel: string;
  /** `step-split-k`. */
  readonly candidate: string;
  readonly workgroups: number;
  /** Of a workgroup. */
  readonly invocations: number;
  readonly subgroupSize: number;
  /** Registers of an invocation. */
  readonly vgprs: number;
  /** Registers of a subgroup. */
  readonly sgprs: number;
  /** Registers of both kinds that are kept in memory. */
  readonly spills: number;
  /** Bytes of memory of an invocation: spilled registers, and arrays with an index that is not known. */
  readonly scratchBytes: number;
  /** Bytes of a workgroup. */
  readonly workgroupMemoryBytes: number;
  /** Subgroups that a SIMD holds at a time (occupancy). */
  readonly subgroupsPerSimd: number;
  readonly instructions: number;
  /** Predicted µs of a time step by the name of a GPU, for recurrent kernels. */
  readonly predicted: Readonly<Record<string, number>>;
}

function statistic({ statistics }: MachineCode, name: string): number {
  const value = statistics.get(name);
  if (value !== undefined) return value;
  throw new Error(`RADV gave no '${name}', only ${[...statistics.keys()].join(', ')}`);
}

/**
 * RADV counts a subgroup of 64 twice on chips that have subgroups of 32:
 * https://gitlab.freedesktop.org/mesa/mesa/-/blob/mesa-25.0.7/src/amd/vulkan/radv_shader.c, `radv_get_max_waves`.
 */
const occupancyOf = ({ minSubgroupSize }: Chip, code: MachineCode): number =>
  (statistic(code, 'Subgroups per SIMD') * minSubgroupSize) / code.subgroupSize;

/** What kernels are planned and compiled for. */
export interface Target {
  readonly chip: Chip;
  readonly profile: AdapterProfile;
  /** `'f32'` where it is left out. */
  readonly weights?: RequestedOptions['weights'];
}

/** @throws Error for machine code without the statistics of RADV */
export function reportOf(
  { chip, profile, weights }: Target,
  layer: LayerShape,
  kernel: ChosenKernel,
  { invocations }: SpirvShader,
  code: MachineCode,
): KernelReport {
  const { name, candidate, workgroups } = kernel;
  const counted = stepLoads(code.assembly, name === 'recurrent-persistent');
  const work = stepWork(layer, kernel, { invocations, ...counted }, weights);
  return {
    layer: nameOf(layer),
    kernel: name,
    candidate,
    workgroups: workgroups.reduce((all, count) => all * count, 1),
    invocations,
    subgroupSize: code.subgroupSize,
    vgprs: statistic(code, 'VGPRs'),
    sgprs: statistic(code, 'SGPRs'),
    spills: statistic(code, 'Spilled VGPRs') + statistic(code, 'Spilled SGPRs'),
    scratchBytes: statistic(code, 'Scratch size'),
    workgroupMemoryBytes: statistic(code, 'LDS size'),
    subgroupsPerSimd: occupancyOf(chip, code),
    instructions: statistic(code, 'Instructions'),
    ...counted,
    predicted: work ? predictionsOf(work, profile.device.subgroupSize) : {},
  };
}

/** Why a chosen kernel is below the bar; undefined where it is not. */
export function defectOf({
  spills,
  scratchBytes,
  subgroupsPerSimd,
}: KernelReport): string | undefined {
  if (spills > 0) return `${spills} registers spilled`;
  if (scratchBytes > 0) return `${scratchBytes} bytes of scratch memory an invocation`;
  if (subgroupsPerSimd === 0) return 'no subgroup fits a SIMD';
  return undefined;
}

const COLUMNS = [
  ['layer', -16],
  ['kernel', -40],
  ['groups', 7],
  ['size', 5],
  ['wave', 4],
  ['VGPR', 4],
  ['SGPR', 4],
  ['spill', 5],
  ['scratch', 7],
  ['LDS', 6],
  ['occup', 5],
  ['instr', 6],
  ['loads', 6],
  ['LDS loads', 9],
] as const;

/** The kernel with its candidate, `persistent (persistent-streamed)`. */
const kernelText = ({ kernel, candidate }: KernelReport): string => {
  const short = kernel.replace(/^recurrent-/, '');
  return short === 'project' ? short : `${short} (${candidate})`;
};

/** The lines of a table. */
export function reportLines(reports: readonly KernelReport[]): readonly string[] {
  const table = tableOf(COLUMNS);
  const lines = reports.map((each) => {
    const mark = each.atLeast ? '≥' : '';
    return table.line(
      each.layer,
      kernelText(each),
      ...[
        each.workgroups,
        each.invocations,
        each.subgroupSize,
        each.vgprs,
        each.sgprs,
        each.spills,
        each.scratchBytes,
        each.workgroupMemoryBytes,
        each.subgroupsPerSimd,
        each.instructions,
      ].map(String),
      `${mark}${each.loads}`,
      `${mark}${each.sharedLoads}`,
    );
  });
  return [table.head, ...lines];
}

/**
 * The lines of a table of predicted µs a time step. A GPU is predicted by the kernels that are planned for its
 * subgroups: each layer is in several of the reports.
 */
export function predictionLines(reports: readonly KernelReport[]): readonly string[] {
  const found = new Map<string, Record<string, number>>();
  for (const { layer, predicted } of reports) {
    const sums = found.get(layer) ?? {};
    for (const [name, time] of Object.entries(predicted)) sums[name] = (sums[name] ?? 0) + time;
    found.set(layer, sums);
  }
  const names = GPUS.map(({ name }) => name);
  const table = tableOf([['layer', -16], ...names.map((name): Column => [name, 15])]);
  const lines = [...found].map(([layer, sums]) =>
    table.line(layer, ...names.map((name) => three(sums[name]))),
  );
  return [table.head, ...lines];
}
