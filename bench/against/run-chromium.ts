// `npm run bench:chromium -- --against OLD`: compares two packages in headless Chromium: times, interleaved in one
// page, and first results, each in a fresh browser.
import { errorLine } from '../measure.ts';
import { PACKAGE_ENGINES, type PackageEngine } from '../engines/packages.ts';
import type { BrowserRow, ColdStart, Task } from '../page/main.ts';
import { adapterPrefix, describeBrowser, inFreshPage, openSite, type Site } from '../page/site.ts';
import { dateOf, resultFile, versionsOf } from '../record.ts';
import { nameOf } from '../shapes.ts';
import { median } from '../statistics.ts';
import {
  compare,
  refuseWrong,
  timesOf,
  type Answers,
  type Attempt,
  type Compared,
} from './comparison.ts';
import { durationOf, FIRST_RESULT_SHAPES, type AgainstOptions } from './options.ts';
import { describePair, LABELS, openPackages, type Label, type PackagePair } from './packages.ts';
import { busyMachineOf, COMPARED, headLines, Report } from './report.ts';

const TIMEOUT_S = 600;
const ENGINES = Object.keys(PACKAGE_ENGINES) as PackageEngine[];
const engineOf = (label: Label): PackageEngine => `webgpu-rnn (${label})`;

/** Compares, prints and writes the results. Returns whether every minimum is met. */
export async function againstInChromium(options: AgainstOptions): Promise<boolean> {
  const pair = openPackages(options.against, options.fresh);
  try {
    const site = await openSite({ old: pair.old.dist, new: pair.new.dist });
    try {
      return await compareInChromium(site, pair, options);
    } finally {
      await site.close();
    }
  } finally {
    pair.close();
  }
}

async function compareInChromium(
  site: Site,
  pair: PackagePair,
  { shapes, seconds, samples, json }: AgainstOptions,
): Promise<boolean> {
  const browser = await describeBrowser(site);
  const file = json ?? resultFile(['against', 'chromium', adapterPrefix(browser)]);
  const firstShapes = samples > 0 ? FIRST_RESULT_SHAPES : [];
  const results = {
    date: dateOf(),
    ...browser,
    machine: busyMachineOf(),
    versions: versionsOf(['onnxruntime-web']),
    packages: describePair(pair),
    seconds,
    samples,
    runs: [] as readonly Compared<Answers>[],
    firstResults: [] as readonly Compared<Readonly<Record<Label, ColdStart>>>[],
  };
  const report = new Report(file, results, shapes.length + firstShapes.length);
  console.log([...headLines(pair), `Chromium ${browser.browser} on ${browser.adapter}`].join('\n'));

  console.log(`${COMPARED.head}\nms are medians end to end, interleaved in one page`);
  await report.table(
    'runs',
    shapes.map(nameOf),
    (name, again) => measureRuns(site, name, seconds, again),
    {
      keep: (rows) => (results.runs = rows),
      note: ({ difference }) => (difference ? `differ by ${difference.toExponential(1)}` : ''),
    },
  );

  if (samples > 0) {
    console.log('ms from bytes to the first result, each in a fresh browser');
    await report.table(
      'first results',
      firstShapes,
      (name, again) => measureColdStarts(site, name, durationOf(again).samples * samples),
      {
        keep: (rows) => (results.firstResults = rows),
        note: (parts) =>
          `import ${parts.old.importMs.toFixed(0)} → ${parts.new.importMs.toFixed(0)}`,
      },
    );
  }
  return report.end();
}

/** Times of one shape, in a page of its own. @throws Error where a package fails or is wrong */
async function measureRuns(
  site: Site,
  shape: string,
  seconds: number,
  again: boolean,
): Promise<Attempt<Answers>> {
  const duration = durationOf(again);
  const task: Task = {
    shape,
    engines: again ? ENGINES.toReversed() : ENGINES, // they load in this order
    arbiter: 'ort-wasm',
    rounds: duration.rounds,
    seconds: duration.seconds * seconds,
  };
  const rows = await inFreshPage(site, TIMEOUT_S, (page) =>
    page.evaluate((given) => window.enginePage!.measureShape(given), task),
  );
  if (rows === 'cut') throw new Error(`not done after ${TIMEOUT_S} s`);
  const rowOf = (label: Label): BrowserRow =>
    rows.find(({ engine }) => engine === engineOf(label))!;
  for (const label of LABELS) {
    const { timing, status, reason } = rowOf(label);
    if (!timing) throw new Error(`the ${label} package: ${status}, ${reason ?? 'no reason given'}`);
  }
  const [before, after] = [rowOf('old'), rowOf('new')];
  return {
    measured: compare(before.timing!, after.timing!),
    details: {
      errors: { old: before.error ?? null, new: after.error ?? null },
      difference: (again ? before : after).difference ?? null,
    },
  };
}

/** First results of one shape, the packages in alternating browsers. @throws Error where one fails */
async function measureColdStarts(
  site: Site,
  shape: string,
  samples: number,
): Promise<Attempt<Readonly<Record<Label, ColdStart>>>> {
  const starts: Record<Label, ColdStart[]> = { old: [], new: [] };
  for (let i = 0; i < samples; i++) {
    for (const label of i % 2 === 0 ? LABELS : LABELS.toReversed()) {
      const start = await inFreshPage(site, TIMEOUT_S, (page) =>
        page.evaluate(
          ([engine, name]) => window.enginePage!.measureColdStart(engine, name, 'ort-wasm'),
          [engineOf(label), shape] as const,
        ),
      ).catch((error: unknown) => {
        throw new Error(`the ${label} package: ${errorLine(error)}`, { cause: error });
      });
      if (start === 'cut') throw new Error(`the ${label} package: not done after ${TIMEOUT_S} s`);
      refuseWrong(label, start.error ?? null);
      starts[label].push(start);
    }
  }
  const times = (label: Label, key: 'importMs' | 'firstResultMs'): number[] =>
    starts[label].map((start) => start[key]);
  const parts = (label: Label): ColdStart => ({
    importMs: median(times(label, 'importMs')),
    firstResultMs: median(times(label, 'firstResultMs')),
  });
  return {
    measured: compare(
      timesOf(times('old', 'firstResultMs')),
      timesOf(times('new', 'firstResultMs')),
    ),
    details: { old: parts('old'), new: parts('new') },
  };
}
