// The page of clean voices: joins the session to the document.
import denoiserUrl from '../assets/denoiser.safetensors?url';
import recordingUrl from '../assets/speech.wav?url';
import { heldOut, gain as heldOutGain } from '../assets/denoiser.json';
import type { BlockStatistics } from 'webgpu-rnn';
import { byId } from '../shared/dom.ts';
import { fetchSound } from '../shared/sound-file.ts';
import { startTheme } from '../shared/theme.ts';
import { DENOISER, denoiserOf } from './denoiser.ts';
import type { Framing } from './fit.ts';
import { readDenoiser, type Denoiser } from './model.ts';
import { noticeOf, noticeOfMiss, noticeOfReady } from './problems.ts';
import { publish, type Published } from './publish.ts';
import { RATE, voicesOf, type NoiseName } from './sample.ts';
import { Session, type Source } from './session.ts';
import { COLUMNS, Spectrogram } from './spectrogram.ts';
import { columnsOf } from './spectrum.ts';
import * as view from './view.ts';

const CALM_MS = 500; // between drawings, for who asked for less motion
const HINTS: Readonly<Record<Source, string>> = {
  sample: 'Synthetic voices; the noise is computed here. It plays until you stop it.',
  microphone: 'Nothing is stored, and nothing leaves this page. Use headphones to hear yourself.',
};

const HARD =
  'Voices against a voice: a network as small as this one hardly tells them from each other.';

const button = (id: string) => byId(id, HTMLButtonElement);
const [startButton, switchButton, stopButton] = [button('start'), button('switch'), button('stop')];
const [strainButton, ownButton] = [button('strain'), button('builtin')];
const noiseSelect = byId('noise', HTMLSelectElement);
const ratioSlider = byId('ratio', HTMLInputElement);
const ratioValue = byId('ratio-value', HTMLOutputElement);
const monitor = byId('monitor', HTMLInputElement);
const keyTick = byId('key', HTMLInputElement);
const fileInput = byId('file', HTMLInputElement);
const framingSelects = ['rate', 'overlap', 'window'].map((id) => byId(id, HTMLSelectElement));
const sourceInputs = [...document.querySelectorAll<HTMLInputElement>('input[name=source]')];
const canvas = (id: string) => new Spectrogram(byId(id, HTMLCanvasElement));
const plots = [canvas('before'), canvas('after')] as const;

const counts = { starved: 0, recovered: 0 };
let statistics: BlockStatistics | undefined;
let levels: Published['levels'];
let file: File | undefined;
let builtIn: Denoiser | undefined;
let waitsForFocus = false;

const session = new Session({
  cleaned: (sample, denoiser) => {
    view.showModel(denoiser);
    view.showSample(sample);
    view.showNotice(noticeOfReady(denoiser));
    if (!session.live) showWhole();
    tell();
  },
  changed: () => {
    showButtons();
    tell();
  },
  starved: ({ elapsed, deadline }) => {
    counts.starved++;
    view.showNotice(noticeOfMiss(elapsed, deadline));
    for (const plot of plots) plot.push('missed');
    tell();
  },
  recovered: () => {
    counts.recovered++;
    if (session.denoiser) view.showNotice(noticeOfReady(session.denoiser));
    view.announce('The network is heard again.');
    tell();
  },
  failed: (error) => {
    view.showNotice(noticeOf(error));
    tell();
  },
});

const tell = (): void => publish(session, counts, statistics, levels);

/** Draws the whole sample. */
function showWhole(): void {
  const { sample } = session;
  if (!sample) return;
  view.showSampleCaption(sample.gain);
  const sounds = [sample.noisy, sample.cleaned.samples];
  plots.forEach((plot, k) => {
    plot.show(columnsOf(sounds[k]!, RATE, COLUMNS));
    plot.draw();
  });
}

/** Makes the buttons fit what can be done, and keeps the focus on one that works. */
function showButtons(): void {
  const { live, busy, denoiser, source, heard } = session;
  const focused = document.activeElement;
  startButton.disabled = busy || live !== undefined || !denoiser;
  stopButton.disabled = !live;
  strainButton.disabled = !live;
  switchButton.textContent = heard === 'cleaned' ? 'Hear the original' : 'Hear the cleaned';
  ownButton.hidden = denoiser === undefined || denoiser === builtIn;
  const isHard = source === 'sample' && noiseSelect.value === 'voices';
  view.showHint(isHard ? HARD : HINTS[source]);
  view.showHeard(heard, live !== undefined);
  const isLost =
    focused instanceof HTMLButtonElement && (focused.disabled || focused.hidden !== false);
  // While sound is being opened no button works: the focus waits, unless it was put elsewhere meanwhile.
  const isWaiting = waitsForFocus && (!focused || focused === document.body);
  const working = [stopButton, startButton].find(({ disabled }) => !disabled);
  waitsForFocus = isLost || isWaiting;
  if (!waitsForFocus || !working) return;
  working.focus();
  waitsForFocus = false;
}

const framing = (): Framing => {
  const [rate, overlap, window] = framingSelects.map(({ value }) => value);
  return {
    sampleRate: Number(rate),
    overlap: Number(overlap),
    window: window as Framing['window'],
  };
};

const remake = (denoiser: Denoiser): Promise<boolean> =>
  session.make(noiseSelect.value as NoiseName, Number(ratioSlider.value), denoiser);

/** Takes a visitor's model in the place of the one at hand, if it fits. */
async function openModel(chosen: File): Promise<void> {
  file = chosen;
  view.showNotice({
    tone: 'plain',
    title: `Reading ${chosen.name} …`,
    next: 'Then it cleans the sample, as a trial.',
  });
  try {
    await remake(await readDenoiser(chosen, framing()));
  } catch (error) {
    view.showNotice(noticeOf(error));
  }
}

async function start(): Promise<void> {
  statistics = undefined;
  await session.start();
  const { live } = session;
  if (!live) return;
  live.audible = monitor.checked;
  view.showThread(live.context, live.label);
  view.showLatency(live.node.latency);
  view.showLiveCaption();
  for (const plot of plots) plot.show([]);
}

function stop(): void {
  session.stop();
  showWhole();
}

function switchHeard(): void {
  session.hear(session.heard === 'cleaned' ? 'original' : 'cleaned');
  view.showHeard(session.heard, session.live !== undefined, true);
}

for (const input of sourceInputs) {
  input.addEventListener('change', () => {
    monitor.checked = input.value === 'sample'; // a microphone next to a loudspeaker would howl
    session.choose(input.value as Source);
    showWhole();
  });
}
startButton.addEventListener('click', () => void start());
stopButton.addEventListener('click', stop);
switchButton.addEventListener('click', switchHeard);
strainButton.addEventListener('click', () => session.live?.strain());
ownButton.addEventListener('click', () => {
  file = undefined;
  fileInput.value = '';
  void remake(builtIn!);
});
monitor.addEventListener('change', () => {
  if (session.live) session.live.audible = monitor.checked;
});
noiseSelect.addEventListener('change', () => session.denoiser && remake(session.denoiser));
ratioSlider.addEventListener('input', () => {
  ratioValue.value = `${ratioSlider.value} dB`;
});
ratioSlider.addEventListener('change', () => session.denoiser && remake(session.denoiser));
fileInput.addEventListener('change', () => {
  const [chosen] = fileInput.files ?? [];
  if (chosen) void openModel(chosen);
});
for (const select of framingSelects) {
  select.addEventListener('change', () => file && openModel(file));
}
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  const [chosen] = event.dataTransfer?.files ?? [];
  if (chosen) void openModel(chosen);
});
addEventListener('keydown', (event) => {
  const { key, ctrlKey, altKey, metaKey, target } = event;
  const isTyping = target instanceof HTMLSelectElement;
  if (key.toLowerCase() !== 'b' || ctrlKey || altKey || metaKey || isTyping) return;
  if (keyTick.checked) switchHeard();
});
startTheme(byId('theme', HTMLSelectElement), () => {
  for (const plot of plots) plot.recolor();
});

const calm = matchMedia('(prefers-reduced-motion: reduce)');
let drawn = 0;
function frame(now: number): void {
  const { live } = session;
  if (live) {
    const columns = live.columns();
    levels = columns.map((column) => Math.max(...column)) as unknown as Published['levels'];
    plots.forEach((plot, k) => plot.push(columns[k]!));
    if (!calm.matches || now - drawn > CALM_MS) {
      for (const plot of plots) plot.draw();
      drawn = now;
    }
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

async function measure(): Promise<void> {
  const { live } = session;
  if (!live) return;
  const latest = await live.statistics();
  if (live !== session.live) return;
  statistics = latest;
  view.showTimes(latest, session.starvations);
  tell();
}
// A sound that is stopped meanwhile answers no more, and refuses the question.
const isStopped = (error: unknown): boolean => (error as { code?: string }).code === 'DISPOSED';
setInterval(() => {
  measure().catch((error: unknown) => {
    if (!isStopped(error)) view.showNotice(noticeOf(error));
  });
}, 500);

/** The figure of the training script, which stands in the page. */
function showHeldOut(): void {
  const ratios = heldOut.map(({ snr }) => snr);
  const text = `${heldOutGain.toFixed(1)} dB SI-SDR on average, at ${Math.min(...ratios)} to ${Math.max(...ratios)} dB, on voices and sentences that it had not heard`;
  byId('heldout', HTMLElement).textContent = text;
}

async function load(): Promise<void> {
  showHeldOut();
  try {
    const [recording, response] = await Promise.all([
      fetchSound(recordingUrl, RATE),
      fetch(denoiserUrl),
    ]);
    if (!response.ok) {
      const { status } = response;
      throw Object.assign(new Error(`answered ${status}`), { code: 'FETCH_FAILED' });
    }
    session.provide(voicesOf(recording));
    const model = denoiserOf(await response.arrayBuffer());
    builtIn = { name: 'The built-in denoiser', model, fit: DENOISER };
    await remake(builtIn);
  } catch (error) {
    view.showNotice(noticeOf(error));
  }
}
void load();
