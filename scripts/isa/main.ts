// `npm run isa`: what a compiler for real GPUs makes of the kernels that the planner chooses for GPUs, without a GPU.
//
//   npm run isa -- --match lstm-h128        only layers whose name contains it
//   npm run isa -- --chip RDNA3             only this chip
//   npm run isa -- --weights f16            weights as f32, f16 or int8
//   npm run isa -- --kernel step-plain      this kernel or candidate instead of the chosen one
//   npm run isa -- --json                   keeps the table in bench/results/
//
// Status 1 where a chosen kernel spills registers, needs scratch memory or fits no SIMD. Status 0, with a line that
// says what is missing, where a tool is not installed: that is no verdict about the kernels.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { commitOf, dateOf, resultFile, writeJson } from '../../bench/record.ts';
import type { RequestedOptions } from '../../src/plan/options.ts';
import { CHIPS, type AdapterProfile, type Chip } from './chips.ts';
import { allLayers, chosenKernels, nameOf, type ChosenKernel, type LayerShape } from './chosen.ts';
import { buildCompiler, compileFor, missingTools } from './radv.ts';
import { defectOf, predictionLines, reportLines, reportOf, type KernelReport } from './report.ts';
import { toSpirv, type SpirvShader } from './spirv.ts';

/** A kernel that is chosen for a layer. */
interface Choice {
  readonly layer: LayerShape;
  readonly kernel: ChosenKernel;
}

/** A table: a chip as an adapter that the planner is told of. */
interface Section {
  readonly chip: string;
  readonly adapter: string;
  /** Version of Mesa. */
  readonly driver: string;
  readonly kernels: readonly KernelReport[];
}

function options() {
  const { values } = parseArgs({
    options: {
      match: { type: 'string', default: '' },
      chip: { type: 'string' },
      weights: { type: 'string' },
      kernel: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const chips = CHIPS.filter(({ name }) => values.chip === undefined || name === values.chip);
  const layers = allLayers().filter((layer) => nameOf(layer).includes(values.match));
  if (chips.length === 0) throw new Error(`--chip: ${CHIPS.map(({ name }) => name).join(', ')}`);
  if (layers.length === 0) throw new Error('--match: no layer; for example lstm-h128-b16');
  // The planner checks what these two may be.
  const planned = {
    ...(values.weights !== undefined && { weights: values.weights }),
    ...(values.kernel !== undefined && { recurrentKernel: values.kernel }),
  } as RequestedOptions;
  return { chips, layers, planned, json: values.json };
}

const { chips, layers, planned, json } = options();

const choicesOf = ({ device }: AdapterProfile): readonly Choice[] =>
  layers.flatMap((layer) =>
    chosenKernels(layer, device, planned).map((kernel) => ({ layer, kernel })),
  );

/** Compiles every kernel once for a chip, however many layers share it. */
function sectionOf(
  chip: Chip,
  profile: AdapterProfile,
  choices: readonly Choice[],
  program: string,
  shaders: ReadonlyMap<string, SpirvShader>,
): Section {
  const target = { chip, profile, weights: planned.weights };
  const sources = [...new Set(choices.map(({ kernel }) => kernel.wgsl))];
  const { driver, codes } = compileFor(
    chip.family,
    program,
    sources.map((source) => shaders.get(source)!),
    profile.device.subgroupSize,
  );
  const codeOf = new Map(sources.map((source, i) => [source, codes[i]!]));
  const kernels = choices.map(({ layer, kernel }) =>
    reportOf(target, layer, kernel, shaders.get(kernel.wgsl)!, codeOf.get(kernel.wgsl)!),
  );
  return { chip: chip.name, adapter: profile.name, driver, kernels };
}

function compileAll(folder: string): readonly Section[] {
  const program = buildCompiler(folder);
  const profiles = new Set(chips.flatMap((chip) => chip.profiles));
  const choices = new Map([...profiles].map((profile) => [profile, choicesOf(profile)]));
  const sources = [...new Set([...choices.values()].flat().map(({ kernel }) => kernel.wgsl))];
  const compiled = toSpirv(sources, folder);
  const shaders = new Map(sources.map((source, i) => [source, compiled[i]!]));
  return chips.flatMap((chip) =>
    chip.profiles.map((profile) =>
      sectionOf(chip, profile, choices.get(profile)!, program, shaders),
    ),
  );
}

/** Prints the tables, and predictions by the machine code for the first chip. @returns how many kernels are below the bar */
function print(sections: readonly Section[]): number {
  for (const { chip, adapter, driver, kernels } of sections) {
    console.log(`\n${chip} (${driver}), planned for ${adapter}\n`);
    for (const line of reportLines(kernels)) console.log(line);
  }
  const [first] = sections;
  const ofFirst = sections.filter(({ chip }) => chip === first?.chip);
  console.log(`\npredicted µs a time step, to a factor of two: no GPU has been measured\n`);
  for (const line of predictionLines(ofFirst.flatMap(({ kernels }) => kernels))) console.log(line);
  const defects = sections.flatMap(({ chip, adapter, kernels }) =>
    kernels.flatMap((report) => {
      const why = defectOf(report);
      return why ? [`${chip}, ${adapter}: ${report.layer} ${report.kernel}: ${why}`] : [];
    }),
  );
  console.log('');
  for (const defect of defects) console.error(defect);
  if (defects.length === 0) console.log('no chosen kernel spills or needs scratch memory');
  return defects.length;
}

const missing = missingTools();
if (missing.length > 0) {
  console.log(`isa: skipped, nothing was compiled. Not installed:\n  ${missing.join('\n  ')}`);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-rnn-isa-'));
  try {
    const sections = compileAll(folder);
    if (print(sections) > 0) process.exitCode = 1;
    if (json) {
      const file = resultFile([
        'isa',
        'radv',
        planned.weights ?? '',
        planned.recurrentKernel ?? '',
      ]);
      writeJson(file, { date: dateOf(), commit: commitOf(), options: planned, sections });
      console.log(file);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
