// What a run came to, as data: for scripts that drive this page, and as a file.
import type { Machine } from './adapter.ts';
import type { Row, Settings } from './messages.ts';

/** The exported file. `schema` grows when a field changes its meaning. */
export interface Report {
  readonly schema: 1;
  readonly kind: 'webgpu-rnn-bench';
  /** ISO 8601. */
  readonly date: string;
  readonly adapter: Machine;
  readonly settings: Settings;
  /** `hidden`: the tab was not seen for a time, and browsers slow such tabs. */
  readonly disturbed: 'no' | 'hidden';
  /** Whether all shapes have been measured. */
  readonly complete: boolean;
  readonly rows: readonly Row[];
}

/** What scripts read while and after a page runs. */
export interface Published {
  /** Whether nothing more comes. */
  readonly done: boolean;
  readonly rows: readonly Row[];
  readonly adapter: Machine;
  /** There when done. */
  readonly report?: Report;
  readonly failure?: string;
}

declare global {
  interface Window {
    __bench?: Published;
  }
}

/** The file's text. Six digits are more than any clock here has. */
export function textOf(report: Report): string {
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  const { limits } = report.adapter; // whole numbers that are meant exactly
  const text = JSON.stringify(report, short, 1);
  return `${JSON.stringify({ ...(JSON.parse(text) as Report), adapter: { ...report.adapter, limits } }, undefined, 1)}\n`;
}

/** Offers the text as a file. */
export function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'webgpu-rnn-bench.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
