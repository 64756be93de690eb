// The page of clean voices in a browser, as built: what the denoiser comes to, a microphone, a block that is held up, files of a
// visitor, and use without eyes or mouse.
import { existsSync, readFileSync } from 'node:fs';
import type { Page } from 'playwright';
import { describe, expect, test } from 'vitest';
import type { Published } from '../../demo/clean/publish.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { halvingModel } from '../support/sound-model.ts';
import { violations, visitDemo } from './pages.ts';
import { recordingPath } from './silero.ts';

const ULUNAS = new URL(
  '../../../shared/data/models/ul-unas/ulunas_stream_simple.onnx',
  import.meta.url,
);

describe('the page of clean voices', ONLY_IN_FULL, () => {
  const visit = visitDemo({
    args: [
      '--use-fake-device-for-media-stream', // a microphone that hears the recording
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${recordingPath}`,
    ],
  });

  const text = (page: Page, id: string) => page.locator(`#${id}`).innerText();
  const published = async (page: Page) =>
    (await page.evaluate(() => (window as { __clean?: Published })['__clean'])) as Published;

  async function open(page: Page): Promise<Page> {
    await page.goto(`${visit.site.url}clean/`);
    await page.locator('#start:enabled').waitFor();
    return page;
  }

  /** Waits until so many blocks have been computed. */
  const computed = (page: Page, blocks: number) =>
    page.waitForFunction(
      (wanted) =>
        ((window as { __clean?: Published })['__clean']?.statistics?.blocks ?? 0) >= wanted,
      blocks,
    );

  const choose = (page: Page, name: string, bytes: Uint8Array) =>
    page
      .locator('#file')
      .setInputFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) });

  test.each(['fan', 'voices', 'keys', 'hiss'])(
    'the sample has less of %s afterwards',
    async (noise) => {
      const page = await open(await visit.open({}, visit.bare));
      await page.locator('#noise').selectOption(noise);
      await page.locator('#start:enabled').waitFor();
      const { gain, latency, model } = await published(page);
      expect(model).toBe('The built-in denoiser');
      expect(gain!.before).toBeCloseTo(5, 0);
      // Other voices are beyond it, and it must not spoil the one that is meant.
      expect(gain!.after - gain!.before).toBeGreaterThan(noise === 'voices' ? -1 : 2.5);
      expect(latency).toBeCloseTo((512 - 128) / 16_000, 9);
      expect(await text(page, 'latency')).toBe('24 ms');
      expect(await text(page, 'gain')).toBe(
        `${gain!.before.toFixed(1)} → ${gain!.after.toFixed(1)} dB`,
      );
    },
  );

  test.each(['light', 'dark'] as const)(
    'axe finds nothing in the %s theme',
    async (colorScheme) => {
      const page = await open(await visit.open({ colorScheme }));
      expect(await violations(page)).toEqual([]);
      await page.locator('#start').click();
      await computed(page, 5);
      expect(await violations(page)).toEqual([]);
    },
  );

  test('nothing is wider than 320 px', async () => {
    const page = await open(await visit.open({ viewport: { width: 320, height: 640 } }));
    const widths = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return [scrollWidth, clientWidth];
    });
    expect(widths[0]).toBe(widths[1]);
    expect(await violations(page)).toEqual([]);
  });

  test('a microphone goes through the audio thread', async () => {
    const page = await open(await visit.open({ permissions: ['microphone'] }));
    await page.getByLabel('Microphone').check();
    expect(await page.locator('#monitor').isChecked()).toBe(false);
    await page.locator('#start').click();
    await computed(page, 100);
    await page.waitForFunction(
      () => ((window as { __clean?: Published })['__clean']?.levels?.[0] ?? -100) > -60,
    );
    expect(await text(page, 'at-once')).toMatch(/^\d+(\.\d\d)? ms$/);
    expect(await text(page, 'mean')).toMatch(/^\d+(\.\d\d)? ms$/);
    expect(await text(page, 'meter-text')).toMatch(/^\d+ % of \d+(\.\d+)? ms on average/);
    await page.locator('#stop').click();
    expect((await published(page)).running).toBe(false);
  });

  test('a block that is held up is told, the original is heard, and the network comes back', async () => {
    const page = await open(await visit.open());
    await page.locator('#start').click();
    await computed(page, 20);
    await page.locator('#strain').click();
    await page.locator('#notice-title', { hasText: 'A block came too late.' }).waitFor();
    expect(await text(page, 'notice')).toMatch(/It took \d+ of \d+ ms/);
    const before = await published(page);
    expect(before.starved).toBeGreaterThan(0);
    await page.waitForFunction(
      () => ((window as { __clean?: Published })['__clean']?.recovered ?? 0) > 0,
    );
    await computed(page, before.statistics!.blocks + 20);
    expect((await published(page)).statistics!.misses).toBeGreaterThan(0);
    expect(await text(page, 'misses')).toMatch(/^\d+ of \d+, \d+ bypass/);
  });

  describe('files of a visitor', () => {
    test('a model with named states is fed as it wants, and can be left again', async () => {
      const page = await open(await visit.open());
      await choose(page, 'states.onnx', gruOfSamples(160));
      await page.locator('#notice-title', { hasText: 'states.onnx: ready' }).waitFor();
      expect(await text(page, 'states')).toBe('h_out → h_in');
      expect(await text(page, 'feeding')).toMatch(/samples → samples; 16000 Hz, hop 160/);
      expect((await published(page)).latency).toBeCloseTo((160 - 32) / 16_000, 9);
      await page.locator('#start').click();
      await computed(page, 20);
      await page.locator('#builtin').click();
      await page.locator('#notice-title', { hasText: 'The built-in denoiser' }).waitFor();
      expect(await page.locator('#builtin').isHidden()).toBe(true);
    });

    test('a mask of one half for another spectrum, with another hop', async () => {
      const page = await open(await visit.open());
      await page.locator('#overlap').selectOption('4');
      await choose(page, 'half.onnx', halvingModel(161));
      await page.locator('#notice-title', { hasText: 'half.onnx: ready' }).waitFor();
      const { gain } = await published(page);
      expect(gain!.after).toBeCloseTo(gain!.before, 3); // SI-SDR counts no loudness
      expect(await text(page, 'feeding')).toMatch(/magnitudes → factors; 16000 Hz, hop 80/);
    });

    test('what does not fit is refused with the reason, and what was there stays', async () => {
      const page = await open(await visit.open());
      for (const [name, bytes, reason] of [
        [
          'names.onnx',
          gruOfSamples(160, ['a', 'b']),
          /MODEL_MISFIT[^]*0 states were recognised by name/,
        ],
        ['nothing.onnx', Uint8Array.of(1, 2, 3), /could not be read as an ONNX model/],
      ] as const) {
        await choose(page, name, bytes);
        await page.locator('#notice[data-tone=error]').waitFor();
        expect(await text(page, 'notice')).toMatch(reason);
        expect((await published(page)).model).toBe('The built-in denoiser');
        expect(await page.locator('#start').isEnabled()).toBe(true);
        await choose(page, 'half.onnx', halvingModel(257));
        await page.locator('#notice-title', { hasText: 'half.onnx: ready' }).waitFor();
        await page.locator('#builtin').click();
        await page.locator('#notice-title', { hasText: 'The built-in denoiser' }).waitFor();
      }
      expect(await violations(page)).toEqual([]);
    });

    test.skipIf(!existsSync(ULUNAS))(
      'a published enhancer of complex spectra cleans the sample',
      async () => {
        const page = await open(await visit.open());
        await choose(page, 'ulunas.onnx', readFileSync(ULUNAS));
        await page.locator('#notice-title', { hasText: 'ulunas.onnx: ready' }).waitFor();
        const { gain } = await published(page);
        expect(gain!.after - gain!.before).toBeGreaterThan(3);
        expect(await text(page, 'states')).toMatch(/→.*→.*→/);
      },
    );
  });

  test('a microphone that cannot be had is explained', async () => {
    const page = await visit.open();
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('injected', 'NotAllowedError'));
    });
    await open(page);
    await page.getByLabel('Microphone').check();
    await page.locator('#start').click();
    await page.locator('#notice-detail', { hasText: 'MICROPHONE_DENIED' }).waitFor();
    expect(await page.locator('#start').isEnabled()).toBe(true);
  });

  test('a machine without a device for sound is told, and can try again', async () => {
    const page = await visit.open();
    await page.addInitScript(() => {
      AudioContext.prototype.resume = () => new Promise(() => undefined); // as in Firefox
    });
    await open(page);
    await page.locator('#start').click();
    await page.locator('#notice-detail', { hasText: 'OUTPUT_ABSENT' }).waitFor();
    await page.locator('#start:enabled').waitFor();
    expect((await published(page)).running).toBe(false);
  });

  test('the keyboard alone starts, compares by one key, and stops', async () => {
    const page = await open(await visit.open());
    const focused = () =>
      page.evaluate(() => document.activeElement!.id || document.activeElement!.textContent);
    const order: (string | null)[] = [];
    for (let i = 0; i < 10; i++) {
      await page.keyboard.press('Tab');
      order.push(await focused());
    }
    expect(order.slice(0, 8)).toEqual([
      'Skip to the denoiser',
      'webgpu-rnn',
      'Voice activity',
      'Clean voice',
      'Gates',
      'Inspector',
      'Benchmark',
      'theme',
    ]);
    expect(order[9]).toBe('start');
    await page.keyboard.press('Enter');
    await computed(page, 5);
    expect(await focused()).toBe('stop'); // for the button that was pressed is disabled meanwhile
    expect(await text(page, 'verdict-word')).toBe('Cleaned');
    await page.keyboard.press('b');
    expect(await text(page, 'verdict-word')).toBe('Original');
    expect(await text(page, 'announcer')).toBe('The original is heard.');
    await page.keyboard.press('b');
    expect(await text(page, 'verdict-word')).toBe('Cleaned');
    await page.locator('#key').uncheck();
    await page.keyboard.press('b');
    expect(await text(page, 'verdict-word')).toBe('Cleaned');
    await page.locator('#stop').focus();
    await page.keyboard.press('Enter');
    expect((await published(page)).running).toBe(false);
    expect(await focused()).toBe('start');
  });
});

/** A GRU over blocks of samples whose state is an input and an output of the file. */
function gruOfSamples(
  hop: number,
  [before, after]: readonly [string, string] = ['h_in', 'h_out'],
): Uint8Array {
  const zeros = (count: number) => new Float32Array(count);
  const state = { type: 'float32', dims: [1, 1, hop] } as const;
  return writeOnnx({
    inputs: [
      { name: 'x', type: 'float32', dims: [1, 1, hop] },
      { name: before, ...state },
    ],
    outputs: [
      { name: 'y', type: 'float32', dims: [1, 1, 1, hop] },
      { name: after, ...state },
    ],
    initializers: {
      W: tensor(
        zeros(3 * hop * hop).map((_, i) => (i % (hop + 1) === 0 ? 0.5 : 0)),
        [1, 3 * hop, hop],
      ),
      R: tensor(zeros(3 * hop * hop), [1, 3 * hop, hop]),
    },
    nodes: [
      {
        op: 'GRU',
        name: 'gru',
        inputs: ['x', 'W', 'R', '', '', before],
        outputs: ['y', after],
        attributes: { hidden_size: hop },
      },
    ],
  });
}
