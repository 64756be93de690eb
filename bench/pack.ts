// `npm run bench:pack`: makes bench/gpu/, a folder that measures a machine with a GPU and without Node or
// the internet: `sh bench/gpu/run.sh` there. Linux on x86-64, made on such a machine.
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'vite';
import { wasmKernels } from '../scripts/vite-plugin-wasm.mjs';
import { commitOf } from './record.ts';

const OUT = 'bench/gpu';
const STAGE = join(OUT, 'machine');
const MAX_BYTES = 60 * 2 ** 20;
const LINUX = 'linux-x64';
const require = createRequire(import.meta.url);

if (`${process.platform}-${process.arch}` !== LINUX) {
  throw new Error(`this machine is ${process.platform} ${process.arch}, expected Linux on x86-64`);
}

/** Copies files of an installed package, by paths within it. */
async function take(name: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const to = join(STAGE, 'node_modules', name, file);
    await mkdir(join(to, '..'), { recursive: true });
    await copyFile(join('node_modules', name, file), to);
  }
}

const scriptsOf = async (name: string, folder: string): Promise<string[]> =>
  (await readdir(join('node_modules', name, folder)))
    .filter((file) => file.endsWith('.js'))
    .map((file) => join(folder, file));

async function takeOnnxRuntime(): Promise<void> {
  const libraries = 'bin/napi-v6/linux/x64';
  await take('onnxruntime-node', [
    'package.json',
    ...(await scriptsOf('onnxruntime-node', 'dist')),
    ...(await readdir(join('node_modules/onnxruntime-node', libraries))).map((file) =>
      join(libraries, file),
    ),
  ]);
  await take('onnxruntime-common', [
    'package.json',
    'dist/cjs/package.json',
    ...(await scriptsOf('onnxruntime-common', 'dist/cjs')),
  ]);
}

/** Packs what is staged; gives the bytes. */
async function pack(): Promise<number> {
  const file = join(OUT, 'machine.tar.xz');
  const env = { ...process.env, XZ_OPT: '-6 -T0' };
  execFileSync('tar', ['-cJf', file, '-C', STAGE, '.'], { env, stdio: 'inherit' });
  return (await stat(file)).size;
}

await rm(OUT, { recursive: true, force: true });
await mkdir(join(STAGE, 'lib'), { recursive: true });
await copyFile(process.execPath, join(STAGE, 'node'));
await take('webgpu', ['package.json', 'index.js', `dist/${LINUX}/dawn.node`]);
await takeOnnxRuntime();
const chromium = process.env['WEBGPU_RNN_CHROMIUM']; // a Vulkan loader is in its folder
if (chromium)
  await copyFile(join(chromium, '../libvulkan.so.1'), join(STAGE, 'lib/libvulkan.so.1'));

await build({
  configFile: false,
  logLevel: 'warn',
  plugins: [wasmKernels()],
  resolve: {
    alias: [{ find: /^webgpu-rnn\/node$/, replacement: join(process.cwd(), 'src/node.ts') }].concat(
      [{ find: /^webgpu-rnn$/, replacement: join(process.cwd(), 'src/index.ts') }],
    ),
  },
  ssr: { noExternal: true, external: ['webgpu', 'onnxruntime-node'] },
  build: {
    target: 'node20',
    ssr: 'bench/packed/main.ts',
    outDir: OUT,
    emptyOutDir: false,
    rolldownOptions: { output: { entryFileNames: 'main.mjs', codeSplitting: false } },
  },
});
const { name, version, type } = require('../package.json') as Record<string, string>;
await writeFile(
  join(OUT, 'package.json'),
  JSON.stringify({
    name,
    version,
    type,
    gitHead: commitOf(),
    exports: { './package.json': './package.json' },
  }),
);
for (const file of ['run.sh', 'cudnn.py'])
  await copyFile(join('bench/packed', file), join(OUT, file));
await chmod(join(OUT, 'run.sh'), 0o755);

console.log('packing …');
let bytes = await pack();
if (bytes > MAX_BYTES) {
  await rm(join(STAGE, 'node_modules/onnxruntime-node'), { recursive: true });
  bytes = await pack();
  console.log('ONNX Runtime is left out: with it the folder is beyond 60 MiB');
}
await rm(STAGE, { recursive: true });
const code = (await readFile(join(OUT, 'main.mjs'))).length;
console.log(`${OUT}: ${((bytes + code) / 2 ** 20).toFixed(1)} MiB. Copy it, then: sh run.sh`);
