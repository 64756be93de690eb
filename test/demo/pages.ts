// The built demo in two browsers, with and without WebGPU, and the messages of their consoles.
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContextOptions, Page } from 'playwright';
import { chromium } from 'playwright';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { chromiumOptions } from '../setup/chromium.ts';
import { openSite, type Site } from './site.ts';

/** For what hangs: a CPU stands in for the GPU, and may be busy. */
const TIMEOUT_MS = 300_000;

/** What a test file may read and change while it runs. */
export interface Visit {
  readonly site: Site;
  /** With WebGPU. */
  readonly browser: Browser;
  /** Without WebGPU. */
  readonly bare: Browser;
  /** Errors and warnings of consoles, and requests to other hosts: any of them fails the test at its end. */
  complaints: string[];
  /** Paths that pages have requested. */
  requested: string[];
  /** Pages that are closed at the end of the test. */
  pages: Page[];
  /** Opens a page in a new browser context. */
  open(options?: BrowserContextOptions, from?: Browser): Promise<Page>;
}

/** What a test file needs of the browsers. */
interface Options {
  /** More arguments for the browser with WebGPU. */
  readonly args?: readonly string[];
  /** More arguments for the browser without. */
  readonly bareArgs?: readonly string[];
  /** Hosts that a page may ask, with 127.0.0.1. */
  readonly hosts?: readonly string[];
}

/** Builds and serves the demo for the tests of a file, and starts the browsers. */
export function visitDemo({ args = [], bareArgs = [], hosts = [] }: Options = {}): Visit {
  const visit = { complaints: [], requested: [], pages: [] } as unknown as {
    -readonly [K in keyof Visit]: Visit[K];
  };
  const usual = chromiumOptions.args!;
  beforeAll(async () => {
    [visit.site, visit.browser, visit.bare] = await Promise.all([
      openSite(),
      chromium.launch({ ...chromiumOptions, args: [...usual, ...args] }),
      chromium.launch({
        ...chromiumOptions,
        args: [...usual.filter((arg) => !/webgpu|vulkan/i.test(arg)), ...bareArgs],
      }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([visit.browser?.close(), visit.bare?.close(), visit.site?.close()]);
  });
  afterEach(async () => {
    const { pages, complaints } = visit;
    [visit.pages, visit.complaints, visit.requested] = [[], [], []];
    await Promise.all(pages.map((page) => page.context().close()));
    expect(complaints).toEqual([]);
  });
  visit.open = async (options = {}, from = visit.browser) => {
    const context = await from.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) visit.complaints.push(message.text());
    });
    page.on('pageerror', ({ message }) => visit.complaints.push(message));
    context.on('request', (request) => {
      const { hostname, protocol, pathname } = new URL(request.url());
      visit.requested.push(pathname);
      const isOurs = ['127.0.0.1', ...hosts].includes(hostname) || /^(blob|data):/.test(protocol);
      if (!isOurs) visit.complaints.push(`requested ${hostname}`);
    });
    visit.pages.push(page);
    return page;
  };
  return visit;
}

/** Violations of WCAG 2.2 AA, serious and lesser ones, as text. */
export async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
