// Writes what is known into the page. Decides nothing.
import { byId, setText } from '../shared/dom.ts';
import { FRAME_SECONDS } from './framing.ts';
import type { Placement } from './messages.ts';
import type { Notice } from './problems.ts';
import type { Track } from './track.ts';

const ANNOUNCE_MS = 2500; // a screen reader should not stutter

const text = (id: string): ((value: string) => void) => {
  const element = byId(id, HTMLElement);
  return (value) => setText(element, value);
};
const fields = {
  title: text('notice-title'),
  next: text('notice-next'),
  detail: text('notice-detail'),
  hint: text('hint'),
  word: text('verdict-word'),
  under: text('verdict-under'),
  probability: text('probability'),
  median: text('median'),
  p95: text('p95'),
  speed: text('speed'),
  judged: text('judged'),
  behind: text('behind'),
  backend: text('backend'),
  adapter: text('adapter'),
  reason: text('reason'),
  start: text('start'),
  caption: text('segments-caption'),
  pointer: text('pointer'),
  announcer: text('announcer'),
};
const notice = byId('notice', HTMLElement);
const detail = byId('notice-detail', HTMLElement);
const progress = byId('progress', HTMLElement);
const reload = byId('reload', HTMLButtonElement);
const verdict = byId('verdict', HTMLElement);
const behind = byId('behind-cell', HTMLElement);
const rows = byId('segments', HTMLTableSectionElement);

const ms = (value: number): string =>
  Number.isNaN(value) ? '–' : `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
const seconds = (value: number): string => `${value.toFixed(1)} s`;

/** Shows a message in the strip above the controls. */
export function showNotice({ tone, title, next, detail: words, reload: again }: Notice): void {
  notice.dataset['tone'] = tone;
  fields.title(title);
  fields.next(next);
  fields.detail(words ?? '');
  detail.hidden = !words;
  reload.hidden = !again;
  if (tone === 'error') announce(`${title} ${next}`, true);
}

/** Shows how far something has come, from 0 to 1; undefined takes the bar away. */
export function showProgress(fraction: number | undefined, what: string): void {
  progress.style.visibility = fraction === undefined ? 'hidden' : 'visible';
  if (what) progress.setAttribute('aria-label', what);
  const percent = Math.round(100 * (fraction ?? 0));
  progress.setAttribute('aria-valuenow', String(percent));
  (progress.firstElementChild as HTMLElement).style.width = `${percent}%`;
}

/** Shows where the model runs. */
export function showPlacement({ backend, adapter, reason, startMs }: Placement): void {
  fields.backend(backend);
  fields.adapter(adapter);
  fields.reason(reason);
  fields.start(`${Math.round(startMs)} ms`);
}

/** Shows the line beneath the choice of sound. */
export const showHint = (hint: string): void => fields.hint(hint);

/** Shows the verdict of the last frame, at once; `aloud` for screen readers too. */
export function showVerdict(track: Track, aloud: boolean): void {
  const state = track.judged === 0 ? 'none' : track.speaking ? 'speech' : 'silence';
  const word = { none: 'No verdict', speech: 'Speech', silence: 'Silence' }[state];
  if (aloud && verdict.dataset['verdict'] !== state) announce(word);
  verdict.dataset['verdict'] = state;
  fields.word(word);
  fields.under('Probability of speech');
  fields.probability(track.judged === 0 ? '–' : track.probability.toFixed(2));
}

/** Shows in the same place what all of the sound came to. */
export function showSummary(track: Track): void {
  const { segments } = track;
  verdict.dataset['verdict'] = segments.length > 0 ? 'speech' : 'silence';
  fields.word(segments.length > 0 ? 'Speech found' : 'No speech');
  fields.under(summaryOf(track));
  fields.probability('');
  announce(summaryOf(track), true);
}

/** What was found, in a sentence. */
function summaryOf({ segments, judged }: Track): string {
  const of = `in ${seconds(judged * FRAME_SECONDS)} of sound`;
  if (segments.length === 0) return `No speech ${of}.`;
  const total = segments.reduce((sum, { start, end }) => sum + end - start, 0);
  const count = segments.length === 1 ? '1 passage' : `${segments.length} passages`;
  return `${count} of speech, ${seconds(total)} ${of}.`;
}

/** Shows times and counts. `late` is in seconds; undefined when the sound is not live. */
export function showFigures(track: Track, late: number | undefined): void {
  const { median, p95, speed } = track.pace;
  fields.median(ms(median));
  fields.p95(ms(p95));
  fields.speed(Number.isNaN(speed) ? '–' : `${speed.toFixed(1)}× as fast`);
  const judged = seconds(track.judged * FRAME_SECONDS);
  fields.judged(track.judged === 0 ? '–' : `${track.judged} frames, ${judged}`);
  fields.behind(late === undefined ? '–' : `${Math.round(late * 1000)} ms`);
  behind.dataset['tone'] = (late ?? 0) > 0.25 ? 'warning' : 'plain';
}

/** Shows passages of speech as a table, the text of the plot. */
export function showSegments(track: Track): void {
  const { segments } = track;
  fields.caption(track.judged === 0 ? 'Nothing has been judged yet.' : summaryOf(track));
  while (rows.rows.length > segments.length) rows.deleteRow(-1);
  segments.forEach(({ start, end }, i) => {
    const row = rows.rows[i] ?? rows.insertRow();
    const values = [String(i + 1), ...[start, end, end - start].map((s) => `${s.toFixed(2)} s`)];
    values.forEach((value, k) => setText(row.cells[k] ?? row.insertCell(), value));
  });
}

/** Shows what lies under the pointer. */
export function showPointer(
  at: { seconds: number; probability: number | undefined } | undefined,
): void {
  const probability = at?.probability?.toFixed(2) ?? '–';
  fields.pointer(at ? `${at.seconds.toFixed(2)} s: ${probability}` : '');
}

let waiting: string | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Tells screen readers, at most every few seconds, and then the latest. */
export function announce(words: string, now = false): void {
  if (timer !== undefined && !now) {
    waiting = words;
    return;
  }
  clearTimeout(timer);
  waiting = undefined;
  fields.announcer(words);
  timer = setTimeout(() => {
    timer = undefined;
    if (waiting !== undefined) announce(waiting);
  }, ANNOUNCE_MS);
}
