// SPIR-V → machine code of AMD GPUs by Mesa's RADV, which needs no GPU for it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SpirvShader } from './spirv.ts';

const SOURCE = fileURLToPath(new URL('radv.c', import.meta.url));
const DRIVERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
const MAX_TEXT = 2 ** 29;

/** What RADV made of some shaders. */
export interface Compilation {
  /** Version of Mesa. */
  readonly driver: string;
  /** Of each shader, in order. */
  readonly codes: readonly MachineCode[];
}

/** What RADV made of a shader. */
export interface MachineCode {
  /** Invocations of a subgroup. */
  readonly subgroupSize: number;
  /** By the names of Mesa: `VGPRs`, `Scratch size`, … */
  readonly statistics: ReadonlyMap<string, number>;
  readonly assembly: string;
}

const driverFile = (pattern: RegExp): string | undefined =>
  DRIVERS.filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => ({ name, path: join(folder, name) })))
    .find(({ name }) => pattern.test(name))?.path;

const radeonDriver = (): string | undefined => driverFile(/^radeon_icd.*\.json$/);

const canRun = (command: string): boolean =>
  spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/** What must be installed and is not, each with the Debian package that has it. */
export function missingTools(): readonly string[] {
  const vulkan = spawnSync('cc', ['-E', '-x', 'c', '-'], {
    input: '#include <vulkan/vulkan.h>\n',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const needs: readonly (readonly [boolean, string])[] = [
    [radeonDriver() !== undefined, 'RADV, radeon_icd*.json (mesa-vulkan-drivers)'],
    [
      driverFile(/^lvp_icd.*\.json$/) !== undefined,
      'lavapipe, lvp_icd*.json (mesa-vulkan-drivers)',
    ],
    [canRun('spirv-as'), 'spirv-as (spirv-tools)'],
    [canRun('cc'), 'a C compiler, cc (gcc)'],
    [vulkan.status === 0, 'vulkan/vulkan.h and libvulkan.so (libvulkan-dev)'],
  ];
  return needs.filter(([there]) => !there).map(([, what]) => what);
}

/** Compiles the program that asks the driver. @returns its path in `folder` */
export function buildCompiler(folder: string): string {
  const program = join(folder, 'radv');
  execFileSync('cc', ['-O1', '-o', program, SOURCE, '-lvulkan']);
  return program;
}

/**
 * Reads what `radv.c` prints.
 *
 * @throws Error for a line that it does not print
 */
export function parseCompilation(text: string): Compilation {
  const [begin = '', ...parts] = text.split(/^#shader /m);
  const codes = parts.map((part) => {
    const [head = '', assembly = ''] = part.split(/^#assembly\n/m);
    const [first = '', ...lines] = head.trimEnd().split('\n');
    const subgroupSize = Number(first.split(' ').at(-1));
    const statistics = lines.map((line): [string, number] => {
      const found = /^#statistic (\d+) (.+)$/.exec(line);
      if (!found) throw new Error(`unexpected line: ${line}`);
      return [found[2]!, Number(found[1])];
    });
    return { subgroupSize, statistics: new Map(statistics), assembly };
  });
  return { driver: begin.replace(/^#driver /, '').trim(), codes };
}

/**
 * Compiles shaders for a chip.
 *
 * @param program of {@link buildCompiler}
 * @param subgroupSize which they require; 0 leaves it to the driver
 * @throws Error where the driver fails
 */
export function compileFor(
  family: string,
  program: string,
  shaders: readonly SpirvShader[],
  subgroupSize: number,
): Compilation {
  const lines = shaders.map(({ file, descriptors }) => [file, subgroupSize, ...descriptors]);
  const text = execFileSync(program, {
    input: lines.map((words) => `${words.join(' ')}\n`).join(''),
    env: { ...process.env, VK_ICD_FILENAMES: radeonDriver(), RADV_FORCE_FAMILY: family },
    encoding: 'utf8',
    maxBuffer: MAX_TEXT,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const found = parseCompilation(text);
  if (found.codes.length !== shaders.length) {
    throw new Error(
      `RADV compiled ${found.codes.length} of ${shaders.length} shaders for ${family}`,
    );
  }
  return found;
}
