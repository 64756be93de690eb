// The page of the gates: joins the controls, the networks and the document.
import { byId, setText } from '../shared/dom.ts';
import { startTheme } from '../shared/theme.ts';
import { gradientNorms } from './gradient.ts';
import { readPalette } from './heatmap.ts';
import { CurvePad, FIRST_PRESET, PRESET_LABELS, presetsOf } from './input.ts';
import { Lanes } from './lanes.ts';
import { type DeviceChoice, type Episode, Networks, REPORT, UNITS } from './networks.ts';
import {
  type CellName,
  CELLS,
  encodeCurve,
  encodeText,
  type Sequence,
  type TaskName,
  UnknownCharacter,
} from './tasks.ts';
import { verdictOf } from './verdict.ts';
import * as view from './view.ts';
import { type Language, LANGUAGES, say, speak } from './words.ts';

const LANGUAGE_KEY = 'webgpu-rnn-language';

const root = byId('instrument', HTMLElement);
const text = byId('sequence', HTMLInputElement);
const device = byId('device', HTMLSelectElement);
const language = byId('language', HTMLSelectElement);
const stepSlider = byId('step', HTMLInputElement);
const unitSlider = byId('unit', HTMLInputElement);

let networks: Networks | undefined;
let episodes: Record<CellName, Episode> | undefined;
let norms: Record<CellName, Float64Array> | undefined;
let sequence: Sequence | undefined;
let latest = 0; // the latest run; answers of earlier ones are dropped

const chosen = <T extends string>(name: string): T =>
  document.querySelector<HTMLInputElement>(`input[name=${name}]:checked`)!.value as T;
const task = (): TaskName => chosen('task');
const cell = (): CellName => chosen('cell');
const step = (): number => stepSlider.valueAsNumber - 1;
const unit = (): number => unitSlider.valueAsNumber - 1;

const lanes = new Lanes(byId('lanes', HTMLElement), (pointedStep, pointedUnit) => {
  stepSlider.value = String(pointedStep + 1);
  if (pointedUnit !== undefined) unitSlider.value = String(pointedUnit + 1);
  showChosen();
});
const pad = new CurvePad(byId('curve', HTMLElement), () => void run());

/** The numbers of the chosen step and unit. */
function showChosen(): void {
  setText(byId('step-value', HTMLElement), stepSlider.value);
  setText(byId('unit-value', HTMLElement), unitSlider.value);
  if (!networks || !episodes || !norms) return;
  lanes.choose(step(), unit());
  view.showStep(episodes[cell()], networks.recurrentWeights(task(), cell()), step(), unit());
  view.showGradients(norms, step());
}

/** Everything that follows from the episodes. */
function show(): void {
  if (!networks || !episodes || !norms || !sequence) return;
  const episode = episodes[cell()];
  const { tone, words } = verdictOf(task(), episode, sequence.labels);
  view.showAnswer(tone, words);
  const scene = { task: task(), episode, labels: sequence.labels, step: step(), unit: unit() };
  lanes.draw(scene, readPalette(root));
  view.drawGradients(norms);
  showChosen();
}

/** The sequence that the visitor gave; says what is wrong with it where it is none. */
function readSequence(): Sequence | undefined {
  const name = task();
  if (name === 'signal') return encodeCurve(pad.values);
  if (text.value === '') {
    view.showAnswer('plain', say('empty'));
    return undefined;
  }
  try {
    return encodeText(name, text.value);
  } catch (error) {
    if (!(error instanceof UnknownCharacter)) throw error;
    const { character, alphabet } = error;
    view.showAnswer('warning', say('unknown', { character, alphabet: [...alphabet].join(' ') }));
    return undefined;
  }
}

/** Runs the sequence on the networks of the task. */
async function run(): Promise<void> {
  const wanted = readSequence();
  if (!networks || !wanted) return;
  const request = ++latest;
  const [name, used] = [task(), networks];
  try {
    const found = await used.runAll(name, wanted);
    const model = await used.model(name, cell());
    if (request !== latest) return;
    const wasAtEnd = sequence === undefined || stepSlider.value === stepSlider.max;
    [sequence, episodes] = [wanted, found];
    norms = Object.fromEntries(
      CELLS.map((one) => [one, gradientNorms(found[one], used.recurrentWeights(name, one))]),
    ) as Record<CellName, Float64Array>;
    stepSlider.max = String(wanted.labels.length);
    if (wasAtEnd) stepSlider.value = stepSlider.max; // who types looks at the newest step
    view.showBackend(model.backend, model.reason, found[cell()].deviation);
    show();
  } catch (error) {
    if (request === latest) fail(error);
  }
}

function fail(error: unknown): void {
  view.showAnswer(
    'error',
    say('failed', { reason: error instanceof Error ? error.message : String(error) }),
  );
}

/** The buttons of the presets; `value` becomes the sequence. */
function showPresets(): void {
  setText(byId('presets-label', HTMLElement), say(PRESET_LABELS[task()]));
  const buttons = presetsOf(task()).map(({ title, value }) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = title;
    button.addEventListener('click', () => take(value));
    return button;
  });
  byId('presets', HTMLElement).replaceChildren(...buttons);
}

/** Takes a preset as the sequence, and looks at its last step. */
function take(value: string | Float32Array): void {
  if (typeof value === 'string') text.value = value;
  else pad.set(value);
  sequence = undefined; // the next one is looked at from its end
  void run();
}

/** Another task: its controls, and its first preset. */
function showTask(): void {
  const isCurve = task() === 'signal';
  byId('sequence-label', HTMLElement).hidden = isCurve;
  byId('curve-box', HTMLElement).hidden = !isCurve;
  setText(byId('task', HTMLElement), say(`${task()}Task`));
  showPresets();
  view.showFigures(REPORT, task());
}

function changeTask(): void {
  showTask();
  take(presetsOf(task())[FIRST_PRESET[task()]]!.value);
}

/** Shows the page in the language of the select. */
function changeLanguage(): void {
  speak(language.value as Language);
  showTask();
  show();
  try {
    localStorage.setItem(LANGUAGE_KEY, language.value);
  } catch {
    // Storage may be blocked: the choice then lasts as long as the page.
  }
}

/** The language of the address, of the last visit, or of the browser. */
function firstLanguage(): Language {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(LANGUAGE_KEY);
  } catch {
    // As above.
  }
  const wanted = new URLSearchParams(location.search).get('lang') ?? kept ?? navigator.language;
  const known = Object.keys(LANGUAGES) as Language[];
  return known.find((name) => wanted.startsWith(name.slice(0, 2))) ?? 'en';
}

for (const input of document.querySelectorAll('input[name=task]')) {
  input.addEventListener('change', changeTask);
}
for (const input of document.querySelectorAll('input[name=cell]')) {
  input.addEventListener('change', () => void run());
}
for (const slider of [stepSlider, unitSlider]) slider.addEventListener('input', showChosen);
text.addEventListener('input', () => void run());
language.addEventListener('change', changeLanguage);
device.addEventListener('change', () => {
  const before = networks;
  networks = networks?.on(device.value as DeviceChoice);
  before?.dispose();
  void run();
});
new ResizeObserver(() => {
  pad.draw();
  show();
}).observe(root);
startTheme(byId('theme', HTMLSelectElement), () => show());

unitSlider.max = String(UNITS);
language.value = firstLanguage();
speak(language.value as Language);
view.showAnswer('plain', say('loading'));
showTask();
try {
  networks = await Networks.load();
  changeTask();
} catch (error) {
  fail(error);
}
