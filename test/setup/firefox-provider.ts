// Runs the browser tests in an installed Firefox, which puppeteer-core drives over WebDriver BiDi: the Firefox that
// Playwright drives is a build of its own.
import { defineBrowserProvider } from '@vitest/browser';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import type { BrowserProvider, BrowserProviderOption } from 'vitest/node';

/** WebGPU is on in release builds of some platforms only, and refused for software adapters. */
const PREFERENCES = {
  'dom.webgpu.enabled': true,
  'dom.webgpu.workers.enabled': true,
  'gfx.webgpu.ignore-blocklist': true,
};

/** Starts Firefox as the tests do, with more preferences of one's own. */
export const launchFirefox = (
  executablePath: string,
  preferences: Readonly<Record<string, boolean | number | string>> = {},
): Promise<Browser> =>
  puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    extraPrefsFirefox: { ...PREFERENCES, ...preferences },
    protocolTimeout: 0, // a page with tests runs for minutes
  });

class FirefoxProvider implements BrowserProvider {
  readonly name = 'firefox';
  readonly supportsParallelism = false;
  readonly #executablePath: string;
  readonly #pages = new Map<string, Page>();
  #browser: Promise<Browser> | undefined;

  constructor(executablePath: string) {
    this.#executablePath = executablePath;
  }

  async openPage(sessionId: string, url: string): Promise<void> {
    this.#browser ??= launchFirefox(this.#executablePath);
    const browser = await this.#browser;
    const page = await browser.newPage();
    this.#pages.set(sessionId, page);
    await page.goto(url, { timeout: 0 });
  }

  getCommandsContext(sessionId: string): Record<string, unknown> {
    return { page: this.#pages.get(sessionId) };
  }

  async close(): Promise<void> {
    await (await this.#browser)?.close();
  }
}

/** Vitest's browser provider for the Firefox at this path. */
export const firefox = (executablePath: string): BrowserProviderOption =>
  defineBrowserProvider({
    name: 'firefox',
    supportedBrowser: ['firefox'],
    options: {},
    providerFactory: () => new FirefoxProvider(executablePath),
  });
