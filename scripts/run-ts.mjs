// Runs a TypeScript program of the project in Node, through Vite: `node scripts/run-ts.mjs bench/node.ts …`.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';
import { wasmKernels } from './vite-plugin-wasm.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [file, ...rest] = process.argv.slice(2);
process.argv.splice(1, process.argv.length - 1, file, ...rest);
await runnerImport(fileURLToPath(new URL(file, `file://${root}`)), {
  root,
  configFile: false,
  logLevel: 'error',
  plugins: [wasmKernels()],
  resolve: {
    alias: [
      { find: /^webgpu-rnn$/, replacement: `${root}src/index.ts` },
      { find: /^webgpu-rnn\/node$/, replacement: `${root}src/node.ts` },
    ],
  },
});
