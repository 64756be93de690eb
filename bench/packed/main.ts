// The benchmark that `npm run bench:pack` packs, for a machine with a GPU and without Node: answers,
// peaks, small costs, then the tables of `npm run bench` and `npm run bench -- --variants`. Each part is written
// when it is done.
//
//   run.sh [--shape NAME …] [--seconds 1] [--robust] [--alone] [--no-checks] [--no-micro] [--no-variants] [--json FILE]
import { parseArgs } from 'node:util';
import { adapterLine, openDevice } from '../device.ts';
import { measureMicroCosts, formatCosts } from '../micro.ts';
import { findOnnxRuntime } from '../node-engines.ts';
import { probePeaks, formatPeaks } from '../probes.ts';
import { Progress } from '../progress.ts';
import { dateOf, machineOf, versionsOf, writeJson } from '../record.ts';
import { HEAD, lineOf, RowMaker, type Row } from '../row.ts';
import { DEFAULT_SHAPES, nameOf, shapeOf, workloadOf } from '../shapes.ts';
import { geometricMean } from '../statistics.ts';
import { measureVariants, VARIANT_SHAPES, variantLines, type VariantRow } from '../variants.ts';
import { check, CHECKED, passed, type Check } from './checks.ts';

const { values: args } = parseArgs({
  options: {
    shape: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '1' },
    robust: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    checks: { type: 'boolean', default: true },
    micro: { type: 'boolean', default: true },
    variants: { type: 'boolean', default: true },
    json: { type: 'string', default: 'bench/results/gpu.json' },
  },
  allowNegative: true,
});
const { robust, alone, json } = args;
const shapes = args.shape?.map(shapeOf) ?? DEFAULT_SHAPES;

const results: Record<string, unknown> = {
  date: dateOf(),
  machine: machineOf(),
  versions: versionsOf(['onnxruntime-node', 'webgpu']),
  robust,
  shapes: shapes.map(nameOf), // for the part in Python
};
const save = (more: object): void => writeJson(json, Object.assign(results, more));
save({});

const bench = await openDevice({ robust }).catch((error: unknown) => {
  save({ failure: String(error) });
  console.error(String(error));
  process.exit(1);
});
const { device, adapter } = bench;
save({ adapter });
console.log(adapterLine(adapter));

let wrong = 0;
if (args.checks) {
  const checks: Check[] = [];
  const progress = new Progress(CHECKED.length);
  for (const shape of CHECKED) {
    progress.show(`checking ${nameOf(shape)}`);
    const found = await check(device, shape);
    progress.step();
    checks.push(...found);
    for (const one of found.filter((other) => !passed(other))) {
      wrong++;
      console.log(
        `WRONG ${one.shape} ${one.kernel}: ${one.failure ?? one.error ?? 'not a number'}`,
      );
    }
  }
  const worst = Math.max(...checks.map(({ error }) => error ?? 0));
  console.log(
    `answers: ${checks.length - wrong} of ${checks.length} right, worst ${worst.toExponential(1)}`,
  );
  save({ checks });
}

const peaks = await probePeaks(device, adapter.software);
save({ peaks });
console.log(formatPeaks(peaks));
if (args.micro) {
  const costs = await measureMicroCosts(device, adapter.software);
  save({ costs });
  console.log(formatCosts(costs));
}

if (!alone && !(await findOnnxRuntime())) console.log('ONNX Runtime is not here: ours alone');
console.log(HEAD);
const maker = new RowMaker(bench, { seconds: Number(args.seconds), alone });
const progress = new Progress(shapes.length);
const rows: Row[] = [];
for (const shape of shapes) {
  progress.show(nameOf(shape));
  rows.push(await maker.measure(workloadOf(shape)));
  progress.step();
  console.log(lineOf(rows.at(-1)!));
  save({ rows });
}
const ratios = rows.flatMap(({ times: { 'webgpu-rnn': ours, 'ort-webgpu': peer } }) =>
  ours && peer ? [peer.median / ours.median] : [],
);
if (ratios.length > 0) {
  const [mean, worst] = [geometricMean(ratios), Math.min(...ratios)];
  console.log(`${mean.toFixed(2)}x ONNX Runtime WebGPU, worst ${worst.toFixed(2)}x`);
}
if (args.variants) {
  const variants: VariantRow[] = [];
  for (const shape of args.shape?.map(shapeOf) ?? VARIANT_SHAPES) {
    variants.push(await measureVariants(device, workloadOf(shape), Number(args.seconds)));
    console.log(variantLines(variants.at(-1)!));
    save({ variants });
  }
}
process.exit(wrong > 0 ? 2 : 0); // Dawn and ONNX Runtime keep threads of their own
