// The voice page: joins the session to the document.
import modelUrl from '@ricky0123/vad-web/dist/silero_vad_v5.onnx?url';
import recordingUrl from '../assets/speech.wav?url';
import { byId } from '../shared/dom.ts';
import { fetchSound, readSound } from '../shared/sound-file.ts';
import { startTheme } from '../shared/theme.ts';
import { mendLanguage } from '../shared/valid-language.ts';
import { FRAME_SECONDS, SAMPLE_RATE } from './framing.ts';
import type { Device, Failure } from './messages.ts';
import { noticeOf, noticeOfLoss, noticeOfPlacement, noticeOfRecovery } from './problems.ts';
import { publish, saveResult } from './result.ts';
import type { Source } from './session.ts';
import { Session } from './session.ts';
import { writeTranscript } from './transcript.ts';
import * as view from './view.ts';

const WINDOW = 20; // seconds on the axis while sound comes in
const WHOLE = 60; // seconds up to which a sound is shown whole while it is judged
const CALM_MS = 500; // between drawings, for who asked for less motion
const PRIVATE = 'Nothing is stored, and nothing leaves this page.';
const hints: Record<Source, string> = {
  recording: '17.5 s: three synthetic voices, and between them typing, a fan, a chime.',
  microphone: PRIVATE,
  file: 'No file chosen.',
};

const query = new URLSearchParams(location.search);
const button = (id: string) => byId(id, HTMLButtonElement);
const [playButton, judgeButton, stopButton] = [button('play'), button('judge'), button('stop')];
const [resetButton, saveButton, reloadButton] = [button('reset'), button('save'), button('reload')];
const fileInput = byId('file', HTMLInputElement);
const fileLabel = byId('file-label', HTMLElement);
const slider = byId('threshold', HTMLInputElement);
const sliderValue = byId('threshold-value', HTMLOutputElement);
const deviceSelect = byId('device', HTMLSelectElement);
const sourceInputs = [...document.querySelectorAll<HTMLInputElement>('input[name=source]')];
let loss: string | undefined; // the latest of the GPU, in words
let moved = true; // whether there is something new to draw

const session = new Session(Number(slider.value), {
  progress: view.showProgress,
  compiling: () => {
    const next = 'Its shaders are compiled and tried, once.';
    view.showNotice({ tone: 'plain', title: 'Preparing the model …', next });
  },
  ready: (placement) => {
    view.showPlacement(placement);
    view.showNotice(noticeOfPlacement(placement));
    view.announce('The model is ready.');
    if (query.get('run') === '1') void recording.then(() => session.start('judge'));
  },
  lost: (failure) => {
    loss = noticeOf(failure).detail;
    view.showNotice(noticeOfLoss(failure));
  },
  recovered: (placement) => {
    view.showPlacement(placement);
    view.showNotice(noticeOfRecovery(loss));
  },
  moved: () => {
    moved = true;
    const { run } = session;
    view.showVerdict(session.track, run !== undefined && run.kind !== 'judge');
  },
  changed: () => {
    refresh();
    showButtons();
  },
  started: (label) => {
    if (session.placement) view.showNotice(noticeOfPlacement(session.placement));
    if (label) hints.microphone = `${label}. ${PRIVATE}`;
  },
  finished: () => {
    if (session.track.judged > 0) view.showSummary(session.track);
    publish(session.track, session.placement);
  },
  failed: (failure) => {
    view.showNotice(noticeOf(failure));
    publish(session.track, session.placement, failure);
  },
});

const recording = fetchSound(recordingUrl, SAMPLE_RATE)
  .then((samples) => session.provide('recording', samples))
  .catch((error: unknown) => session.fail(error as Failure));

/** Makes the buttons fit what can be done, and keeps the focus on one that works. */
function showButtons(): void {
  const { run, opening, placement, source, samples, track } = session;
  const idle = placement !== undefined && !opening && run === undefined;
  const focused = document.activeElement;
  playButton.textContent = source === 'microphone' ? 'Listen' : 'Play and judge';
  playButton.disabled = !idle || (source !== 'microphone' && !samples);
  judgeButton.disabled = !idle || !samples;
  stopButton.disabled = run === undefined;
  resetButton.disabled = run === undefined && track.judged === 0;
  saveButton.disabled = run !== undefined || track.judged === 0;
  if (focused instanceof HTMLButtonElement && focused.disabled) {
    [stopButton, playButton].find(({ disabled }) => !disabled)?.focus();
  }
}

/** Writes what changes too often to be written with every frame. */
function refresh(): void {
  const { track, late, source } = session;
  view.showFigures(track, late);
  view.showSegments(track);
  const slow = late !== undefined && late > 0.5;
  view.showHint(
    slow ? `The verdict comes ${late.toFixed(1)} s late. No frame is left out.` : hints[source],
  );
}

function choose(source: Source): void {
  for (const input of sourceInputs) input.checked = input.value === source;
  fileLabel.hidden = source !== 'file';
  session.choose(source);
}

async function open(file: File): Promise<void> {
  choose('file');
  try {
    const samples = await readSound(file, SAMPLE_RATE);
    hints.file = `${file.name}, ${(samples.length / SAMPLE_RATE).toFixed(1)} s.`;
    session.provide('file', samples);
    await session.start('judge');
  } catch (error) {
    session.fail(error as Failure);
  }
}

function load(): void {
  const next = '2.3 MB, once.';
  view.showNotice({ tone: 'plain', title: 'Loading the model …', next });
  session.load(modelUrl, deviceSelect.value as Device);
}

for (const input of sourceInputs) {
  input.addEventListener('change', () => choose(input.value as Source));
}
playButton.addEventListener('click', () => {
  void session.start(session.source === 'microphone' ? 'listen' : 'play');
});
judgeButton.addEventListener('click', () => void session.start('judge'));
stopButton.addEventListener('click', () => session.stop());
resetButton.addEventListener('click', () => session.clear());
saveButton.addEventListener('click', () => {
  if (session.placement) saveResult(session.track, session.placement, Number(slider.value));
});
reloadButton.addEventListener('click', load);
deviceSelect.addEventListener('change', load);
fileInput.addEventListener('change', () => {
  const file = fileInput.files?.[0];
  if (file) void open(file);
});
slider.addEventListener('input', () => {
  const threshold = Number(slider.value);
  sliderValue.value = threshold.toFixed(2);
  session.threshold = threshold;
  refresh();
});
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void open(file);
});

const wanted = query.get('device');
if ([...deviceSelect.options].some(({ value }) => value === wanted)) deviceSelect.value = wanted!;
writeTranscript(byId('heard', HTMLElement));
load();

const scene = () => {
  const { track, run, source } = session;
  const live = source === 'microphone' || (run !== undefined && track.seconds > WHOLE);
  const played = run?.position ?? track.judged * FRAME_SECONDS;
  const to = live
    ? Math.max(WINDOW, source === 'microphone' ? track.seconds : played)
    : Math.max(track.seconds, 5);
  const threshold = Number(slider.value);
  return { track, threshold, from: live ? to - WINDOW : 0, to, playhead: run?.position };
};
mendLanguage();
const { Plots } = await import('./plots.ts');
const boxes = [byId('plot-wave', HTMLElement), byId('plot-probability', HTMLElement)] as const;
const plots = new Plots(byId('plot', HTMLElement), boxes, scene(), view.showPointer);
startTheme(byId('theme', HTMLSelectElement), () => plots.recolor());

const calm = matchMedia('(prefers-reduced-motion: reduce)');
let drawn = 0;
function frame(now: number): void {
  const { run } = session;
  const due = moved || run?.position !== undefined;
  if (due && (run === undefined || !calm.matches || now - drawn > CALM_MS)) {
    plots.draw(scene());
    drawn = now;
    moved = false;
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
setInterval(() => session.run && refresh(), 250);
