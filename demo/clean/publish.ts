// What a run came to, as data: for scripts that drive this page.
import type { BlockStatistics } from 'webgpu-rnn';
import type { Session } from './session.ts';

/** What scripts read. */
export interface Published {
  readonly model: string | undefined;
  /** SI-SDR of the sample in dB. */
  readonly gain: { readonly before: number; readonly after: number } | undefined;
  readonly running: boolean;
  /** Seconds from input to output. */
  readonly latency: number | undefined;
  /** Milliseconds of a block when the sample was cleaned at once. */
  readonly blockMs: number | undefined;
  /** Events of starvation, and of its end, since the page was opened. */
  readonly starved: number;
  readonly recovered: number;
  readonly statistics: BlockStatistics | undefined;
  /** The latest levels in dB, of the loudest band. */
  readonly levels: readonly [before: number, after: number] | undefined;
}

declare global {
  interface Window {
    __clean?: Published;
  }
}

/** Sets `window.__clean`. */
export function publish(
  { denoiser, sample, live }: Session,
  counts: { readonly starved: number; readonly recovered: number },
  statistics: BlockStatistics | undefined,
  levels: Published['levels'],
): void {
  window['__clean'] = {
    model: denoiser?.name,
    gain: sample?.gain,
    running: live !== undefined,
    latency: live?.node.latency ?? sample?.cleaned.latency,
    blockMs: sample?.cleaned.blockMs,
    ...counts,
    statistics,
    levels,
  };
}
