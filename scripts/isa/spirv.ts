// WGSL → SPIR-V by Dawn, as browsers on Linux and Android have it, with their bounds checks.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DUMP = fileURLToPath(new URL('dump-spirv.mjs', import.meta.url));
const WITH_GPU = fileURLToPath(new URL('../with-gpu.mjs', import.meta.url));
const MAX_TEXT = 2 ** 29;

/** A buffer of a shader, as `radv.c` reads it: `0.1.s` is the storage buffer at group 0, binding 1. */
export type Descriptor = `${number}.${number}.${'u' | 's'}`;

/** A compiled shader. */
export interface SpirvShader {
  /** Path of the binary. */
  readonly file: string;
  readonly descriptors: readonly Descriptor[];
  /** Invocations of a workgroup. */
  readonly invocations: number;
}

/**
 * Takes the SPIR-V of each kernel out of what Dawn printed.
 *
 * @returns assembly text by the path of the WGSL
 * @throws Error for a kernel without SPIR-V
 */
export function splitDump(text: string): ReadonlyMap<string, string> {
  const parts = text.split('\n=====KERNEL ').slice(1);
  return new Map(
    parts.map((part) => {
      const file = part.slice(0, part.indexOf('\n'));
      const found = /\/\* Dumped SPIRV disassembly \*\/\n((?:(?!info:|Warning:).*\n?)*)/.exec(part);
      if (!found) throw new Error(`${file}: Dawn printed no SPIR-V`);
      return [file, found[1]!];
    }),
  );
}

/**
 * Leaves out what assemblers of 2023 do not know: the promise that invocations reconverge, which changes no
 * instruction of a kernel. https://github.khronos.org/SPIRV-Registry/extensions/KHR/SPV_KHR_maximal_reconvergence.html
 */
export const withoutReconvergence = (assembly: string): string =>
  assembly
    .split('\n')
    .filter((line) => !/MaximallyReconverges|maximal_reconvergence/.test(line))
    .join('\n');

/** The buffers that a shader binds. */
export function descriptorsOf(assembly: string): readonly Descriptor[] {
  const decorated = (what: string): ReadonlyMap<string, number> => {
    const found = assembly.matchAll(new RegExp(`OpDecorate (%\\w+) ${what} (\\d+)`, 'g'));
    return new Map([...found].map(([, id, value]) => [id!, Number(value)]));
  };
  const [sets, bindings] = [decorated('DescriptorSet'), decorated('Binding')];
  const variables = assembly.matchAll(/(%\w+) = OpVariable %\w+ (Uniform|StorageBuffer)\b/g);
  return [...variables].map(
    ([, id, kind]): Descriptor =>
      `${sets.get(id!)!}.${bindings.get(id!)!}.${kind === 'Uniform' ? 'u' : 's'}`,
  );
}

/** Invocations of a workgroup. @throws Error where the shader does not say */
export function invocationsOf(assembly: string): number {
  const found = /LocalSize (\d+) (\d+) (\d+)/.exec(assembly);
  if (!found) throw new Error('the SPIR-V has no LocalSize');
  return found.slice(1).reduce((all, size) => all * Number(size), 1);
}

/**
 * Compiles kernels to SPIR-V binaries.
 *
 * @param folder where to put files; it must exist
 * @returns a shader for each source, in order
 * @throws Error where Dawn or the assembler refuse one
 */
export function toSpirv(sources: readonly string[], folder: string): readonly SpirvShader[] {
  const files = sources.map((source, i) => {
    const file = join(folder, `kernel-${i}.wgsl`);
    writeFileSync(file, source);
    return file;
  });
  const text = execFileSync(process.execPath, [WITH_GPU, process.execPath, DUMP, ...files], {
    // The one driver that comes with RADV: it allows 1024 invocations and has shader-f16.
    env: { ...process.env, WEBGPU_RNN_ADAPTER: 'lavapipe' },
    encoding: 'utf8',
    maxBuffer: MAX_TEXT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const dumped = splitDump(text);
  return files.map((wgsl): SpirvShader => {
    const assembly = withoutReconvergence(dumped.get(wgsl) ?? '');
    const file = wgsl.replace(/wgsl$/, 'spv');
    execFileSync('spirv-as', ['--target-env', 'spv1.4', '-', '-o', file], { input: assembly });
    return { file, descriptors: descriptorsOf(assembly), invocations: invocationsOf(assembly) };
  });
}
