// Three jobs: build the library (`vite build`, and `--mode worklet` for one of its entries), serve or build the demos (`--mode demo`), run the tests (vitest).
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import type { ProvidedContext } from 'vitest';
import { type TestProjectConfiguration, type ViteUserConfig, defineConfig } from 'vitest/config';
import { FOUND_LATE } from './scripts/found-late.ts';
import { wasmKernels } from './scripts/vite-plugin-wasm.mjs';
import { minifyWgslFiles } from './scripts/vite-plugin-wgsl.ts';
import { browserCommands } from './test/setup/browser-commands.ts';
import { chromiumOptions } from './test/setup/chromium.ts';
import { SkipReporter } from './test/setup/skip-reporter.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const LOOPBACK = '127.0.0.1'; // nothing here is for the network; WebGPU needs https or loopback anyway

// Demos and package tests import the package by its public name, as a user does.
const alias = [
  { find: /^webgpu-rnn$/, replacement: path('src/index.ts') },
  { find: /^webgpu-rnn\/node$/, replacement: path('src/node.ts') },
  { find: /^webgpu-rnn\/worklet$/, replacement: path('src/worklet.ts') },
  { find: /^webgpu-rnn\/worker$/, replacement: path('src/worker.ts') },
];

/** npm makes a program executable when it installs it; this does so for a checkout. */
const executable = {
  name: 'executable',
  writeBundle({ dir }: { dir?: string | undefined }): void {
    chmodSync(join(dir ?? path('dist'), 'cli.js'), 0o755);
  },
};

/**
 * Names the worker as it is called in dist/, where chunks lie as deep as sources do in src/, in the form that bundlers of
 * apps follow. After Vite, which would follow it as well.
 */
const nameWorker = {
  name: 'name-worker',
  enforce: 'post' as const,
  transform: (code: string, id: string) =>
    id === path('src/worker/spawn.ts')
      ? {
          code: code
            .replaceAll('/* @vite-ignore */', '')
            .replace(/(["'])\.\.\/worker\.ts\1/, "'../worker.js'"),
          map: null,
        }
      : undefined,
};

const library: ViteUserConfig = {
  plugins: [wasmKernels(), minifyWgslFiles(), nameWorker, executable],
  publicDir: false,
  build: {
    target: 'es2022',
    sourcemap: false, // the package has no sources to map to
    license: { fileName: 'third-party-licenses.md' },
    lib: {
      entry: {
        index: path('src/index.ts'),
        node: path('src/node.ts'),
        worker: path('src/worker.ts'),
        cli: path('src/cli/index.ts'),
      },
      formats: ['es'],
    },
    rolldownOptions: {
      external: ['webgpu', /^node:/],
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'chunks/[name].js',
        minify: { codegen: true }, // library mode would keep the whitespace
      },
    },
  },
};

/** The entry for audio threads, after the others: one file, for such a thread cannot load a second later. */
const worklet: ViteUserConfig = {
  plugins: [wasmKernels()],
  publicDir: false,
  build: {
    target: 'es2022',
    sourcemap: false, // the package has no sources to map to
    emptyOutDir: false,
    lib: { entry: { worklet: path('src/worklet.ts') }, formats: ['es'] },
    rolldownOptions: { output: { entryFileNames: '[name].js', minify: { codegen: true } } },
  },
};

/** Every folder of demo/ with an index.html is a page. */
function demoPages(): string[] {
  const files = readdirSync(path('demo'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => /(^|[\\/])index\.html$/.test(file))
    .map((file) => path(join('demo', file)));
}

const demo = (command: 'build' | 'serve'): ViteUserConfig => ({
  root: path('demo'),
  base: './', // a static copy works from any folder
  appType: 'mpa',
  resolve: { alias },
  plugins: [wasmKernels()], // shaders keep their comments: the inspector shows them
  server: { host: LOOPBACK, fs: { allow: [path('.')] } },
  preview: { host: LOOPBACK },
  // Found by Vite only when a worker asks for them: the page would be loaded again in the midst of a measurement.
  optimizeDeps: { include: [...FOUND_LATE] },
  // Workers are modules, and load what they need when they need it.
  worker: { format: 'es', plugins: () => [wasmKernels()] },
  build: {
    target: 'es2022',
    outDir: path('dist-demo'),
    emptyOutDir: true,
    ...(command === 'build' && { rolldownOptions: { input: demoPages() } }),
  },
});

/** The test files in a folder. */
function testFiles(folder: string): string[] {
  const files = readdirSync(path(folder), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.test.ts')).map((file) => join(folder, file));
}

/** Whether `npm test` runs a part only of a test file. */
const isLong = (file: string): boolean =>
  /\b(MORE|ONLY)_IN_FULL\b/.test(readFileSync(path(file), 'utf8'));

/**
 * Whether a test file needs a process of its own: `webgpu-rnn/node` changes the environment of its process for good, and
 * flags of V8 are of a process too. test/setup/shared-process.ts fails for the others that do the former.
 */
const isAlone = (file: string): boolean =>
  /setFlagsFromString|'(webgpu-rnn\/node|[./]+\/(src\/node|builds)\.ts)'/.test(
    readFileSync(path(file), 'utf8'),
  );

/** Tests in Node over Dawn. Those of the project `node` share processes, for each start costs 2 s of a core. */
function nodeTests(name: 'node' | 'alone', mode: string): TestProjectConfiguration {
  const elsewhere = /^test[\\/](browser|package|wgpu)[\\/]/;
  const include = testFiles('test').filter((file) => !elsewhere.test(file));
  return {
    extends: true,
    test: {
      name,
      provide: settings(mode),
      setupFiles: [
        'test/setup/operators.ts',
        'test/setup/sleep-while-waiting.ts',
        ...(name === 'node' ? ['test/setup/shared-process.ts'] : []),
      ],
      include: include.filter(
        (file) => isAlone(file) === (name === 'alone') && (mode !== 'long' || isLong(file)),
      ),
      globalSetup: name === 'node' ? 'test/setup/global.ts' : [],
      pool: 'forks', // Dawn is native code: a crash must not take the runner with it
      isolate: name === 'alone',
    },
  };
}

/** What test/support/settings.ts reads. A project does not inherit it: for `extends` the mode is always 'test'. */
const settings = (mode: string): ProvidedContext => ({
  seed: Number(process.env['SEED'] ?? 1),
  casePath: process.env['CASE_PATH'] ?? '',
  tier: mode === 'full' || mode === 'long' ? 'full' : 'fast',
});

/** The browser tests in an installed Firefox; see scripts/test-firefox.mjs. */
async function firefoxTests(mode: string): Promise<TestProjectConfiguration> {
  // Only here: what drives Firefox takes a moment to load.
  const { firefox } = await import('./test/setup/firefox-provider.ts');
  return {
    extends: true,
    test: {
      name: 'firefox',
      provide: settings(mode),
      setupFiles: 'test/setup/operators.ts',
      include: ['test/browser/**/*.test.ts'],
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        api: { host: LOOPBACK },
        commands: browserCommands,
        provider: firefox(process.env['WEBGPU_RNN_FIREFOX'] ?? 'firefox'),
        instances: [{ browser: 'firefox' }],
      },
    },
  };
}

/** `vitest run` is the fast tier, `--mode full` all tests, `--mode long` what the fast tier runs a part of. */
async function tests(mode: string): Promise<ViteUserConfig> {
  // Only here: it loads Vitest.
  const { LongestFirst } = await import('./test/setup/longest-first.ts');
  return {
    plugins: [wasmKernels()],
    resolve: { alias },
    test: {
      maxWorkers: 2,
      sequence: { sequencer: LongestFirst },
      // For what hangs, not for what is slow: a CPU stands in for the GPU, and may be busy.
      testTimeout: 600_000,
      hookTimeout: 600_000,
      reporters: ['default', new SkipReporter()],
      tags: [{ name: 'long', description: 'More cases, or a part only, of `npm run test:all`.' }],
      ...(mode === 'long' && { tagsFilter: ['long'] }),
      projects: [
        nodeTests('node', mode),
        nodeTests('alone', mode),
        {
          extends: true,
          test: {
            name: 'package', // reads dist/
            provide: settings(mode),
            include: ['test/package/**/*.test.ts'],
          },
        },
        ...(mode === 'firefox' ? [await firefoxTests(mode)] : []),
        {
          extends: true,
          test: {
            name: 'wgpu', // reads dist/
            provide: settings(mode),
            setupFiles: 'test/setup/operators.ts',
            include: ['test/wgpu/**/*.test.ts'],
          },
        },
        {
          extends: true,
          test: {
            name: 'browser',
            provide: settings(mode),
            setupFiles: 'test/setup/operators.ts',
            include: testFiles('test/browser').filter((file) => mode !== 'long' || isLong(file)),
            globalSetup: 'test/setup/global.ts',
            browser: {
              enabled: true,
              headless: true,
              screenshotFailures: false,
              api: { host: LOOPBACK },
              commands: browserCommands,
              provider: playwright({ launchOptions: chromiumOptions }),
              instances: [{ browser: 'chromium' }],
            },
          },
        },
      ],
    },
  };
}

export default defineConfig(({ command, mode }) => {
  if (process.env['VITEST']) return tests(mode);
  if (mode === 'worklet') return worklet;
  return mode === 'demo' ? demo(command) : library;
});
