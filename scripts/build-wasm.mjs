// Compiles src/wasm/assembly to WebAssembly: `node scripts/build-wasm.mjs` prints the size. The Vite plugin inlines what
// this returns, so that no binary is committed.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('../src/wasm/assembly', import.meta.url));
const CACHE = fileURLToPath(new URL('../node_modules/.cache/webgpu-rnn', import.meta.url));

const OPTIONS = [
  'index.ts',
  '--baseDir', folder,
  '-O3', '--shrinkLevel', '1', '--noAssert',
  '--runtime', 'stub',
  '--use', 'abort=',
  '--initialMemory', '1',
  '--memoryBase', '16',
  '--disableWarning', '112',
  '--enable', 'simd', '--enable', 'relaxed-simd', '--enable', 'bulk-memory',
]; // prettier-ignore

/** The bytes of the module. */
async function compile() {
  const { main } = await import('assemblyscript/asc');
  const written = {};
  const { error, stderr } = await main([...OPTIONS, '-o', 'out.wasm', '-t', 'out.wat'], {
    readFile: (name, base) => readFile(join(base, name), 'utf8').catch(() => null),
    writeFile: (name, contents) => void (written[name] = contents),
    listFiles: () => [],
  });
  if (error) throw new Error(`AssemblyScript: ${error.message}\n${stderr.toString()}`);
  const bytes = Buffer.from(written['out.wasm']);
  checkFused(bytes, written['out.wat']);
  return bytes;
}

/** Builds that this process has begun: the plugins of a page and of its workers ask at the same time. */
const building = new Map();

/** Compiles, and keeps the module in a file. */
async function buildInto(file) {
  const built = (await compile()).toString('base64');
  await mkdir(dirname(file), { recursive: true });
  // Several processes may build at the same time: a rename is atomic.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, built);
  await rename(draft, file);
  return built;
}

/**
 * Where an engine has no relaxed SIMD, src/wasm/unfuse.ts finds each fused multiply-add by its three bytes. No constant
 * and no other instruction may contain them.
 */
function checkFused(bytes, text) {
  const fused = text.split('f32x4.relaxed_madd').length - 1;
  const found = bytes.toString('latin1').split('\xfd\x85\x02').length - 1;
  const others = text.match(/\w+\.relaxed_(?!madd)\w+/g) ?? [];
  if (found !== fused || others.length > 0) {
    throw new Error(`kernels: ${fused} multiply-adds, ${found} of their bytes, and ${others}`);
  }
}

/**
 * The module in base64.
 *
 * @param {string} cache folder in which it is kept
 * @returns {Promise<string>} for engines with relaxed SIMD; src/wasm/unfuse.ts makes that for others
 */
export async function buildWasm(cache = CACHE) {
  const hash = createHash('sha256').update(OPTIONS.join(' '));
  hash.update(
    await readFile(new URL('../node_modules/assemblyscript/package.json', import.meta.url)),
  );
  for (const name of (await readdir(folder)).toSorted()) {
    hash.update(name).update(await readFile(join(folder, name)));
  }
  const file = join(cache, `wasm-${hash.digest('hex').slice(0, 16)}.txt`);
  const found = await readFile(file, 'utf8').catch(() => undefined);
  if (found) return found;
  if (!building.has(file)) {
    building.set(
      file,
      buildInto(file).finally(() => building.delete(file)),
    );
  }
  return building.get(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bytes = Buffer.from(await buildWasm(), 'base64');
  console.log(`${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
}
