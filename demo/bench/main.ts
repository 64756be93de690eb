// The benchmark page: joins the form, the worker and the document.
import { byId } from '../shared/dom.ts';
import { startTheme } from '../shared/theme.ts';
import { examine } from './adapter.ts';
import type { Unit } from './chart.ts';
import { draw, drawKeys } from './chart.ts';
import type { Answer, Request, Row, Settings } from './messages.ts';
import { ENGINES } from './messages.ts';
import type { Report } from './report.ts';
import { save, textOf } from './report.ts';
import { fillForm, queryOf, readForm } from './settings.ts';
import * as view from './view.ts';

const PATIENCE_MS = 2000; // after Stop, before a worker that is deep in one run is ended

const query = new URLSearchParams(location.search);
const form = byId('form', HTMLFormElement);
const startButton = byId('start', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const copyButton = byId('copy', HTMLButtonElement);
const saveButton = byId('save', HTMLButtonElement);
const unit = byId('unit', HTMLSelectElement);
const plot = byId('plot', HTMLElement);
const machine = examine();

let rows: Row[] = [];
let report: Report | undefined;
let worker: Worker | undefined;
let settings: Settings;
let seen = true; // all along the run

function redraw(): void {
  draw(plot, rows, unit.value as Unit);
  const drawn = ENGINES.filter((name) =>
    rows.some(({ engine, times }) => engine === name && times),
  );
  drawKeys(byId('keys', HTMLElement), drawn);
}

function showButtons(): void {
  const running = worker !== undefined;
  const hadFocus = [startButton, stopButton].includes(document.activeElement as HTMLButtonElement);
  startButton.disabled = running;
  stopButton.disabled = !running;
  copyButton.disabled = saveButton.disabled = report === undefined;
  if (hadFocus) (running ? stopButton : startButton).focus();
}

/** `done in about 12 s`, once there is something to tell it from. */
function etaOf(fraction: number, since: number): string {
  const elapsed = (performance.now() - since) / 1000;
  if (fraction < 0.1 || elapsed < 1) return '';
  return `About ${Math.ceil((elapsed * (1 - fraction)) / fraction)} s left.`;
}

async function finish(stopped: boolean, failure?: string): Promise<void> {
  worker?.terminate(); // what engines hold on the GPU goes with it
  worker = undefined;
  const adapter = await machine;
  report = {
    schema: 1,
    kind: 'webgpu-rnn-bench',
    date: new Date().toISOString(),
    adapter,
    settings,
    disturbed: seen ? 'no' : 'hidden',
    complete: !stopped && failure === undefined,
    rows,
  };
  const measured = rows.filter(({ times }) => times).length;
  const wrong = rows.filter(({ status }) => status === 'wrong').length;
  const said = [
    failure === undefined ? (stopped ? 'Stopped.' : 'Done.') : `Failed: ${failure}.`,
    `${measured} of ${rows.length} measured${wrong > 0 ? `, ${wrong} wrong` : ''}.`,
    seen ? '' : 'The tab was hidden for a time: browsers slow such tabs.',
  ];
  view.showProgress(report.complete ? 1 : 0, said.filter(Boolean).join(' '));
  view.announce(said.filter(Boolean).join(' '), true);
  if (rows.length === 0) report = undefined;
  window['__bench'] = {
    done: true,
    rows,
    adapter,
    ...(report && { report }),
    ...(failure !== undefined && { failure }),
  };
  showButtons();
}

const send = (to: Worker, request: Request): void => to.postMessage(request, []);

async function start(): Promise<void> {
  if (worker || !form.reportValidity()) return;
  const wanted = readForm(form);
  if (wanted.hidden.length === 0) {
    view.showProgress(0, 'Tick at least one number of hidden units.');
    view.announce('Tick at least one number of hidden units.', true);
    return;
  }
  settings = wanted;
  const again = query.get('run') === '1' ? '&run=1' : ''; // a reload does what the first load did
  history.replaceState(null, '', `${queryOf(settings)}${again}`);
  [rows, report, seen] = [[], undefined, !document.hidden];
  const since = performance.now();
  const started = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker = started;
  showButtons();
  view.showRows(rows);
  redraw();
  view.showProgress(0, 'Starting …');
  view.announce('Measuring.', true);
  const adapter = await machine;
  window['__bench'] = { done: false, rows, adapter };
  started.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    if (started !== worker) return;
    if (data.type === 'progress') {
      view.showProgress(data.fraction, `${data.doing} …`, etaOf(data.fraction, since));
      view.announce(`${Math.round(data.fraction * 100)} percent. ${data.doing}`);
    } else if (data.type === 'row') {
      rows.push(data.row);
      view.showRows(rows);
      redraw();
    } else {
      void finish(data.stopped, data.failure);
    }
  });
  started.addEventListener('error', ({ message }) => {
    if (started === worker) void finish(false, message || 'the worker does not load');
  });
  send(started, { type: 'run', settings });
}

function stop(): void {
  const started = worker;
  if (!started) return;
  send(started, { type: 'stop' });
  setTimeout(() => started === worker && void finish(true), PATIENCE_MS);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void start();
});
stopButton.addEventListener('click', stop);
new ResizeObserver(redraw).observe(plot);
unit.addEventListener('change', redraw);
saveButton.addEventListener('click', () => report && save(textOf(report)));
copyButton.addEventListener('click', () => {
  if (!report) return;
  navigator.clipboard.writeText(textOf(report)).then(
    () => view.announce('Copied.', true),
    () => view.announce('The browser refused to copy; save the file instead.', true),
  );
});
document.addEventListener('visibilitychange', () => {
  seen &&= !document.hidden;
});

startTheme(byId('theme', HTMLSelectElement), () => {}); // the chart is SVG, and follows by itself
fillForm(form, query);
redraw();
showButtons();
view.showMachine(await machine);
if (query.get('run') === '1') void start();
