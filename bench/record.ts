// What every file of results says besides its figures: when, where and what was measured.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

const RESULTS = 'bench/results';
const require = createRequire(import.meta.url);

interface Manifest {
  readonly name: string;
  readonly version: string;
  /** The commit, where npm or the packed benchmark wrote it. */
  readonly gitHead?: string;
}

/** The package.json of an installed package; some do not export it, but all have it above their entry. */
function manifestOf(name: string): Manifest | undefined {
  try {
    let folder = dirname(require.resolve(name === 'webgpu-rnn' ? `${name}/package.json` : name));
    for (; folder !== dirname(folder); folder = dirname(folder)) {
      try {
        const file = readFileSync(join(folder, 'package.json'), 'utf8');
        const manifest = JSON.parse(file) as Manifest;
        if (manifest.name === name) return manifest;
      } catch {
        // the next folder up
      }
    }
  } catch {
    // not installed
  }
  return undefined;
}

/** Versions of packages that are installed, this one and its commit among them. */
export function versionsOf(names: readonly string[]): Record<string, string> {
  const manifest = manifestOf('webgpu-rnn');
  const found = ['webgpu-rnn', ...names].flatMap((name) => {
    const version = manifestOf(name)?.version;
    return version === undefined ? [] : [[name, version]];
  });
  const commit = manifest?.gitHead ?? commitOf();
  return { ...Object.fromEntries(found), ...(commit !== undefined && { commit }) };
}

/** The commit that is checked out in a folder, with a `+` where files of src or shaders differ from it. */
export function commitOf(folder = '.'): string | undefined {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', 'src', 'shaders') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    return undefined;
  }
}

/** The machine around the adapter. */
export const machineOf = () => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 1e9),
  system: `${platform()} ${arch()} ${release()}`,
  node: process.version,
});

/** Processes that have wanted a core, the mean of the last minute: with more than cores, times mean little. */
export const loadOf = (): number => loadavg()[0]!;

/** Today. */
export const dateOf = (): string => new Date().toISOString().slice(0, 10);

/** `bench/results/growth-google-swiftshader-2026-11-20.json`; empty parts are left out. */
export function resultFile(parts: readonly string[], ending = 'json'): string {
  const name = [...parts, dateOf()].filter(Boolean).join('-');
  return join(RESULTS, `${name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}.${ending}`);
}

/** Writes results as JSON; numbers keep six digits, which is more than any clock has. */
export function writeJson(file: string, results: object): void {
  mkdirSync(dirname(file), { recursive: true });
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  writeFileSync(file, `${JSON.stringify(results, short, 1)}\n`);
}
