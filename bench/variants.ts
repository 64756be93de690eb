// Compares the kernels and options of this package on one shape with those that it selects by itself: that
// decides whether the selection is right on an adapter.
import type { LoadOptions } from 'webgpu-rnn/node';
import { finiteDifference } from './answers.ts';
import { errorLine, measure, type Runnable, type Timing } from './measure.ts';
import { ours } from './node-engines.ts';
import { nameOf, shapeOf, type Workload } from './shapes.ts';
import { ratioText, tableOf } from './table.ts';

/** Options of `loadModel` by the names of the variants. */
const VARIANTS: Readonly<Record<string, LoadOptions>> = {
  chosen: {},
  step: { recurrentKernel: 'step' },
  'step, no subgroups': { recurrentKernel: 'step', subgroups: false },
  'split-K in workgroup memory': { recurrentKernel: 'step-split-k' },
  persistent: { recurrentKernel: 'persistent' },
  wavefront: { wavefront: true },
  'layer by layer': { wavefront: false },
  tuned: { tune: true },
  f16: { weights: 'f16' },
  'f16 in f16': { arithmetic: 'f16' },
  int8: { weights: 'int8' },
};

/** Small and large layers, one row and many, one layer and three. */
export const VARIANT_SHAPES = [
  'lstm-h64-b1-t256 lstm-h128-b1-t64 lstm-h128-b1-t1 lstm-h512-b1-t64 lstm-h1024-b1-t16 lstm-h128-b16-t64',
  'lstm-h256-b64-t16 gru-h128-b1-t64 lstm-h128-b1-t256-l3 lstm-h512-b1-t64-l3 gru-h64-b1-t256-l3',
].flatMap((names) => names.split(' ').map(shapeOf));

/** All variants of one shape. */
export interface VariantRow {
  readonly shape: string;
  readonly times: Readonly<Record<string, Timing>>;
  /** Largest difference of each from the chosen one; null where it is no number. */
  readonly differences: Readonly<Record<string, number | null>>;
  readonly failures: Readonly<Record<string, string>>;
}

/** Measures the variants of one shape, interleaved. What a device refuses is among the failures. */
export async function measureVariants(
  device: GPUDevice,
  workload: Workload,
  seconds: number,
): Promise<VariantRow> {
  const engines: Runnable[] = [];
  const failures: Record<string, string> = {};
  const differences: Record<string, number | null> = {};
  const stacked = workload.shape.layers > 1;
  let chosen: Float32Array | undefined;
  try {
    for (const [name, options] of Object.entries(VARIANTS)) {
      if (options.wavefront !== undefined && !stacked) continue;
      try {
        const engine = await ours(name, workload, { device, ...options });
        engines.push(engine);
        const result = await engine.run();
        chosen ??= result.slice();
        differences[name] = finiteDifference(result, chosen);
      } catch (error) {
        failures[name] = errorLine(error);
      }
    }
    const measured = await measure(engines, { rounds: [5, 200], seconds });
    for (const [name, error] of measured.failures) failures[name] = errorLine(error);
    return {
      shape: nameOf(workload.shape),
      times: Object.fromEntries(measured.timings),
      differences,
      failures,
    };
  } finally {
    for (const engine of engines) await engine.dispose();
  }
}

const TABLE = tableOf([
  ['', -22],
  ['ms', 10],
  ['of chosen', 9],
  ['', -24],
]);

/** A shape and its variants for the terminal: milliseconds, also as a multiple of the chosen one's. */
export function variantLines({ shape, times, differences, failures }: VariantRow): string {
  const chosen = times['chosen']?.median;
  const lines = Object.entries(times).map(([name, { median }]) => {
    const ratio = chosen === undefined ? 'n/a' : ratioText(median / chosen);
    const difference = differences[name];
    const note = difference ? `  differs by ${difference.toExponential(1)}` : '';
    return TABLE.line(`  ${name}`, median.toFixed(3), ratio, note);
  });
  const failed = Object.entries(failures).map(([name, reason]) => TABLE.line(`  ${name}`, reason));
  return [shape, ...lines, ...failed].join('\n');
}
