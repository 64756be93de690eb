// Measures one shape with both packages in one process of Node: their answers first, then their times.
import type { LoadOptions } from 'webgpu-rnn/node';
import { finiteDifference } from '../answers.ts';
import type { PackageApi } from '../engines/engine.ts';
import { measure, type Runnable } from '../measure.ts';
import { findOnnxRuntime, ort, ours } from '../node-engines.ts';
import type { Workload } from '../shapes.ts';
import { compare, refuseWrong, type Answers, type Attempt } from './comparison.ts';
import { durationOf } from './options.ts';
import { LABELS, type Label } from './packages.ts';

/** What a package is measured with: its exports, and a device of its own. */
export interface Side {
  readonly api: PackageApi;
  readonly device: GPUDevice;
}

/** How to measure a shape. */
export interface RunOptions {
  /** Seconds for both packages, at least. */
  readonly seconds: number;
  /** One kernel instead of the selected one. */
  readonly kernel?: LoadOptions['recurrentKernel'] | undefined;
  /** A second measurement: more rounds, and the packages loaded in the other order. */
  readonly again: boolean;
}

/** Measures one shape. @throws what a package throws; Error for a wrong answer and without ONNX Runtime */
export async function measureRuns(
  sides: Readonly<Record<Label, Side>>,
  workload: Workload,
  { seconds, kernel, again }: RunOptions,
): Promise<Attempt<Answers>> {
  const truth = await answerOfOnnxRuntime(workload);
  const engines: Partial<Record<Label, Runnable>> = {};
  try {
    // The other order of loading at the second time, so that neither package profits from it.
    for (const label of again ? LABELS.toReversed() : LABELS) {
      const { api, device } = sides[label];
      const options = { device, ...(kernel && { recurrentKernel: kernel }) };
      engines[label] = await ours(label, workload, options, api);
    }
    const { old: before, new: after } = engines as Record<Label, Runnable>;
    const [oldY, newY] = [(await before.run()).slice(), (await after.run()).slice()];
    const errors = { old: finiteDifference(oldY, truth), new: finiteDifference(newY, truth) };
    for (const label of LABELS) refuseWrong(label, errors[label]);
    const duration = durationOf(again);
    const { timings, failures } = await measure([before, after], {
      rounds: duration.rounds,
      seconds: duration.seconds * seconds,
    });
    for (const failure of failures.values()) throw failure;
    return {
      measured: compare(timings.get('old')!, timings.get('new')!),
      details: { errors, difference: finiteDifference(newY, oldY) },
    };
  } finally {
    for (const engine of Object.values(engines)) await engine.dispose();
  }
}

/** The answer of ONNX Runtime's CPU provider, which shares no code with this package. */
export async function answerOfOnnxRuntime(workload: Workload): Promise<Float32Array> {
  const runtime = await findOnnxRuntime();
  if (!runtime) throw new Error('onnxruntime-node is not installed, and no other arbiter is here');
  const engine = await ort(runtime, 'cpu', workload);
  try {
    return (await engine.run()).slice();
  } finally {
    await engine.dispose();
  }
}
