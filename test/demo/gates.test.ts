// The page of the gates in a browser, as built: what the networks say, by keyboard, by pointer, in Chinese.
import type { Page } from 'playwright';
import { describe, expect, test } from 'vitest';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { violations, visitDemo } from './pages.ts';

describe('the page of the gates', ONLY_IN_FULL, () => {
  const visit = visitDemo();

  async function open(query = '', options = {}): Promise<Page> {
    const page = await visit.open(options, visit.bare);
    await page.goto(`${visit.site.url}gates/${query}`);
    await page.waitForFunction(() => document.querySelectorAll('#lanes canvas').length > 0);
    // Chromium's own words on a machine without a GPU.
    return page;
  }
  const forget = (): void => {
    visit.complaints = visit.complaints.filter((words) => words !== 'No available adapters.');
  };
  const answer = (page: Page) => page.locator('#answer').innerText();
  const says = (page: Page, pattern: RegExp) =>
    page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector('#answer')!.textContent),
      pattern.source,
    );
  const choose = (page: Page, value: string) => page.locator(`input[value=${value}]`).check({ force: true }); // prettier-ignore

  test('an LSTM recalls over 100 letters, and the page shows its gates', async () => {
    const page = await open();
    await page.getByRole('button', { name: '100', exact: true }).click();
    await says(page, /says b with \d+ %.*\(right\)/);
    expect(await page.locator('#lanes .lane-name b').allInnerTexts()).toEqual([...'xfigochcy']);
    expect(await page.locator('#equations tr').count()).toBe(6);
    expect(await page.locator('#step-value').innerText()).toBe('102');
    expect(await page.locator('#gradients polyline').count()).toBe(3);
    expect(await page.locator('#figures tr').count()).toBe(7);
    expect(await page.locator('#backend').innerText()).toBe('wasm');
    expect(await violations(page)).toEqual([]);
    await choose(page, 'gru');
    await page.waitForFunction(() => document.querySelectorAll('#equations tr').length === 4);
    await choose(page, 'rnn');
    await page.waitForFunction(() => document.querySelectorAll('#equations tr').length === 1);
    forget();
  });

  test('brackets are counted as they are typed', async () => {
    const page = await open();
    await choose(page, 'count');
    await page.locator('#sequence').fill('');
    expect(await answer(page)).toBe('Type a sequence.');
    await page.locator('#sequence').pressSequentially('((x)(');
    await says(page, /Right at 5 of 5 characters\. At the end: 2, and it is 2\./);
    await page.locator('#sequence').press('y');
    await says(page, /has not learned “y”/);
    forget();
  });

  test('a curve is drawn with the pointer', async () => {
    const page = await open();
    await choose(page, 'signal');
    await says(page, /Error of the prediction/);
    const before = await page.locator('#curve polyline').getAttribute('points');
    const { x, y, width, height } = (await page.locator('#curve').boundingBox())!;
    await page.mouse.move(x + 0.2 * width, y + 0.5 * height);
    await page.mouse.down();
    await page.mouse.move(x + 0.5 * width, y + 0.1 * height, { steps: 5 });
    await page.mouse.up();
    expect(await page.locator('#curve polyline').getAttribute('points')).not.toBe(before);
    await says(page, /Error of the prediction/);
    forget();
  });

  test('by keyboard alone, on a narrow screen, in Chinese, in the dark', async () => {
    const page = await open('?lang=zh', {
      viewport: { width: 320, height: 640 },
      colorScheme: 'dark',
    });
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-Hans');
    await says(page, /网络回答 b/);
    await page.locator('#step').focus();
    await page.keyboard.press('Home');
    expect(await page.locator('#step-value').innerText()).toBe('1');
    const first = await page.locator('#equations').innerText();
    await page.locator('#unit').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#unit-value').innerText()).toBe('2');
    expect(await page.locator('#equations').innerText()).not.toBe(first);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    expect(await violations(page)).toEqual([]);
    forget();
  });

  test('weights that do not come are told of', async () => {
    const page = await visit.open({}, visit.bare);
    await page.route('**/gates-*.safetensors', (route) => route.fulfill({ status: 404 }));
    await page.goto(`${visit.site.url}gates/`);
    await says(page, /cannot run here/);
    expect(await answer(page)).toMatch(/gates-.*\.safetensors: HTTP 404$/);
    visit.complaints = visit.complaints.filter((words) => !words.includes('404'));
    forget();
  });

  test('WebGPU computes the same', async () => {
    const page = await visit.open();
    await page.goto(`${visit.site.url}gates/`);
    await says(page, /\(right\)/);
    await page.locator('#device').selectOption('webgpu');
    await page.waitForFunction(() => document.querySelector('#backend')!.textContent === 'webgpu');
    expect(Number((await page.locator('#deviation').innerText()).replace('−', '-'))).toBeLessThan(
      1e-5,
    );
    await says(page, /says b with \d+ %.*\(right\)/);
  });
});
