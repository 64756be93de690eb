// Measures one shape with both packages in one process of Node: their answers first, then their times.
import type { LoadOptions } from 'webgpu-rnn/node';
import { finiteDifference, isRight } from '../answers.ts';
import type { PackageApi } from '../engines/engine.ts';
import { measure, type Runnable } from '../measure.ts';
import { findOnnxRuntime, ort, ours } from '../node-engines.ts';
import type { Workload } from '../shapes.ts';
import { compare, type Attempt } from './comparison.ts';
import { LABELS, type Label } from './packages.ts';

/** The answers of one shape. */
export interface Answers {
  /** Largest difference of each from ONNX Runtime's CPU provider. */
  readonly errors: Readonly<Record<Label, number | null>>;
  /** Largest difference between the two: 0 where they agree in every bit. */
  readonly difference: number | null;
}

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
  /** A second measurement: four times the rounds, and the packages loaded in the other order. */
  readonly again: boolean;
}

/** Rounds and the factor of the seconds, of a first and a second measurement. */
export const EFFORTS = {
  first: { rounds: [21, 400], factor: 1 },
  again: { rounds: [84, 1600], factor: 4 },
} as const;

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
    const { rounds, factor } = again ? EFFORTS.again : EFFORTS.first;
    const { timings, failures } = await measure([before, after], {
      rounds,
      seconds: factor * seconds,
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

/** @throws Error where an answer is wrong */
export function refuseWrong(label: Label, error: number | null): void {
  if (!isRight(error)) throw new Error(`the ${label} answer is wrong by ${error ?? 'infinity'}`);
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
