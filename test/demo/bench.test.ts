// The benchmark page in a browser, as built: right answers, the export, and use without eyes or mouse.
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
import { describe, expect, test } from 'vitest';
import type { Published, Report } from '../../demo/bench/report.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { violations, visitDemo } from './pages.ts';

// TensorFlow.js is left out: on a CPU its shaders take many seconds.
const QUICK = 'cell=lstm&hidden=32&steps=8&batch=1&seconds=0.2';

describe('the benchmark page', ONLY_IN_FULL, () => {
  const visit = visitDemo();

  const open = (page: Page, query: string) => page.goto(`${visit.site.url}bench/?${query}`);

  async function finished(page: Page): Promise<Published> {
    await page.waitForFunction(() => window['__bench']?.done);
    return (await page.evaluate(() => window['__bench']))!;
  }

  describe('a run that starts by itself', () => {
    test('every engine is right, and the export says what the page shows', async () => {
      const page = await visit.open();
      await open(page, `${QUICK}&opponents=ort-webgpu,ort-wasm&run=1`);
      const { rows, adapter, report, failure } = await finished(page);
      expect(failure).toBeUndefined();
      expect(rows.map(({ engine }) => engine)).toEqual(['webgpu-rnn', 'ort-webgpu', 'ort-wasm']);
      for (const { status, reason, arbiter, error, times, flops, ...row } of rows) {
        expect([status, reason, arbiter]).toEqual(['right', undefined, 'float64']);
        expect(error).toBeLessThanOrEqual(1e-4);
        expect(times!.p10).toBeLessThanOrEqual(times!.median);
        expect(times!.median).toBeLessThanOrEqual(times!.p95);
        expect(times!.rounds).toBeGreaterThanOrEqual(5);
        expect(times!.median * times!.repeats).toBeGreaterThan(5 * adapter.clock);
        expect(flops).toBe(2 * 8 * 4 * 32 * 64);
        expect(row.gflops).toBeCloseTo(flops / times!.median / 1e6, 9);
        expect(row.stepsPerSecond).toBeCloseTo(8000 / times!.median, 6);
      }
      if (adapter.software) {
        expect(await page.locator('#notice[data-tone=warning]').innerText()).toMatch(
          /not comparable with GPUs/,
        );
      }

      const download = page.waitForEvent('download');
      await page.locator('#save').click();
      const text = await readFile(await (await download).path(), 'utf8');
      const saved = JSON.parse(text) as Report;
      expect(saved).toMatchObject({
        schema: 1,
        kind: 'webgpu-rnn-bench',
        complete: true,
        disturbed: 'no',
        settings: { cell: 'lstm', hidden: [32], steps: 8, opponents: ['ort-webgpu', 'ort-wasm'] },
        adapter: { name: adapter.name, limits: adapter.limits, cores: adapter.cores },
      });
      expect(saved.rows.length).toBe(report!.rows.length);
      expect(saved.rows[0]!.times!.median / rows[0]!.times!.median).toBeCloseTo(1, 4);

      expect(await page.locator('#rows tr').count()).toBe(3);
      expect(await page.locator('#plot .engine').count()).toBe(3);
      expect(await page.locator('#announcer').innerText()).toMatch(/^Done\. 3 of 3 measured\.$/);
      expect(await violations(page)).toEqual([]);
    });

    test('by itself the page fetches no other engine', async () => {
      const page = await visit.open({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' });
      await open(page, `${QUICK}&opponents=&run=1`);
      const { rows } = await finished(page);
      expect(rows.map(({ engine, status }) => [engine, status])).toEqual([['webgpu-rnn', 'right']]);
      expect(visit.requested.filter((path) => /\/(ort|tfjs)-|\.wasm/.test(path))).toEqual([]);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide).toBe(320);
      expect(await violations(page)).toEqual([]);
    });

    test('without a GPU the page says so, and measures what computes on the CPU', async () => {
      const page = await visit.open({}, visit.bare);
      await open(page, `${QUICK}&opponents=ort-wasm&run=1`);
      const { rows, adapter } = await finished(page);
      visit.complaints = visit.complaints.filter((words) => words !== 'No available adapters.'); // Chromium's own
      expect(adapter.absent).toBeDefined();
      expect(rows.map(({ status }) => status)).toEqual(['failed', 'right']);
      expect(await page.locator('#notice[data-tone=error]').innerText()).toMatch(/adapter|WebGPU/);
      expect(await violations(page)).toEqual([]);
    });
  });

  test('a wrong answer shows no time, nor does an engine that lacks the layer', async () => {
    const page = await visit.open();
    await page.context().route('**/worker-*.js', async (route) => {
      const response = await route.fetch();
      const falsify = `const range = GPUBuffer.prototype.getMappedRange;
      GPUBuffer.prototype.getMappedRange = function (...given) {
        const bytes = range.apply(this, given);
        if (this.usage & GPUBufferUsage.MAP_READ) new Float32Array(bytes, 0, 1)[0] += 1;
        return bytes;
      };`;
      await route.fulfill({ response, body: `${falsify}${await response.text()}` });
    });
    await open(page, `${QUICK.replace('lstm', 'gru')}&opponents=ort-wasm,tfjs&run=1`);
    const { rows } = await finished(page);
    expect(rows.map(({ engine, status }) => [engine, status])).toEqual([
      ['webgpu-rnn', 'wrong'],
      ['ort-wasm', 'right'],
      ['tfjs', 'cannot'],
    ]);
    expect(rows.map(({ times }) => times !== undefined)).toEqual([false, true, false]);
    expect(await page.locator('#rows .reason').allInnerTexts()).toEqual([
      'wrong by 1.0e+0',
      'cannot: reset after the product',
    ]);
    expect(await page.locator('#plot .engine').count()).toBe(1);
  });

  test('an opponent that throws while it is timed is told of, and the run goes on', async () => {
    const page = await visit.open();
    await page.context().route('**/worker-*.js', async (route) => {
      const response = await route.fetch();
      // The second device is ONNX Runtime's. It runs once for its answer, and then reads nothing back.
      const fail = `const devices = [];
      let reads = 0;
      const { createBuffer } = GPUDevice.prototype;
      GPUDevice.prototype.createBuffer = function (...given) {
        if (!devices.includes(this)) devices.push(this);
        const buffer = createBuffer.apply(this, given);
        if (devices.indexOf(this) === 1) {
          const map = buffer.mapAsync;
          buffer.mapAsync = (...how) =>
            ++reads > 3 ? Promise.reject(new DOMException('planted', 'OperationError')) : map.apply(buffer, how);
        }
        return buffer;
      };`;
      await route.fulfill({ response, body: `${fail}${await response.text()}` });
    });
    await open(page, `${QUICK.replace('32', '32,64')}&opponents=ort-webgpu,ort-wasm&run=1`);
    const { rows, failure, report } = await finished(page);
    expect(failure).toBeUndefined();
    expect(report!.complete).toBe(true);
    expect(rows.map(({ hidden, engine, status }) => [hidden, engine, status])).toEqual([
      [32, 'webgpu-rnn', 'right'],
      [32, 'ort-webgpu', 'failed'],
      [32, 'ort-wasm', 'right'],
      [64, 'webgpu-rnn', 'right'],
      [64, 'ort-webgpu', 'right'], // on a device of its own
      [64, 'ort-wasm', 'right'],
    ]);
    const failed = rows.filter(({ times }) => !times);
    expect(failed.map(({ reason }) => reason)).toEqual([expect.stringContaining('planted')]);
  });

  describe('by hand', () => {
    test('the keyboard starts and stops a run, and the URL keeps the settings', async () => {
      const page = await visit.open();
      await open(page, 'hidden=32&steps=4&batch=2&opponents=&seconds=30');
      await page.getByLabel('Layers').fill('2');
      await page.getByLabel('Layers').press('Enter');
      await page.locator('#stop:enabled').waitFor();
      await page.locator('#doing', { hasText: 'engines run in turn' }).waitFor();
      await page.locator('#stop').focus();
      await page.keyboard.press('Enter');
      const { report, rows } = await finished(page);
      expect([report, rows]).toEqual([undefined, []]);
      expect(await page.locator('#doing').innerText()).toMatch(/^Stopped\./);
      const query = new URL(page.url()).searchParams;
      expect(Object.fromEntries(query)).toEqual({
        cell: 'lstm',
        hidden: '32',
        batch: '2',
        steps: '4',
        layers: '2',
        bidirectional: '0',
        opponents: '',
        seconds: '30',
      });
      expect(await page.evaluate(() => document.activeElement!.id)).toBe('start');
    });
  });
});
