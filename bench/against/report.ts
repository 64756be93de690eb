// Prints and writes what comparing two packages finds.
import { cpus, loadavg } from 'node:os';
import { Progress } from '../progress.ts';
import { machineOf, writeJson } from '../record.ts';
import { tableOf, three, type Table } from '../table.ts';
import {
  compareRows,
  MIN_MEAN,
  MIN_RATIO,
  verdictOf,
  type Attempt,
  type Compared,
  type Verdict,
} from './comparison.ts';
import type { BenchPackage, PackagePair } from './packages.ts';
import type { SizeRow, Sizes } from './sizes.ts';

/** A ratio as `1.023x`: the minimums have two digits. */
const ratioText = (ratio: number): string => `${ratio.toFixed(3)}x`;

const packageLine = ({ label, source, version, commit, sha256 }: BenchPackage): string =>
  `${label}: webgpu-rnn ${version}, ${source}${commit ? ` at ${commit}` : ''}, dist/ ${sha256}`;

/** What is compared, and whether the machine is busy with something else. */
export function headLines(pair: PackagePair): string[] {
  const lines = [packageLine(pair.old), packageLine(pair.new)];
  const [load, cores] = [loadavg()[0]!, cpus().length];
  if (load > cores / 4) {
    lines.push(
      `this machine is busy (load average ${load.toFixed(1)}, ${cores} cores): expect noise`,
    );
  }
  return lines;
}

/** The columns of the rows of {@link Report.table}. */
export const COMPARED: Table = tableOf([
  ['', -24],
  ['old ms', 9],
  ['new ms', 9],
  ['old/new', 9],
  ['rounds', 7],
  ['first try', 10],
  ['', -60],
]);

/** One row: times of the measurement that counts, and the ratio of an earlier one. */
function comparedLine({ name, measured, failure }: Compared, note: string): string {
  const last = measured.at(-1);
  if (failure !== undefined || !last) return `${COMPARED.line(name, 'failed')} ${failure ?? ''}`;
  return COMPARED.line(
    name,
    three(last.old.median),
    three(last.new.median),
    ratioText(last.ratio),
    String(last.new.rounds),
    measured.length > 1 ? ratioText(measured[0]!.ratio) : '',
    note,
  );
}

function verdictText({ rows, mean, worst, failed }: Verdict): string {
  const parts = [
    `geometric mean of ${rows - failed.length} ${Number.isNaN(mean) ? 'n/a' : ratioText(mean)} (minimum ${MIN_MEAN})`,
    worst && `worst ${ratioText(worst.ratio)} ${worst.name} (minimum ${MIN_RATIO})`,
    failed.length > 0 && `failed: ${failed.join(', ')}`,
  ];
  return parts.filter(Boolean).join(', ');
}

const SIZES = tableOf([
  ['gzip -9 bytes', -24],
  ['old', 9],
  ['new', 9],
  ['new - old', 10],
]);

/** Chunks and downloads. */
export function sizeLines(sizes: Sizes): string {
  const { chunks, downloads } = sizes;
  const bytes = (value: number | undefined): string => value?.toLocaleString('en-US') ?? '';
  const line = ({ name, old: before, new: after }: SizeRow): string => {
    const change = before === undefined || after === undefined ? undefined : after - before;
    const sign = change !== undefined && change > 0 ? '+' : '';
    return SIZES.line(
      name,
      bytes(before),
      bytes(after),
      change === undefined ? '' : sign + bytes(change),
    );
  };
  return [
    SIZES.head,
    ...chunks.map(line),
    'a page until the first result on WebGPU:',
    ...downloads.map(line),
  ].join('\n');
}

/** The machine, and how busy it is when the measurement begins. */
export const busyMachineOf = () => ({ ...machineOf(), loadAverage: loadavg()[0]! });

/** Prints tables row by row, keeps a file of results up to date, and collects the verdicts. */
export class Report {
  readonly #file: string;
  readonly #results: object;
  readonly #progress: Progress;
  readonly #verdicts: Record<string, Verdict> = {};
  readonly #lines: string[] = [];
  #met = true;

  /** @param steps rows of all tables together */
  constructor(file: string, results: object, steps: number) {
    this.#file = file;
    this.#results = results;
    this.#progress = new Progress(steps);
  }

  /** Says what is measured next. */
  show(doing: string): void {
    this.#progress.show(doing);
  }

  /** Prints what has been measured, and writes the results: a long run may be stopped. */
  print(text: string): void {
    this.#progress.step();
    if (text !== '') console.log(text);
    writeJson(this.#file, { ...this.#results, verdicts: this.#verdicts });
  }

  /** Adds a line to the end. */
  judge(met: boolean, text: string): void {
    this.#met &&= met;
    this.#lines.push(`${met ? 'met' : 'MISSED'}: ${text}`);
  }

  /** Measures a table by {@link compareRows}; `keep` gets its rows for the file. */
  async table<D>(
    title: string,
    names: readonly string[],
    measureOnce: (name: string, again: boolean) => Promise<Attempt<D>>,
    { keep, note }: { keep: (rows: readonly Compared<D>[]) => void; note: (details: D) => string },
  ): Promise<void> {
    const rows = await compareRows(
      names,
      (name, again) => {
        this.show(`${title}: ${name}${again ? ', again' : ''}`);
        return measureOnce(name, again);
      },
      (row, all) => {
        keep(all);
        this.print(comparedLine(row, row.details === undefined ? '' : note(row.details)));
      },
    );
    const verdict = verdictOf(rows);
    this.#verdicts[title] = verdict;
    this.judge(verdict.met, `${title}, old time / new time: ${verdictText(verdict)}`);
  }

  /** Prints the verdicts and writes the file. Returns whether all are met. */
  end(): boolean {
    console.log(this.#lines.join('\n'));
    writeJson(this.#file, { ...this.#results, met: this.#met, verdicts: this.#verdicts });
    console.log(`written to ${this.#file}`);
    return this.#met;
  }
}
