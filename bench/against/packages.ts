// Brings two copies of this package, an old one and a new one, into a temporary folder.
//
// Both are built bundles. The other benchmarks import src/ through Vite's module runner, which rewrites every
// import into a property access on a module object: that costs time in each call, and the old package has no
// src/ to treat alike. So the working tree is built too, each time, with the configuration of `npm run build`.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { PackageApi } from '../engines/engine.ts';
import { commitOf } from '../record.ts';

/** The two packages. Old times are divided by new ones. */
export const LABELS = ['old', 'new'] as const;
export type Label = (typeof LABELS)[number];

/** A copy of this package, unpacked. */
export interface BenchPackage {
  readonly label: Label;
  /** Its file or folder by name, or the working tree. */
  readonly source: string;
  readonly version: string;
  /** The commit, where the source knows it. */
  readonly commit?: string;
  /** Of the JavaScript in dist/, to distinguish builds; 12 hexadecimal digits. */
  readonly sha256: string;
  /** The folder with index.js and node.js. */
  readonly dist: string;
}

/** Both packages, in a folder that `close` removes. */
export interface PackagePair {
  readonly old: BenchPackage;
  readonly new: BenchPackage;
  close(): void;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Unpacks the old package, and the new one or else the working tree as it is built now.
 *
 * @param old a .tgz of `npm pack`, or a folder with a package.json and its dist/
 * @param fresh the same for the new package; the working tree when left out
 * @throws Error where a source has no dist/node.js or the build fails
 */
export function openPackages(old: string, fresh?: string): PackagePair {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'webgpu-rnn-against-')));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    // Both find the optional peer `webgpu` here, as they would in an application.
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
    return {
      old: unpack('old', old, folder),
      new: fresh === undefined ? buildWorkingTree(folder) : unpack('new', fresh, folder),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Both packages for a file of results, without folders of this machine. */
export function describePair(pair: PackagePair) {
  const describeOne = ({ source, version, commit, sha256 }: BenchPackage) => ({
    source,
    version,
    ...(commit !== undefined && { commit }),
    sha256,
  });
  return { old: describeOne(pair.old), new: describeOne(pair.new) };
}

/** Imports a package as Node does, without Vite. */
export const importPackage = ({ dist }: BenchPackage): Promise<PackageApi> =>
  importNatively(pathToFileURL(join(dist, 'node.js')).href) as Promise<PackageApi>;

const importNatively = createRequire(import.meta.url)('./native-import.cjs') as (
  url: string,
) => Promise<unknown>;

function unpack(label: Label, source: string, folder: string): BenchPackage {
  const to = join(folder, label);
  const from = resolve(source);
  if (!existsSync(from)) throw new Error(`${label} package: no file or folder ${source}`);
  mkdirSync(to);
  const isFolder = statSync(from).isDirectory();
  if (isFolder) {
    for (const part of ['package.json', 'dist']) {
      if (existsSync(join(from, part))) {
        cpSync(join(from, part), join(to, part), { recursive: true });
      }
    }
  } else {
    // npm puts everything below package/: https://docs.npmjs.com/cli/commands/npm-pack
    execFileSync('tar', ['-xzf', from, '--strip-components=1', '-C', to], { stdio: 'inherit' });
  }
  return describe(label, to, basename(from), isFolder ? commitOf(from) : undefined);
}

function buildWorkingTree(folder: string): BenchPackage {
  const to = join(folder, 'new');
  mkdirSync(to);
  cpSync(join(ROOT, 'package.json'), join(to, 'package.json'));
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const args = ['build', '--outDir', join(to, 'dist'), '--emptyOutDir', '--logLevel', 'error'];
  execFileSync(process.execPath, [vite, ...args], { cwd: ROOT, stdio: 'inherit' });
  return describe('new', to, 'working tree', commitOf(ROOT));
}

function describe(
  label: Label,
  folder: string,
  source: string,
  checkedOut: string | undefined,
): BenchPackage {
  const dist = join(folder, 'dist');
  for (const file of ['package.json', 'dist/index.js', 'dist/node.js']) {
    if (!existsSync(join(folder, file))) {
      throw new Error(`${label} package ${source}: got no ${file}, expected a built package`);
    }
  }
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    version: string;
    gitHead?: string;
  };
  const commit = manifest.gitHead ?? checkedOut;
  return {
    label,
    source,
    version: manifest.version,
    ...(commit !== undefined && { commit }),
    sha256: hashOf(dist),
    dist,
  };
}

/** Hash of the names and bytes of all JavaScript of a folder. */
function hashOf(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .toSorted();
  for (const file of files) hash.update(file).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}
