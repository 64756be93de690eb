// `npm run bench`: recurrent layers on the adapter of this machine, this package against ONNX Runtime's WebGPU
// and CPU providers in the same process. An engine whose answer is wrong is not timed.
//
//   npm run bench                      the default shapes
//   npm run bench -- --full            all shapes (hours on a software adapter)
//   npm run bench -- --shape lstm-h128-b16-t64 --seconds 3
//   npm run bench -- --kernel step     one kernel instead of the selected one
//   npm run bench -- --robust          Dawn's bounds checks on, as the package and browsers have them
//   npm run bench -- --alone           without ONNX Runtime
//   npm run bench -- --variants        our kernels and options against each other instead
//   npm run bench -- --json FILE       where the results go; bench/results/ADAPTER-DATE.json by default
//
//   npm run bench -- --against OLD.tgz     two versions of this package: an old one (a .tgz of `npm pack`, or a
//                                          folder with its dist/) and the working tree, which is built for it
//   npm run bench -- --against OLD.tgz --new NEW.tgz
//   npm run bench -- --against OLD.tgz --no-cold --no-sizes    without first results, without sizes
//
// The last compares runs, first results in fresh processes, and sizes. It ends with status 1 where the new version
// misses a minimum of bench/against/comparison.ts.
import { parseArgs } from 'node:util';
import { againstInNode } from './against/run-node.ts';
import { adapterLine, openDevice } from './device.ts';
import { probePeaks, formatPeaks } from './probes.ts';
import { Progress } from './progress.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { HEAD, lineOf, RowMaker, type Row } from './row.ts';
import { allShapes, DEFAULT_SHAPES, nameOf, shapeOf, workloadOf } from './shapes.ts';
import { geometricMean } from './statistics.ts';
import { measureVariants, VARIANT_SHAPES, variantLines, type VariantRow } from './variants.ts';

const { values: args } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    shape: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    kernel: { type: 'string' },
    robust: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    variants: { type: 'boolean', default: false },
    against: { type: 'string' },
    new: { type: 'string' },
    cold: { type: 'boolean', default: true },
    samples: { type: 'string', default: '15' },
    sizes: { type: 'boolean', default: true },
    json: { type: 'string' },
  },
  allowNegative: true,
});
const { kernel, robust, alone } = args;
if (kernel !== undefined && kernel !== 'step' && kernel !== 'persistent') {
  throw new Error(`--kernel ${kernel}: expected step or persistent`);
}

const shapes = args.shape ? args.shape.map(shapeOf) : args.full ? allShapes() : DEFAULT_SHAPES;
if (args.against !== undefined) {
  const met = await againstInNode({
    against: args.against,
    fresh: args.new,
    shapes,
    kernel,
    seconds: Number(args.seconds ?? 3), // ratios near 1 need more rounds than those against other engines
    robust,
    samples: args.cold ? Number(args.samples) : 0,
    sizes: args.sizes,
    json: args.json,
  });
  process.exit(met ? 0 : 1); // Dawn keeps threads of its own
}
const seconds = Number(args.seconds ?? 1);

// ONNX Runtime's provider leaves Dawn's bounds checks out (`disable_robustness` in its webgpu_context.cc). So ours
// is measured without them by default, and with them by --robust, which is what users of the package
// get: quote both.
const bench = await openDevice({ robust });
const { adapter } = bench;
console.log(adapterLine(adapter));
if (args.variants) {
  const variantShapes = args.shape ? shapes : VARIANT_SHAPES;
  const file = args.json ?? resultFile(['variants', adapter.vendor, adapter.architecture]);
  const variants: VariantRow[] = [];
  const progress = new Progress(variantShapes.length);
  for (const shape of variantShapes) {
    progress.show(nameOf(shape));
    variants.push(await measureVariants(bench.device, workloadOf(shape), seconds));
    progress.step();
    console.log(variantLines(variants.at(-1)!));
    const [machine, versions] = [machineOf(), versionsOf(['webgpu'])];
    writeJson(file, { date: dateOf(), adapter, machine, versions, robust, variants });
  }
  console.log(`written to ${file}`);
  process.exit(0); // Dawn keeps threads of its own
}
const peaks = await probePeaks(bench.device, adapter.software);
console.log(`${formatPeaks(peaks)}\n${HEAD}`);

const maker = new RowMaker(bench, { seconds, kernel, alone });
const progress = new Progress(shapes.length);
const file =
  args.json ?? resultFile([adapter.vendor, adapter.architecture, robust ? 'robust' : '']);
const rows: Row[] = [];
const write = (): void =>
  writeJson(file, {
    date: dateOf(),
    adapter,
    peaks,
    machine: machineOf(),
    versions: versionsOf(['onnxruntime-node', 'webgpu']),
    kernel,
    robust,
    rows,
  });
for (const shape of shapes) {
  progress.show(nameOf(shape));
  rows.push(await maker.measure(workloadOf(shape)));
  progress.step();
  console.log(lineOf(rows.at(-1)!));
  write(); // a table of hours may be stopped
}
const ratios = rows.flatMap(({ times: { 'webgpu-rnn': ours, 'ort-webgpu': peer } }) =>
  ours && peer ? [peer.median / ours.median] : [],
);
if (ratios.length > 0) {
  const [mean, worst] = [geometricMean(ratios), Math.min(...ratios)];
  console.log(
    `${mean.toFixed(2)}x ONNX Runtime WebGPU, geometric mean of ${ratios.length}, worst ${worst.toFixed(2)}x`,
  );
}
console.log(`written to ${file}`);
process.exit(0); // Dawn and ONNX Runtime keep threads of their own
