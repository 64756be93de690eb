// `npm run bench:audio`: the page "Clean voice" with a microphone, in headless Chromium or Firefox: how long blocks take in the
// audio thread, and whether it survives a block that is held up. The microphone is the browser's imitation of one: it hears
// demo/assets/speech.wav in Chromium, a tone in Firefox.
//
// Firefox runs no context without a device for sound; PulseAudio with module-null-sink is one.
//
//   npm run bench:audio
//   npm run bench:audio -- --browser firefox --seconds 10
//   npm run bench:audio -- --json bench/results/audio.json
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import type { Published } from '../demo/clean/publish.ts';
import { findFirefox } from '../scripts/find-firefox.mjs';
import { openSite } from '../test/demo/site.ts';
import { chromiumOptions } from '../test/setup/chromium.ts';
import { launchFirefox } from '../test/setup/firefox-provider.ts';
import { machineOf, writeJson } from './record.ts';

const { values: args } = parseArgs({
  options: {
    browser: { type: 'string', default: 'chromium' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'string' },
  },
});

const TIMEOUT_MS = 60_000;
const RECORDING = fileURLToPath(new URL('../demo/assets/speech.wav', import.meta.url));
const FIREFOX_MICROPHONE = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0, // allowed
};

/** What both drivers of browsers have. */
interface Tab {
  goto(url: string): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  close(): Promise<void>;
  readonly version: string;
}

async function openChromium(): Promise<Tab> {
  const browser = await chromium.launch({
    ...chromiumOptions,
    args: [
      ...chromiumOptions.args!,
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${RECORDING}`,
      '--autoplay-policy=no-user-gesture-required', // buttons are pressed by script
    ],
  });
  const context = await browser.newContext({ permissions: ['microphone'] });
  const page = await context.newPage();
  return {
    goto: (url) => page.goto(url),
    evaluate: (script) => page.evaluate(script),
    close: () => browser.close(),
    version: `Chromium ${browser.version()}`,
  };
}

async function openFirefox(): Promise<Tab> {
  const path = findFirefox();
  if (!path) throw new Error('no Firefox is installed (WEBGPU_RNN_FIREFOX names one)');
  const browser = await launchFirefox(path, FIREFOX_MICROPHONE);
  const page = await browser.newPage();
  return {
    goto: (url) => page.goto(url),
    evaluate: async <T>(script: string) => (await page.evaluate(script)) as T,
    close: () => browser.close(),
    version: await browser.version(),
  };
}

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const published = (tab: Tab): Promise<Published> => tab.evaluate('window.__clean');

/** Waits until what the page says meets a condition. */
async function until(tab: Tab, what: string, met: (now: Published) => boolean): Promise<Published> {
  const end = Date.now() + TIMEOUT_MS;
  for (;;) {
    const now = await published(tab);
    if (now && met(now)) return now;
    if (Date.now() > end) {
      const notice = await tab.evaluate<string>('document.getElementById("notice").innerText');
      throw new Error(`${what}: not after ${TIMEOUT_MS / 1000} s; the page says: ${notice}`);
    }
    await sleep(100);
  }
}

const press = (tab: Tab, id: string): Promise<void> =>
  tab.evaluate(`document.getElementById('${id}').click()`);

async function measure(tab: Tab, url: string): Promise<Record<string, number | string>> {
  await tab.goto(url);
  await until(tab, 'the sample is cleaned', ({ gain }) => gain !== undefined);
  await tab.evaluate('document.querySelector("[name=source][value=microphone]").click()');
  await press(tab, 'start');
  await until(tab, 'sound runs', ({ statistics }) => (statistics?.blocks ?? 0) > 10);
  await sleep(1000 * Number(args.seconds));
  const run = await published(tab);
  const times = run.statistics!;
  await press(tab, 'strain');
  const { starved } = await until(tab, 'starvation', (now) => now.starved > run.starved);
  const { recovered } = await until(tab, 'recovery', (now) => now.recovered > run.recovered);
  await press(tab, 'stop');
  return {
    browser: tab.version,
    blocks: times.blocks,
    'at once ms': run.blockMs!.toFixed(3),
    'mean ms': times.mean.toFixed(3),
    'p50 ms': times.p50,
    'p99 ms': times.p99,
    'max ms': times.max,
    'clock ms': times.resolution,
    'deadline ms': times.deadline.toFixed(1),
    misses: times.misses,
    starved: run.starved,
    'latency ms': (1000 * run.latency!).toFixed(1),
    'held up': `${starved - run.starved} starved, ${recovered - run.recovered} recovered`,
  };
}

const site = await openSite();
const tab = await (args.browser === 'firefox' ? openFirefox() : openChromium());
try {
  const row = await measure(tab, `${site.url}clean/`);
  for (const [name, value] of Object.entries(row)) console.log(`${name.padEnd(12)} ${value}`);
  if (args.json) await writeJson(args.json, { ...machineOf(), seconds: Number(args.seconds), row });
} finally {
  await tab.close();
  await site.close();
}
