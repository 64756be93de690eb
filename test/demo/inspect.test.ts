// The inspector in a browser, as built: samples, files of a visitor, broken ones, and use without a mouse.
import { join } from 'node:path';
import type { Page } from 'playwright';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../docs/markdown.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { violations, visitDemo } from './pages.ts';

const GOLDENS = join(ROOT, 'test/golden/pytorch');

describe('the inspector', ONLY_IN_FULL, () => {
  const visit = visitDemo();

  async function open(options = {}): Promise<Page> {
    const page = await visit.open(options, visit.bare);
    await page.goto(`${visit.site.url}inspect/`);
    return page;
  }
  const notice = (page: Page, pattern: RegExp) =>
    page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector('#notice')!.textContent),
      pattern.source,
    );
  /** Chromium's own words on a machine without a GPU. */
  const forget = (): void => {
    visit.complaints = visit.complaints.filter((words) => words !== 'No available adapters.');
  };
  const figure = (page: Page, list: string, term: string) =>
    page.locator(`#${list} > div`, { hasText: term }).locator('dd').innerText();

  test('a sample: layers, plan, kernels, and a run that equals float64', async () => {
    const page = await open();
    await page.locator('#sample-silero').click();
    await notice(page, /This model runs/);
    expect(await figure(page, 'figures', 'Parameters')).toMatch(/^545,282 /);
    expect(await page.locator('#layers').innerText()).toMatch(/LSTM 128/);
    expect(await page.locator('#plan').innerText()).toMatch(/^buffers[\s\S]*commands[\s\S]*dispatch|recurrent/); // prettier-ignore
    const kernel = page.locator('#kernel');
    await kernel.selectOption({ index: (await kernel.locator('option').count()) - 1 });
    expect(await page.locator('#wgsl').innerText()).toMatch(/@compute/);
    expect(await page.locator('#wgsl .wgsl-comment').count()).toBeGreaterThan(0);
    await page.locator('#run').click();
    await notice(page, /It ran/);
    const errors = await page.locator('#trial-outputs td:last-child').allInnerTexts();
    expect(errors.length).toBe(2);
    for (const text of errors) expect(Number(text.replace('−', '-'))).toBeLessThan(1e-4);
    expect(await violations(page)).toEqual([]);
    forget();
  });

  test('other shapes are planned for, and impossible ones are refused', async () => {
    const page = await open({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' });
    await page.locator('#sample-lstm').focus();
    await page.keyboard.press('Enter');
    await notice(page, /This model runs/);
    const shape = page.locator('#shapes input');
    await shape.fill('2, 32, 40');
    await page.keyboard.press('Tab');
    await page.waitForFunction(() => document.querySelector('#values')!.textContent.includes('[2, 32, 10]')); // prettier-ignore
    expect(await page.locator('#snippet').innerText()).toMatch(
      /new Float32Array\(2560\), \[2, 32, 40\]/,
    );
    await shape.fill('2, 32, 41');
    await page.keyboard.press('Tab');
    await notice(page, /SHAPE_MISMATCH/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    expect(await violations(page)).toEqual([]);
    forget();
  });

  test('files of a visitor: ONNX, a state_dict that needs its layers, one that is no model', async () => {
    const page = await open();
    await page.locator('#files').setInputFiles(join(GOLDENS, 'trained_memory_gru.onnx'));
    await notice(page, /This model runs/);
    await page.locator('#files').setInputFiles(join(ROOT, 'demo/assets/gates.safetensors'));
    await notice(page, /describe its layers/);
    expect(await page.locator('#architecture').isVisible()).toBe(true);
    expect(await page.locator('#found').isVisible()).toBe(false);
    await page.locator('#files').setInputFiles({
      name: 'broken.onnx',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from('this is no model'),
    });
    await notice(page, /INVALID_MODEL|UNSUPPORTED/);
    expect(await page.locator('#run').isDisabled()).toBe(true);
    forget();
  });

  test('WebGPU runs what is asked of it', async () => {
    const page = await visit.open();
    await page.goto(`${visit.site.url}inspect/`);
    await page.locator('#sample-lstm').click();
    await notice(page, /This model runs/);
    await page.locator('#device').selectOption('webgpu');
    await page.locator('#run').click();
    await notice(page, /It ran/);
    expect(await figure(page, 'trial-figures', 'Backend')).toBe('webgpu');
    const error = await page.locator('#trial-outputs td:last-child').innerText();
    expect(Number(error.replace('−', '-'))).toBeLessThan(1e-5);
  });
});
