// The voice page in a browser, as built: verdicts, sources, failures, and use without eyes or mouse.
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
import { chromium } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Published } from '../../demo/vad/result.ts';
import { chromiumOptions } from '../setup/chromium.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';
import { violations, visitDemo } from './pages.ts';
import { heard, probabilities, recordingPath, recordingSamples } from './silero.ts';

const FRAME = 0.032; // seconds
const spoken = heard.filter(({ speech }) => speech);
const INSECURE = 'plain.test'; // any name but localhost makes http insecure

describe('the voice page', ONLY_IN_FULL, () => {
  const visit = visitDemo({
    args: [
      '--use-fake-device-for-media-stream', // a microphone that hears the recording
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${recordingPath}`,
    ],
    bareArgs: [`--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`],
    hosts: [INSECURE],
  });
  let truth: number[]; // ONNX Runtime on the recording
  beforeAll(async () => {
    truth = await probabilities(recordingSamples());
  });

  const published = (page: Page) =>
    page.evaluate(() => (window as { __vad?: Published })['__vad']) as Promise<Published>;

  async function finished(page: Page): Promise<Published> {
    await page.waitForFunction(() => '__vad' in window);
    return published(page);
  }

  /** Waits until at least so many frames have been judged. */
  const judged = (page: Page, frames: number) =>
    page.waitForFunction(
      (wanted) => parseInt(document.getElementById('judged')!.textContent, 10) >= wanted,
      frames,
    );

  const text = (page: Page, id: string) => page.locator(`#${id}`).innerText();
  const ready = (page: Page) => page.locator('#play:enabled').waitFor();

  function worstDifference(got: readonly number[], want: readonly number[]): number {
    expect(got.length).toBeGreaterThan(0);
    const differences = got.map((value, i) => Math.abs(value - want[i]!));
    return differences.reduce((max, x) => (x <= max ? max : x), 0); // NaN wins
  }

  describe('the recording, judged at once', () => {
    let page: Page; // one for all of these: judging it takes seconds where a CPU stands in for the GPU
    let result: Published;

    beforeAll(async () => {
      page = await visit.open();
      visit.pages = []; // kept open from test to test
      await page.goto(`${visit.site.url}?run=1&device=webgpu`);
      result = await finished(page);
    });

    afterAll(() => page.context().close());

    test('speech is found where it is, and nothing else is taken for speech', async () => {
      const { done, error, segments, backend, adapter, frameMs } = result;
      expect(error).toBeUndefined();
      expect(done).toBe(true);
      expect(backend).toBe('webgpu');
      expect(adapter).toMatch(/\w/);
      expect(frameMs).toBeGreaterThan(0);

      expect(segments.length).toBe(spoken.length);
      spoken.forEach(({ start, end }, i) => {
        expect(Math.abs(segments[i]!.start - start)).toBeLessThan(0.2);
        expect(Math.abs(segments[i]!.end - end)).toBeLessThan(0.2);
      });
      result.probabilities.forEach((probability, frame) => {
        const near = spoken.some(
          ({ start, end }) => (frame + 1) * FRAME > start - 0.2 && frame * FRAME < end + 0.2,
        );
        if (!near) expect(probability, `at ${(frame * FRAME).toFixed(2)} s`).toBeLessThan(0.2);
      });
    });

    test('the probabilities are those of ONNX Runtime', () => {
      expect(result.probabilities.length).toBe(truth.length);
      // Sums of some hundred products of order one in float32, then a sigmoid, come to 1e-5; states carry it on.
      expect(worstDifference(result.probabilities, truth)).toBeLessThan(1e-4);
    });

    test('the table and the spoken summary say the same', async () => {
      const rows = await page.locator('#segments tr').allInnerTexts();
      expect(rows.length).toBe(spoken.length);
      expect(rows[0]).toMatch(/^1\s+1\.\d\d s\s+4\.\d\d s\s+3\.\d\d s$/);
      expect(await text(page, 'verdict-word')).toBe('Speech found');
      expect(await text(page, 'announcer')).toMatch(/4 passages of speech/);
    });

    test('a software adapter is named as what it is', async () => {
      const software = /swiftshader|software|llvmpipe/i.test(result.adapter!);
      expect((await text(page, 'notice')).includes('the CPU imitates a GPU')).toBe(software);
      expect(await text(page, 'adapter')).toBe(result.adapter);
    });

    test.each(['light', 'dark'] as const)(
      'axe finds nothing in the %s theme',
      async (colorScheme) => {
        await page.emulateMedia({ colorScheme });
        expect(await violations(page)).toEqual([]);
      },
    );

    test('nothing is wider than 320 px', async () => {
      await page.setViewportSize({ width: 320, height: 640 });
      const { scrollWidth, clientWidth } = await page.evaluate(() => {
        const { scrollWidth: content, clientWidth: screen } = document.documentElement;
        return { scrollWidth: content, clientWidth: screen };
      });
      expect(scrollWidth).toBe(clientWidth);
      expect(await violations(page)).toEqual([]);
    });

    test('the threshold moves the verdicts and not the probabilities', async () => {
      const before = await text(page, 'segments');
      await page.locator('#threshold').fill('0.95');
      expect(await text(page, 'threshold-value')).toBe('0.95');
      expect(await text(page, 'segments')).not.toBe(before);
      await page.locator('#threshold').fill('0.5');
      expect(await text(page, 'segments')).toBe(before);
    });

    test('it can be saved', async () => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.locator('#save').click(),
      ]);
      const saved = JSON.parse(await readFile(await download.path(), 'utf8'));
      expect(saved.segments).toEqual(result.segments);
      expect(worstDifference(saved.probabilities, result.probabilities)).toBeLessThan(1e-6);
    });

    test('another run begins from nothing, whatever was judged before', async () => {
      await page.evaluate(() => delete (window as { __vad?: Published })['__vad']);
      await page.locator('#judge').click();
      await judged(page, 40);
      await page.locator('#stop').click();
      const again = (await finished(page)).probabilities;
      expect(worstDifference(again, result.probabilities)).toBe(0);
    });
  });

  test('played, the recording is judged as it is heard, and Stop keeps what was found', async () => {
    const page = await visit.open();
    await page.goto(visit.site.url);
    await ready(page);
    const start = Date.now();
    await page.locator('#play').click();
    await judged(page, 45);
    expect(await text(page, 'verdict-word')).toBe('Speech');
    expect(await text(page, 'behind')).toMatch(/^\d+ ms$/);
    await page.locator('#stop').click();
    const elapsed = (Date.now() - start) / 1000;
    const { probabilities: found } = await finished(page);
    expect(found.length * FRAME).toBeLessThan(elapsed);
    expect(worstDifference(found, truth)).toBeLessThan(1e-4);
    await page.locator('#reset').click();
    expect(await text(page, 'judged')).toBe('–');
    expect(await text(page, 'verdict-word')).toBe('No verdict');
  });

  describe('other sounds', () => {
    test('the microphone is judged while it hears, frame by frame', async () => {
      const page = await visit.open({ permissions: ['microphone'] });
      await page.goto(visit.site.url);
      await ready(page);
      await page.getByLabel('Microphone').check();
      await page.getByRole('button', { name: 'Listen' }).click();
      await judged(page, 60);
      await page.locator('#verdict[data-verdict=speech]').waitFor();
      await page.locator('#stop').click();
      const { probabilities: found, done } = await finished(page);
      expect(done).toBe(true);
      expect(Math.max(...found)).toBeGreaterThan(0.9);
      expect(Math.min(...found)).toBeLessThan(0.1);
    });

    test('a file in stereo at another rate is judged like the recording', async () => {
      const page = await visit.open();
      await page.goto(visit.site.url);
      await ready(page);
      await page.getByLabel('File', { exact: true }).check();
      const buffer = stereo32k(recordingSamples().subarray(0, 5 * 16_000));
      await page
        .locator('#file')
        .setInputFiles({ name: 'talk.wav', mimeType: 'audio/wav', buffer });
      const { segments } = await finished(page);
      expect(segments.length).toBe(1);
      expect(Math.abs(segments[0]!.start - spoken[0]!.start)).toBeLessThan(0.2);
      expect(await text(page, 'hint')).toBe('talk.wav, 5.0 s.');
    });

    test('a file that is no sound is refused, and the page goes on', async () => {
      const page = await visit.open();
      await page.goto(visit.site.url);
      await ready(page);
      await page.getByLabel('File', { exact: true }).check();
      const buffer = Buffer.from('this is text');
      await page.locator('#file').setInputFiles({ name: 'a.wav', mimeType: 'audio/wav', buffer });
      await page.locator('#notice[data-tone=error]').waitFor();
      expect(await text(page, 'notice')).toMatch(/Choose a sound file[^]*FILE_UNREADABLE/);
      await page.getByRole('radio', { name: 'Recording' }).check();
      await page.locator('#judge:enabled').waitFor();
    });
  });

  describe('what can go wrong', () => {
    test('without a GPU the page says so, and works on the CPU', async () => {
      const page = await visit.open({}, visit.bare);
      await page.goto(visit.site.url);
      await ready(page);
      expect(await text(page, 'backend')).toBe('wasm');
      expect(await text(page, 'notice')).toMatch(
        /no adapter[^]*CPU computes[^]*hardware acceleration/,
      );
      await page.locator('#judge').click();
      const { probabilities: found } = await finished(page);
      expect(worstDifference(found, truth)).toBeLessThan(1e-4);
      expect(await violations(page)).toEqual([]);
    });

    test('WebGPU insisted on and absent is an error with a way out', async () => {
      const page = await visit.open({}, visit.bare);
      await page.goto(`${visit.site.url}?device=webgpu`);
      await page.locator('#notice[data-tone=error]').waitFor();
      expect(await text(page, 'notice')).toMatch(/NO_ADAPTER[^]*device/);
      expect(await violations(page)).toEqual([]);
      await page.getByLabel('Compute with').selectOption('auto');
      await ready(page);
    });

    test('an insecure page says that it is why, for WebGPU and microphone', async () => {
      const page = await visit.open({}, visit.bare);
      await page.goto(`http://${INSECURE}:${visit.site.port}/`);
      await ready(page);
      expect(await text(page, 'notice')).toMatch(/no WebGPU here[^]*https/);
      await page.getByLabel('Microphone').check();
      await page.getByRole('button', { name: 'Listen' }).click();
      await page.locator('#notice[data-tone=error]').waitFor();
      expect(await text(page, 'notice')).toMatch(/MICROPHONE_INSECURE/);
    });

    test('a microphone that cannot be had is explained', async () => {
      const page = await visit.open();
      await page.addInitScript(() => {
        navigator.mediaDevices.getUserMedia = () => {
          const { refusal } = window as unknown as { refusal: string };
          return Promise.reject(new DOMException('injected', refusal));
        };
      });
      await page.goto(visit.site.url);
      await ready(page);
      await page.getByLabel('Microphone').check();
      for (const [name, code, next] of [
        ['NotAllowedError', 'MICROPHONE_DENIED', /address bar/],
        ['NotFoundError', 'MICROPHONE_ABSENT', /Plug one in/],
        ['NotReadableError', 'MICROPHONE_BUSY', /program that uses it/],
      ] as const) {
        await page.evaluate((refusal) => Object.assign(window, { refusal }), name);
        await page.getByRole('button', { name: 'Listen' }).click();
        await page.locator('#notice-detail', { hasText: code }).waitFor();
        expect(await text(page, 'notice-next')).toMatch(next);
        expect(await page.locator('#play').isEnabled()).toBe(true);
      }
    });

    test('a model that does not arrive can be loaded again', async () => {
      const page = await visit.open();
      await page.context().route('**/*.onnx', (route) => route.fulfill({ status: 404, body: '' }));
      await page.goto(visit.site.url);
      await page.locator('#reload').waitFor();
      expect(await text(page, 'notice')).toMatch(/FETCH_FAILED · source · [^]*404/);
      await page.context().unrouteAll();
      await page.locator('#reload').click();
      await ready(page);
      visit.complaints = visit.complaints.filter((complaint) => !/404/.test(complaint)); // the one that was made here
    });

    test('a GPU that goes away comes back, and no frame is left out', async () => {
      const own = await chromium.launch(chromiumOptions); // its GPU process crashes
      try {
        const page = await visit.open({}, own);
        await page.goto(`${visit.site.url}?device=webgpu`);
        await ready(page);
        await page.locator('#play').click();
        await judged(page, 5);
        const devtools = await own.newBrowserCDPSession();
        await devtools.send('Browser.crashGpuProcess');
        await page.locator('#notice-detail', { hasText: 'DEVICE_LOST' }).waitFor();
        await page.locator('#notice-title', { hasText: 'The GPU is back.' }).waitFor();
        const { probabilities: found } = await finished(page);
        expect(found).toHaveLength(truth.length);
        expect(worstDifference(found, truth)).toBeLessThan(1e-4);
        visit.complaints = visit.complaints.filter(
          (complaint) => !/GPU|external Instance/.test(complaint),
        ); // Chromium's own words
      } finally {
        await own.close();
        visit.pages = [];
      }
    });

    test('a GPU that stays away is reported, and the model can be loaded again', async () => {
      const own = await chromium.launch(chromiumOptions); // its GPU process crashes
      try {
        const page = await visit.open({}, own);
        await page.context().route('**/worker-*.js', async (route) => {
          const response = await route.fetch();
          const once = `const request = navigator.gpu.requestAdapter.bind(navigator.gpu);
          let requests = 0;
          navigator.gpu.requestAdapter = async (options) => (requests++ ? null : request(options));`;
          await route.fulfill({ response, body: `${once}${await response.text()}` });
        });
        await page.goto(`${visit.site.url}?device=webgpu`);
        await ready(page);
        await page.locator('#play').click();
        await judged(page, 5);
        const devtools = await own.newBrowserCDPSession();
        await devtools.send('Browser.crashGpuProcess');
        await page.locator('#notice-detail', { hasText: /DEVICE_LOST.*attempt 5 of 5/ }).waitFor();
        expect(await page.locator('#play').isDisabled()).toBe(true);
        await page.locator('#reload').click();
        await page.locator('#notice-detail', { hasText: 'NO_ADAPTER' }).waitFor();
        await page.locator('#device').selectOption('auto');
        await ready(page);
        expect(await text(page, 'backend')).toBe('wasm');
        await page.locator('#judge').click();
        await judged(page, 5);
        visit.complaints = visit.complaints.filter(
          (complaint) => !/GPU|external Instance/.test(complaint),
        ); // Chromium's own words
      } finally {
        await own.close();
        visit.pages = [];
      }
    });

    test('verdicts that come late are said to be late, and no frame is left out', async () => {
      const page = await visit.open({ permissions: ['microphone'] });
      await page.context().route('**/worker-*.js', async (route) => {
        const response = await route.fetch();
        const slow = `const post = globalThis.postMessage.bind(globalThis);
        globalThis.postMessage = (message, options) => {
          const until = performance.now() + 60 * (message.probabilities?.length ?? 0);
          while (performance.now() < until);
          post(message, options);
        };`;
        await route.fulfill({ response, body: `${slow}${await response.text()}` });
      });
      await page.goto(visit.site.url);
      await ready(page);
      await page.getByLabel('Microphone').check();
      await page.getByRole('button', { name: 'Listen' }).click();
      await judged(page, 1);
      const now = (): Promise<number> => page.evaluate(() => performance.now() / 1000);
      const start = await now();
      await page.locator('#hint', { hasText: 's late. No frame is left out.' }).waitFor();
      const heardFor = (await now()) - start;
      await page.locator('#stop').click();
      const before = parseInt(await text(page, 'judged'), 10);
      const { probabilities: found } = await finished(page);
      expect(found.length).toBeGreaterThan(before);
      // A frame takes twice as long to judge as to hear, so half of them would be missing if any were left out.
      // The microphone itself may lose some on a busy machine.
      expect(found.length * FRAME).toBeGreaterThan(0.75 * heardFor);
    });
  });

  describe('for everybody', () => {
    test('nothing moves as the page loads, on a narrow screen either', async () => {
      const page = await visit.open({ viewport: { width: 320, height: 640 } });
      await page.addInitScript(() => {
        const shifts: number[] = [];
        Object.assign(window, { shifts });
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            shifts.push((entry as unknown as { value: number }).value);
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await page.goto(visit.site.url);
      await ready(page);
      const shifts = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
      // 0.1 is what web.dev calls good; a line of text that wraps otherwise is about 0.01.
      expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.03);
    });

    test('the theme can be chosen, and stays chosen', async () => {
      const page = await visit.open({ colorScheme: 'light' });
      await page.goto(visit.site.url);
      await ready(page);
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await ground();
      await page.getByLabel('Theme').selectOption('dark');
      const dark = await ground();
      expect(dark).not.toBe(light);
      await page.reload();
      await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark');
      expect(await ground()).toBe(dark);
    });

    test('the keyboard alone judges, stops and changes the source', async () => {
      const page = await visit.open();
      await page.goto(`${visit.site.url}?device=webgpu`); // slow enough to be stopped
      await ready(page);
      const focused = () =>
        page.evaluate(() => document.activeElement!.id || document.activeElement!.textContent);
      const order: (string | null)[] = [];
      for (let i = 0; i < 11; i++) {
        await page.keyboard.press('Tab');
        order.push(await focused());
        const outline = await page.evaluate(() => {
          const element = document.activeElement!;
          // A radio button is drawn by the text next to it.
          const drawn = element.matches('[type=radio]') ? element.nextElementSibling! : element;
          const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
          return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
        });
        expect(outline, `focus on ${order.at(-1)} shows`).toBe(true);
      }
      expect(order.slice(0, 8)).toEqual([
        'Skip to the detector',
        'webgpu-rnn',
        'Voice activity',
        'Clean voice',
        'Gates',
        'Inspector',
        'Benchmark',
        'theme',
      ]);
      expect(order.slice(9)).toEqual(['play', 'judge']);
      await page.keyboard.press('Enter');
      await judged(page, 3);
      expect(await focused()).toBe('stop'); // for the button that was pressed is disabled meanwhile
      await page.keyboard.press('Enter');
      expect((await finished(page)).probabilities.length).toBeGreaterThan(2);
      expect(await focused()).toBe('play');
      while ((await focused()) === 'play') await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('ArrowRight');
      expect(await page.getByLabel('Microphone').isChecked()).toBe(true);
      expect(await text(page, 'play')).toBe('Listen');
    });
  });
});

/** A WAV file of two equal channels at 32 kHz, each sample twice. */
function stereo32k(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(44 + samples.length * 8);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(32_000, 24);
  bytes.writeUInt32LE(128_000, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples.length * 8, 40);
  samples.forEach((sample, i) => {
    for (let k = 0; k < 4; k++) bytes.writeInt16LE(Math.round(sample * 32767), 44 + 8 * i + 2 * k);
  });
  return bytes;
}
