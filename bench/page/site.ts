// The page, built and served from loopback, in a Chromium of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright';
import { build, preview } from 'vite';
import { chromiumOptions } from '../../test/setup/chromium.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** A page that is being served. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** Builds the page as users would build theirs, and serves it with threads for WebAssembly. */
export async function openSite(): Promise<Site> {
  const outDir = await mkdtemp(join(tmpdir(), 'webgpu-rnn-bench-'));
  const common = { configFile: false, root: path('.'), logLevel: 'warn' } as const;
  await build({
    ...common,
    resolve: { alias: [{ find: /^webgpu-rnn$/, replacement: path('../../src/index.ts') }] },
    build: { target: 'es2022', outDir, emptyOutDir: true, chunkSizeWarningLimit: 1e4 },
  });
  const headers = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  };
  const server = await preview({
    ...common,
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0, headers },
  });
  const url = server.resolvedUrls!.local[0]!;
  return {
    url,
    close: async () => {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** Runs something in a page of a new browser, so that nothing is warm. Gives up after some seconds. */
export async function inFreshPage<T>(
  { url }: Site,
  seconds: number,
  work: (page: Page) => Promise<T>,
): Promise<T | 'cut'> {
  const browser = await chromium.launch(chromiumOptions);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => window.enginePage !== undefined);
    const cut = new Promise<'cut'>((resolve) => {
      timer = setTimeout(() => resolve('cut'), seconds * 1000);
    });
    const done = work(page);
    done.catch(() => undefined); // closing the browser ends it
    return await Promise.race([done, cut]);
  } finally {
    clearTimeout(timer);
    await browser.close();
  }
}
