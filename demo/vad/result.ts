// What a run came to, as data: for scripts that drive this page, and as a file.
import { FRAME_SECONDS, SAMPLE_RATE } from './framing.ts';
import type { Failure, Placement } from './messages.ts';
import type { Segment } from './segments.ts';
import type { Track } from './track.ts';

/** What scripts read after `?run=1`. */
export interface Published {
  /** Whether all of the sound has been judged. */
  readonly done: boolean;
  readonly error?: Failure;
  readonly segments: readonly Segment[];
  readonly probabilities: readonly number[];
  readonly backend: string | undefined;
  readonly adapter: string | undefined;
  /** Median milliseconds a frame; NaN before the first. */
  readonly frameMs: number;
  readonly frameMsP95: number;
}

declare global {
  interface Window {
    __vad?: Published;
  }
}

const rounded = (segments: readonly Segment[]): Segment[] =>
  segments.map(({ start, end }) => ({ start: +start.toFixed(3), end: +end.toFixed(3) }));

/** Sets `window.__vad`. */
export function publish(track: Track, placement: Placement | undefined, error?: Failure): void {
  const { median, p95 } = track.pace;
  window['__vad'] = {
    done: error === undefined && track.judged > 0,
    ...(error && { error }),
    segments: rounded(track.segments),
    probabilities: [...track.verdicts.probability.view()],
    backend: placement?.backend,
    adapter: placement?.adapter,
    frameMs: median,
    frameMsP95: p95,
  };
}

/** Offers the result as a file. */
export function saveResult(track: Track, placement: Placement, threshold: number): void {
  const { backend, adapter } = placement;
  const result = {
    model: 'Silero VAD v5',
    backend,
    adapter,
    sampleRate: SAMPLE_RATE,
    frameSeconds: FRAME_SECONDS,
    frameMs: track.pace,
    threshold,
    segments: rounded(track.segments),
    probabilities: [...track.verdicts.probability.view()].map((p) => +p.toFixed(6)),
  };
  const url = URL.createObjectURL(
    new Blob([JSON.stringify(result, undefined, 2)], { type: 'application/json' }),
  );
  const link = document.createElement('a');
  link.href = url;
  link.download = 'voice-activity.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
