// Compiles src/wasm/assembly to WebAssembly, once for each instruction set: `node scripts/build-wasm.mjs` prints the
// sizes. The Vite plugin inlines what this returns, so that no binary is committed.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('../src/wasm/assembly', import.meta.url));
const CACHE = fileURLToPath(new URL('../node_modules/.cache/webgpu-rnn', import.meta.url));

const COMMON = [
  'index.ts',
  '--baseDir', folder,
  '-O3', '--shrinkLevel', '1', '--noAssert',
  '--runtime', 'stub',
  '--use', 'abort=',
  '--initialMemory', '1',
  '--memoryBase', '16',
  '--disableWarning', '112',
  '--enable', 'simd', '--enable', 'bulk-memory',
]; // prettier-ignore

/** One build: the bytes of the module. */
async function compile(features) {
  const { main } = await import('assemblyscript/asc');
  let binary;
  const { error, stderr } = await main([...COMMON, ...features, '-o', 'out.wasm'], {
    readFile: (name, base) => readFile(join(base, name), 'utf8').catch(() => null),
    writeFile: (name, contents) => void (name.endsWith('.wasm') && (binary = contents)),
    listFiles: () => [],
  });
  if (error) throw new Error(`AssemblyScript: ${error.message}\n${stderr.toString()}`);
  return Buffer.from(binary);
}

/** Builds that this process has begun: the plugins of a page and of its workers ask at the same time. */
const building = new Map();

/** Compiles both, and keeps them in a file. */
async function buildInto(file) {
  const simd = await compile([]);
  const relaxed = await compile(['--enable', 'relaxed-simd']);
  const built = { simd: simd.toString('base64'), relaxed: relaxed.toString('base64') };
  await mkdir(dirname(file), { recursive: true });
  // Several processes may build at the same time: a rename is atomic.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, JSON.stringify(built));
  await rename(draft, file);
  return built;
}

/**
 * Both builds in base64.
 *
 * @param {string} cache folder in which they are kept
 * @returns {Promise<{ simd: string, relaxed: string }>} what 128-bit SIMD runs, and what needs relaxed SIMD
 */
export async function buildWasm(cache = CACHE) {
  const hash = createHash('sha256').update(COMMON.join(' '));
  hash.update(
    await readFile(new URL('../node_modules/assemblyscript/package.json', import.meta.url)),
  );
  for (const name of (await readdir(folder)).toSorted()) {
    hash.update(name).update(await readFile(join(folder, name)));
  }
  const file = join(cache, `wasm-${hash.digest('hex').slice(0, 16)}.json`);
  const found = await readFile(file, 'utf8').catch(() => undefined);
  if (found) return JSON.parse(found);
  if (!building.has(file)) {
    building.set(
      file,
      buildInto(file).finally(() => building.delete(file)),
    );
  }
  return building.get(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(await buildWasm())) {
    const bytes = Buffer.from(text, 'base64');
    console.log(`${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
  }
}
