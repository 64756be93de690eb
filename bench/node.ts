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
import { parseArgs } from 'node:util';
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
    seconds: { type: 'string', default: '1' },
    kernel: { type: 'string' },
    robust: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    variants: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const { kernel, robust, alone } = args;
if (kernel !== undefined && kernel !== 'step' && kernel !== 'persistent') {
  throw new Error(`--kernel ${kernel}: expected step or persistent`);
}

// ONNX Runtime's provider leaves Dawn's bounds checks out (`disable_robustness` in its webgpu_context.cc). So ours
// is measured without them by default, and with them by --robust, which is what users of the package
// get: quote both.
const bench = await openDevice({ robust });
const { adapter } = bench;
console.log(adapterLine(adapter));
if (args.variants) {
  const shapes = args.shape?.map(shapeOf) ?? VARIANT_SHAPES;
  const file = args.json ?? resultFile(['variants', adapter.vendor, adapter.architecture]);
  const variants: VariantRow[] = [];
  const progress = new Progress(shapes.length);
  for (const shape of shapes) {
    progress.show(nameOf(shape));
    variants.push(await measureVariants(bench.device, workloadOf(shape), Number(args.seconds)));
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

const shapes = args.shape ? args.shape.map(shapeOf) : args.full ? allShapes() : DEFAULT_SHAPES;
const maker = new RowMaker(bench, { seconds: Number(args.seconds), kernel, alone });
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
const ratios = rows.flatMap(({ times: { 'webgpu-rnn': own, 'ort-webgpu': peer } }) =>
  own && peer ? [peer.median / own.median] : [],
);
if (ratios.length > 0) {
  const [mean, worst] = [geometricMean(ratios), Math.min(...ratios)];
  console.log(
    `${mean.toFixed(2)}x ONNX Runtime WebGPU, geometric mean of ${ratios.length}, worst ${worst.toFixed(2)}x`,
  );
}
console.log(`written to ${file}`);
process.exit(0); // Dawn and ONNX Runtime keep threads of their own
