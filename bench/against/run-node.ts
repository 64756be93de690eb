// `npm run bench -- --against OLD`: compares two packages in Node: times, first results, sizes.
import type { LoadOptions } from 'webgpu-rnn/node';
import { adapterLine, openTwoDevices } from '../device.ts';
import { errorLine } from '../measure.ts';
import { dateOf, resultFile, versionsOf } from '../record.ts';
import { nameOf, shapeOf, workloadOf, type Shape } from '../shapes.ts';
import type { Compared } from './comparison.ts';
import { FIRST_RESULT_SHAPES, measureFirstResults, partsText, type Parts } from './first-result.ts';
import { describePair, importPackage, openPackages, type PackagePair } from './packages.ts';
import { busyMachineOf, COMPARED, headLines, Report, sizeLines } from './report.ts';
import { measureRuns, type Answers } from './run-times.ts';
import { grown, measureSizes, type Sizes } from './sizes.ts';

/** What to compare, and how. */
export interface AgainstOptions {
  /** The old package: a .tgz of `npm pack`, or a folder with its dist/. */
  readonly against: string;
  /** The new package; the working tree when left out. */
  readonly fresh: string | undefined;
  readonly shapes: readonly Shape[];
  /** Seconds for a shape, at least. */
  readonly seconds: number;
  /** Fresh processes or pages of each package for a first result; 0 leaves first results out. */
  readonly samples: number;
  /** Where the results go; a file in bench/results/ when left out. */
  readonly json: string | undefined;
}

/** What only Node does. */
export interface NodeAgainstOptions extends AgainstOptions {
  /** One kernel instead of the selected one. */
  readonly kernel: LoadOptions['recurrentKernel'] | undefined;
  /** Dawn's bounds checks on. */
  readonly robust: boolean;
  /** Whether to compare sizes. */
  readonly sizes: boolean;
}

/** Times the samples, for a second measurement of a first result. */
export const AGAIN_SAMPLES = 3;

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
    sizes: undefined as Sizes | undefined,
    sizesFailure: undefined as string | undefined,
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
      async (name, again) =>
        measureFirstResults(pair, name, again ? AGAIN_SAMPLES * samples : samples),
      { keep: (rows) => (results.firstResults = rows), note: partsText },
    );
  }

  if (options.sizes) {
    report.show('sizes');
    try {
      results.sizes = await measureSizes(pair);
    } catch (error) {
      results.sizesFailure = errorLine(error);
    }
    const { sizes } = results;
    const larger = sizes ? grown(sizes).map(({ name }) => name) : [];
    report.print(sizes ? sizeLines(sizes) : '');
    report.judge(
      sizes !== undefined && larger.length === 0,
      sizes ? `sizes: larger: ${larger.join(', ') || 'none'}` : `sizes: ${results.sizesFailure}`,
    );
  }
  return report.end();
}
