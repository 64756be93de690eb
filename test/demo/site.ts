// The demo as a visitor gets it: built, and served from loopback.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wav': 'audio/wav',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** A running copy of the demo. */
export interface Site {
  /** Ends in a slash. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Builds the demo into a folder of its own and serves it. */
export async function openSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'webgpu-rnn-demo-'));
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');
  const { VITEST: _, ...env } = process.env; // with it the configuration is that of the tests
  await promisify(execFile)(
    process.execPath,
    [vite, 'build', '--mode', 'demo', '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn'],
    { cwd: ROOT, env: { ...env, NODE_ENV: 'production' } },
  );
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://site');
    const path = normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    readFile(join(folder, path)).then(
      (bytes) => {
        const type = TYPES[extname(path)] ?? 'application/octet-stream';
        response.writeHead(200, { 'content-type': type, 'content-length': bytes.length });
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
