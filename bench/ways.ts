// Our own ways of computing one shape, against the one that is chosen: what decides whether the choice is
// right on an adapter.
import type { LoadOptions } from 'webgpu-rnn/node';
import { finiteDifference } from './answers.ts';
import { errorLine, measure, type Runnable, type Timing } from './measure.ts';
import { ours } from './node-engines.ts';
import { nameOf, shapeOf, type Workload } from './shapes.ts';

/** Ways by name, with what they ask of `loadModel`. */
const WAYS: Readonly<Record<string, LoadOptions>> = {
  chosen: {},
  step: { recurrentKernel: 'step' },
  'step, no subgroups': { recurrentKernel: 'step', subgroups: false },
  persistent: { recurrentKernel: 'persistent' },
  'side by side': { wavefront: true },
  'layer by layer': { wavefront: false },
  tuned: { tune: true },
  f16: { weights: 'f16' },
  'f16 in f16': { arithmetic: 'f16' },
  int8: { weights: 'int8' },
};

/** Small and large layers, one row and many, one layer and three. */
export const WAY_SHAPES = [
  'lstm-h64-b1-t256 lstm-h128-b1-t64 lstm-h128-b1-t1 lstm-h512-b1-t64 lstm-h1024-b1-t16 lstm-h128-b16-t64',
  'lstm-h256-b64-t16 gru-h128-b1-t64 lstm-h128-b1-t256-l3 lstm-h512-b1-t64-l3 gru-h64-b1-t256-l3',
].flatMap((names) => names.split(' ').map(shapeOf));

/** All ways of one shape. */
export interface Ways {
  readonly shape: string;
  readonly times: Readonly<Record<string, Timing>>;
  /** Largest difference of each from what is chosen. */
  readonly differences: Readonly<Record<string, number | null>>;
  readonly failures: Readonly<Record<string, string>>;
}

/** Measures the ways of one shape in turn. What a device refuses is among the failures. */
export async function measureWays(
  device: GPUDevice,
  workload: Workload,
  seconds: number,
): Promise<Ways> {
  const engines: Runnable[] = [];
  const failures: Record<string, string> = {};
  const differences: Record<string, number | null> = {};
  const stacked = workload.shape.layers > 1;
  let chosen: Float32Array | undefined;
  try {
    for (const [name, options] of Object.entries(WAYS)) {
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

/** A shape and its ways for the terminal: milliseconds, and how they compare with what is chosen. */
export function linesOf({ shape, times, differences, failures }: Ways): string {
  const whole = times['chosen']?.median;
  const lines = Object.entries(times).map(([name, { median }]) => {
    const ratio = whole === undefined ? 'n/a' : `${(median / whole).toFixed(2)}x`;
    const difference = differences[name];
    const off = difference ? `differs by ${difference.toExponential(1)}` : '';
    return `  ${name.padEnd(20)} ${median.toFixed(3).padStart(10)} ms ${ratio.padStart(8)}  ${off}`;
  });
  const failed = Object.entries(failures).map(([name, why]) => `  ${name.padEnd(20)} ${why}`);
  return [shape, ...lines, ...failed].join('\n');
}
