// Writes what is known into the page. Decides nothing.
import { byId, setText } from '../shared/dom.ts';
import type { Machine } from './adapter.ts';
import type { Row } from './messages.ts';
import { TITLES } from './messages.ts';

const element = (id: string): HTMLElement => byId(id, HTMLElement);
const notice = element('notice');
const bar = element('progress');
const body = byId('rows', HTMLTableSectionElement);
const EVERY_MS = 4000; // a screen reader should not stutter

/** `0.123` → `0.123 ms`, `1234` → `1.23 s`. */
const ms = (value: number): string =>
  value < 1000 ? `${value.toPrecision(3)} ms` : `${(value / 1000).toPrecision(3)} s`;
const count = (value: number): string =>
  value.toLocaleString('en', { maximumSignificantDigits: 3 });
const mib = (bytes: number): string =>
  bytes >= 2 ** 20
    ? `${Math.round(bytes / 2 ** 20).toLocaleString('en')} MiB`
    : `${(bytes / 2 ** 10).toLocaleString('en')} KiB`;

/** Shows a message in the strip above the controls. */
export function showNotice(tone: 'plain' | 'good' | 'warning' | 'error', title: string, next = '') {
  notice.dataset['tone'] = tone;
  setText(element('notice-title'), title);
  setText(element('notice-next'), next);
}

/** Shows what computes, and warns where that is no GPU. */
export function showMachine(machine: Machine): void {
  const { name, software, absent, limits, features, browser, cores, clock, isolated } = machine;
  const rows: [string, string][] = [
    ['Adapter', absent ?? name],
    ['Features', features.join(', ') || '–'],
    ['Browser', browser],
    ['Logical cores', String(cores)],
    ['Steps of the clock', `${clock} ms`],
    ['WebAssembly threads', isolated ? 'yes' : 'no, the page is not cross-origin isolated'],
    ...Object.entries(limits).map(([limit, value]): [string, string] => [
      limit,
      limit.endsWith('Size') ? mib(value) : String(value),
    ]),
  ];
  element('machine').replaceChildren(
    ...rows.map(([term, words]) => {
      const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
      dt.textContent = term;
      dd.textContent = words;
      const pair = document.createElement('div');
      pair.append(dt, dd);
      return pair;
    }),
  );
  if (absent) {
    showNotice('error', absent, 'Only engines that compute on the CPU can be measured here.');
  } else if (software) {
    const next = 'These figures are not comparable with GPUs.';
    showNotice('warning', `A CPU stands in for the GPU: ${name}.`, next);
  } else {
    showNotice('good', name, 'Ready to measure. Close what else computes for steady figures.');
  }
}

/** Shows how far a run is, from 0 to 1. */
export function showProgress(fraction: number, doing: string, eta = ''): void {
  const percent = Math.round(100 * fraction);
  bar.setAttribute('aria-valuenow', String(percent));
  (bar.firstElementChild as HTMLElement).style.width = `${percent}%`;
  setText(element('doing'), doing);
  setText(element('eta'), eta);
}

const wordsOf = ({ error, arbiter }: Row): string => {
  if (arbiter === undefined || error === undefined) return 'unchecked';
  const by = arbiter === 'float64' ? '' : ' (against ort-wasm)';
  return `${error === null ? 'not a number' : error.toExponential(1)}${by}`;
};

/** Shows all rows as a table. */
export function showRows(rows: readonly Row[]): void {
  body.replaceChildren();
  for (const row of rows) {
    const { hidden, engine, times, cold, gflops, stepsPerSecond, status, reason } = row;
    const line = body.insertRow();
    line.dataset['status'] = status;
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = TITLES[engine];
    line.insertCell().textContent = String(hidden);
    line.append(head);
    if (!times || gflops === undefined || stepsPerSecond === undefined) {
      const cell = line.insertCell();
      cell.colSpan = 7;
      cell.className = 'reason';
      cell.textContent = reason ?? status;
      continue;
    }
    const cells = [
      ms(times.median),
      `${ms(times.p10)} – ${ms(times.p95)}`,
      times.repeats > 1 ? `${times.rounds} × ${times.repeats}` : String(times.rounds),
      cold === undefined ? '–' : ms(cold),
      count(gflops),
      count(stepsPerSecond),
      wordsOf(row),
    ];
    for (const words of cells) line.insertCell().textContent = words;
  }
}

let spoken = 0;

/** Tells screen readers; what is not `urgent` only when there was silence for a while. */
export function announce(words: string, urgent = false): void {
  const now = performance.now();
  if (!urgent && now - spoken < EVERY_MS) return;
  spoken = now;
  setText(element('announcer'), words);
}
