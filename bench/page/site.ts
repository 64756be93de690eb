// The page, built and served from loopback, in a Chromium of its own.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright';
import { build, preview } from 'vite';
import { wasmKernels } from '../../scripts/vite-plugin-wasm.mjs';
import { chromiumOptions } from '../../test/setup/chromium.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** The browser that measures. */
export interface BrowserInfo {
  /** The adapter in a line. */
  readonly adapter: string;
  readonly browser: string;
  /** Whether WebAssembly has threads. */
  readonly isolated: boolean;
}

/** A page that is being served. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Builds the page as users would build theirs, and serves it with threads for WebAssembly.
 *
 * @param packages dist folders of copies of this package, which are served as they are
 */
export async function openSite(packages: Readonly<Record<string, string>> = {}): Promise<Site> {
  const outDir = await mkdtemp(join(tmpdir(), 'webgpu-rnn-bench-'));
  const common = { configFile: false, root: path('.'), logLevel: 'warn' } as const;
  await build({
    ...common,
    plugins: [wasmKernels()],
    worker: { format: 'es', plugins: () => [wasmKernels()] },
    resolve: { alias: [{ find: /^webgpu-rnn$/, replacement: path('../../src/index.ts') }] },
    build: { target: 'es2022', outDir, emptyOutDir: true, chunkSizeWarningLimit: 1e4 },
  });
  for (const [name, dist] of Object.entries(packages)) {
    await cp(dist, join(outDir, 'packages', name), { recursive: true });
  }
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

/** Runs something in a page of a new browser, where nothing is cached; `'cut'` after some seconds. */
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

/** The browser and its adapter. @throws Error where the page does not answer */
export async function describeBrowser(site: Site): Promise<BrowserInfo> {
  const found = await inFreshPage(site, 60, async (page) => ({
    adapter: await page.evaluate(() => window.enginePage!.adapterName()),
    browser: page.context().browser()!.version(),
    isolated: await page.evaluate(() => crossOriginIsolated),
  }));
  if (found === 'cut') throw new Error('the page does not answer');
  return found;
}

/** Vendor and architecture of an adapter, for the name of a file. */
export const adapterPrefix = ({ adapter }: BrowserInfo): string =>
  adapter.split(' ').slice(0, 2).join(' ');
