// Writes what is known into the page. Decides nothing.
import type { BlockStatistics } from 'webgpu-rnn';
import { byId, setText } from '../shared/dom.ts';
import type { Heard } from './live.ts';
import type { Denoiser } from './model.ts';
import type { Notice } from './problems.ts';
import type { Sample } from './session.ts';

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
  mean: text('mean'),
  quantiles: text('quantiles'),
  misses: text('misses'),
  latency: text('latency'),
  atOnce: text('at-once'),
  gain: text('gain'),
  meter: text('meter-text'),
  model: text('model'),
  feeding: text('feeding'),
  states: text('states'),
  thread: text('thread'),
  clock: text('clock'),
  caption: text('plots-caption'),
  announcer: text('announcer'),
};
const notice = byId('notice', HTMLElement);
const detail = byId('notice-detail', HTMLElement);
const verdict = byId('verdict', HTMLElement);
const missesCell = byId('misses-cell', HTMLElement);
const meter = byId('meter', HTMLElement);
const bars = ['meter-mean', 'meter-p99'].map((id) => byId(id, HTMLElement));

const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;

/** Shows a message in the strip above the controls. */
export function showNotice({ tone, title, next, detail: words }: Notice): void {
  notice.dataset['tone'] = tone;
  fields.title(title);
  fields.next(next);
  fields.detail(words ?? '');
  detail.hidden = !words;
  if (tone === 'error' || tone === 'warning') announce(`${title} ${next}`);
}

/** Tells screen readers. */
export const announce = (words: string): void => fields.announcer(words);

/** Shows the line beneath the choice of sound. */
export const showHint = (hint: string): void => fields.hint(hint);

/** Shows which of the two is heard. */
export function showHeard(heard: Heard, runs: boolean, aloud = false): void {
  verdict.dataset['verdict'] = runs ? { cleaned: 'speech', original: 'silence' }[heard] : 'none';
  fields.word(runs ? { cleaned: 'Cleaned', original: 'Original' }[heard] : 'Silent');
  fields.under(runs ? 'is what the loudspeaker gets' : 'Press “Start” to hear it');
  if (aloud) announce(`${heard === 'cleaned' ? 'The cleaned sound' : 'The original'} is heard.`);
}

/** Shows what the sample came to. */
export function showSample({ gain, cleaned }: Sample): void {
  fields.gain(gain ? `${gain.before.toFixed(1)} → ${gain.after.toFixed(1)} dB` : '–');
  fields.atOnce(ms(cleaned.blockMs));
  fields.latency(ms(1000 * cleaned.latency));
}

/** Says that the spectrograms show the sample. */
export function showSampleCaption(gain: Sample['gain']): void {
  const figures = gain ? `: SI-SDR ${gain.before.toFixed(1)} and ${gain.after.toFixed(1)} dB` : '';
  fields.caption(`The sample of noisy voices, before and after${figures}.`);
}

/** Says that the spectrograms show what sounds now. */
export const showLiveCaption = (): void =>
  fields.caption('What comes in, and what the network makes of it, as it sounds.');

/** Shows the seconds from input to output of the sound that runs. */
export const showLatency = (seconds: number): void => fields.latency(ms(1000 * seconds));

/** Shows how the model is fed. */
export function showModel({ name, fit }: Denoiser): void {
  const { kind, sampleRate, hop, size, window, isLog, input, output, state } = fit;
  const what = {
    samples: 'samples → samples',
    magnitudes: `${isLog ? 'log ' : ''}magnitudes → factors`,
    complex: 'complex spectrum → complex spectrum',
  }[kind];
  const transform = size > 0 ? `, transforms of ${size} (${window})` : '';
  const pairs = Object.entries(state).map(([from, to]) => `${from} → ${to}`);
  fields.model(name);
  fields.feeding(`${input} → ${output}: ${what}; ${sampleRate} Hz, hop ${hop}${transform}`);
  fields.states(pairs.length > 0 ? pairs.join(', ') : 'of its recurrent layers, by themselves');
}

/** Shows what the audio thread is like. */
export function showThread(context: AudioContext, label: string | undefined): void {
  const base = `${context.sampleRate} Hz, buffers of ${ms(1000 * context.baseLatency)}`;
  fields.thread(label ? `${base}; ${label}` : base);
}

/** Shows how long blocks took. A clock of whole milliseconds makes quantiles upper bounds. */
export function showTimes(times: BlockStatistics, starvations: number): void {
  const { blocks, mean, p50, p99, misses, deadline, resolution } = times;
  if (blocks === 0) return;
  const bound = (value: number): string =>
    value < resolution ? `< ${resolution} ms` : `≤ ${value + resolution} ms`;
  fields.mean(ms(mean));
  fields.quantiles(`${bound(p50)}, ${bound(p99)}`);
  const events = starvations === 1 ? '1 bypass' : `${starvations} bypasses`;
  fields.misses(`${misses} of ${blocks}, ${events}`);
  missesCell.dataset['tone'] = misses > 0 ? 'warning' : 'plain';
  const parts = [mean / deadline, (p99 + resolution) / deadline].map((part) => Math.min(1, part));
  bars.forEach((bar, k) => (bar.style.width = `${100 * parts[k]!}%`));
  const percent = Math.round(100 * parts[0]!);
  meter.dataset['state'] = 'known';
  meter.setAttribute('aria-valuenow', String(percent));
  const words = `${percent} % of ${ms(deadline)} on average; 99 of 100 blocks within ${Math.round(100 * parts[1]!)} %`;
  meter.setAttribute('aria-valuetext', words);
  fields.meter(words);
  fields.clock(
    resolution >= 1
      ? 'whole milliseconds (Date.now): quantiles are bounds, and the mean is too small where blocks begin on the millisecond'
      : `${resolution} ms (performance.now)`,
  );
}
