// A page whose model computes in a worker: in the background, in the back-forward cache, and gone in the middle of a run.
import type { Page } from 'playwright';
import { describe, expect, test } from 'vitest';
import type { Published } from '../../demo/vad/result.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { visitDemo } from './pages.ts';
import { heard, probabilities, recordingSamples } from './silero.ts';

const PASSAGES = heard.filter(({ speech }) => speech).length;
const FROZEN_MS = 500;
const sleep = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); }); // prettier-ignore

describe.each(['webgpu', 'wasm'])('a page that computes on %s', ONLY_IN_FULL, (device) => {
  const visit = visitDemo();

  const judged = (page: Page, frames: number) =>
    page.waitForFunction(
      (wanted) => parseInt(document.getElementById('judged')!.textContent, 10) >= wanted,
      frames,
    );

  async function expectAllRight(page: Page): Promise<void> {
    await page.waitForFunction(() => '__vad' in window);
    const result = await page.evaluate(() => (window as { __vad?: Published })['__vad']!);
    expect(result.error).toBeUndefined();
    expect(result.segments.length).toBe(PASSAGES);
    const truth = await probabilities(recordingSamples());
    expect(result.probabilities.length).toBe(truth.length);
    result.probabilities.forEach((value, i) => expect(Math.abs(value - truth[i]!)).toBeLessThan(1e-4)); // prettier-ignore
  }

  test('frozen in the background, it goes on where it was', async () => {
    const page = await visit.open();
    await page.goto(`${visit.site.url}?run=1&device=${device}`);
    await judged(page, 5);
    const other = await page.context().newPage();
    await other.bringToFront();
    const session = await page.context().newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    await sleep(FROZEN_MS);
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    await page.bringToFront();
    await expectAllRight(page);
  });

  test('left in the middle and come back to, it computes again', async () => {
    const page = await visit.open();
    await page.goto(`${visit.site.url}?run=1&device=${device}`);
    await judged(page, 5);
    await page.goto(`${visit.site.url}inspect/`);
    await page.goBack(); // from the back-forward cache, or anew
    await expectAllRight(page);
  });

  test('closed in the middle, it troubles no other page', async () => {
    const page = await visit.open();
    await page.goto(`${visit.site.url}?run=1&device=${device}`);
    await judged(page, 5);
    const other = await page.context().newPage();
    await page.close();
    await other.goto(`${visit.site.url}?run=1&device=${device}`);
    await expectAllRight(other);
  });
});
