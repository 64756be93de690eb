// Finds import cycles, those of `import type` and `import()` included: in a cycle no file can be read before the
// others. oxlint's import/no-cycle sees neither of the two. `npm run lint` runs it.
//
//   node scripts/check-cycles.mjs [FOLDER …]     of src, shaders, bench, demo, scripts and test when left out
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const FOLDERS = ['src', 'shaders', 'bench', 'demo', 'scripts', 'test'];
const SOURCE = /\.[cm]?[jt]s$/;

/** Paths of the files that a source imports by relative path, whatever the kind of the import. */
export function importsOf(path, text) {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  const relatives = importedFiles
    .map(({ fileName }) => fileName)
    .filter((name) => /^\.\.?\//.test(name));
  return relatives.map((name) => resolve(dirname(path), name));
}

/**
 * Cycles among files: one for each group of files that reach one another, as short as there is.
 *
 * @param imports for each file the files that it imports; files that are no key are ignored
 * @returns each cycle as a list of files, the first one repeated at its end
 */
export function findCycles(imports) {
  const cycles = [];
  const inCycle = new Set();
  for (const start of imports.keys()) {
    if (inCycle.has(start)) continue;
    const cycle = shortestCycle(imports, start);
    if (!cycle) continue;
    cycle.forEach((file) => inCycle.add(file));
    cycles.push(cycle);
  }
  return cycles;
}

/** The shortest path from a file back to itself, breadth first; undefined where there is none. */
function shortestCycle(imports, start) {
  const from = new Map();
  const queue = [start];
  for (const file of queue) {
    for (const next of imports.get(file) ?? []) {
      if (next === start) {
        const path = [start];
        for (let at = file; at !== undefined; at = from.get(at)) path.unshift(at);
        return path;
      }
      if (!imports.has(next) || from.has(next)) continue;
      from.set(next, file);
      queue.push(next);
    }
  }
  return undefined;
}

/** What each source file of some folders imports. */
export function readImports(folders) {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  );
  const sources = files.filter((name) => SOURCE.test(name));
  return new Map(sources.map((path) => [path, importsOf(path, readFileSync(path, 'utf8'))]));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const given = process.argv.slice(2);
  const folders =
    given.length > 0 ? given.map((name) => resolve(name)) : FOLDERS.map((name) => join(root, name));
  const cycles = findCycles(readImports(folders));
  for (const cycle of cycles) {
    console.error(`import cycle: ${cycle.map((file) => relative(root, file)).join(' → ')}`);
  }
  if (cycles.length > 0) process.exit(1);
}
