// The table of what AMD's compiler makes of the chosen kernels, and the bar that they must pass.
import { tableOf } from '../../bench/table.ts';
import type { StepLoads } from './assembly.ts';
import { stepLoads } from './assembly.ts';
import type { Chip } from './chips.ts';
import type { ChosenKernel } from './chosen.ts';
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

/** @throws Error for machine code without the statistics of RADV */
export function reportOf(
  chip: Chip,
  layer: string,
  kernel: ChosenKernel,
  { invocations }: SpirvShader,
  code: MachineCode,
): KernelReport {
  const { name, candidate, workgroups } = kernel;
  return {
    layer,
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
    ...stepLoads(code.assembly, name.startsWith('recurrent-persistent')),
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
