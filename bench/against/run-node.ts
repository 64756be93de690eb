// `npm run bench -- --against OLD`: compares two packages in Node: times, first results, sizes.
import type { LoadOptions } from 'webgpu-rnn/node';
import { adapterLine, openTwoDevices } from '../device.ts';
import { errorLine } from '../measure.ts';
import { dateOf, resultFile, versionsOf } from '../record.ts';
import { nameOf, shapeOf, workloadOf } from '../shapes.ts';
import type { Answers, Compared } from './comparison.ts';
import { measureFirstResults, partsText, type Parts } from './first-result.ts';
import { durationOf, FIRST_RESULT_SHAPES, type AgainstOptions } from './options.ts';
import { describePair, importPackage, openPackages, type PackagePair } from './packages.ts';
import { busyMachineOf, COMPARED, headLines, Report, sizeLines } from './report.ts';
import { measureRuns } from './run-times.ts';
import { grown, measureSizes, type Sizes } from './sizes.ts';

/** What to compare, and how, in Node. */
export interface NodeAgainstOptions extends AgainstOptions {
  /** One kernel instead of the selected one. */
  readonly kernel: LoadOptions['recurrentKernel'] | undefined;
  /** Dawn's bounds checks on. */
  readonly robust: boolean;
  /** Whether to compare sizes. */
  readonly sizes: boolean;
}

/** Compares, prints and writes the results. Returns whether every minimum is met. */
export async function againstInNode(options: NodeAgainstOptions): Promise<boolean> {
  const pair = openPackages(options.against, options.fresh);
  try {
    return await compareInNode(pair, options);
  } finally {
    pair.close();
  }
}

async function compareInNode(pair: PackagePair, options: NodeAgainstOptions): Promise<boolean> {
  const { shapes, kernel, seconds, robust, samples, json } = options;
  const [first, second] = await openTwoDevices({ robust });
  const { adapter } = first;
  const sides = {
    old: { api: await importPackage(pair.old), device: first.device },
    new: { api: await importPackage(pair.new), device: second.device },
  };
  const file =
    json ?? resultFile(['against', adapter.vendor, adapter.architecture, robust ? 'robust' : '']);
  const firstShapes = samples > 0 ? FIRST_RESULT_SHAPES : [];
  const results = {
    date: dateOf(),
    adapter,
    machine: busyMachineOf(),
    versions: versionsOf(['onnxruntime-node', 'webgpu']),
    packages: describePair(pair),
    kernel,
    robust,
    seconds,
    samples,
    runs: [] as readonly Compared<Answers>[],
    firstResults: [] as readonly Compared<Parts>[],
  };
  const steps = shapes.length + firstShapes.length + (options.sizes ? 1 : 0);
  const report = new Report(file, results, steps);
  console.log([...headLines(pair), adapterLine(adapter)].join('\n'));

  console.log(`${COMPARED.head}\nms are medians end to end, interleaved in one process`);
  await report.table(
    'runs',
    shapes.map(nameOf),
    (name, again) => measureRuns(sides, workloadOf(shapeOf(name)), { seconds, kernel, again }),
    {
      keep: (rows) => (results.runs = rows),
      note: ({ difference }) => (difference ? `differ by ${difference.toExponential(1)}` : ''),
    },
  );

  if (samples > 0) {
    console.log('ms from bytes to the first result, each in a fresh process');
    await report.table(
      'first results',
      firstShapes,
      async (name, again) => measureFirstResults(pair, name, durationOf(again).samples * samples),
      { keep: (rows) => (results.firstResults = rows), note: partsText },
    );
  }

  if (options.sizes) Object.assign(results, await compareSizes(pair, report));
  return report.end();
}

async function compareSizes(
  pair: PackagePair,
  report: Report,
): Promise<{ sizes: Sizes } | { sizesFailure: string }> {
  report.show('sizes');
  try {
    const sizes = await measureSizes(pair);
    const larger = grown(sizes).map(({ name }) => name);
    report.print(sizeLines(sizes));
    report.judge(larger.length === 0, `sizes: larger: ${larger.join(', ') || 'none'}`);
    return { sizes };
  } catch (error) {
    report.judge(false, `sizes: ${errorLine(error)}`);
    return { sizesFailure: errorLine(error) };
  }
}
