// Measures how long both packages take from the bytes of a model to its first result, each time in a fresh
// process: device, kernels and weights, nothing of it cached.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finiteDifference } from '../answers.ts';
import { shapeOf, workloadOf } from '../shapes.ts';
import { median } from '../statistics.ts';
import { compare, refuseWrong, timesOf, type Attempt } from './comparison.ts';
import { LABELS, type Label, type PackagePair } from './packages.ts';
import { answerOfOnnxRuntime } from './run-times.ts';

/** Milliseconds of one process. The first result is the load and the first run. */
export interface FirstResult {
  readonly importMs: number;
  readonly loadMs: number;
  readonly firstRunMs: number;
}

/** Medians of the parts of a first result. */
export type Parts = Readonly<Record<Label, FirstResult>>;

const CHILD = fileURLToPath(new URL('first-result-child.mjs', import.meta.url));
// Drivers keep compiled shaders on disk, so that only the first process would compile. Mesa (lavapipe):
// https://docs.mesa3d.org/envvars.html
// NVIDIA: https://developer.nvidia.com/docs/drive/drive-os/6.0.9/public/drive-os-linux-sdk/common/topics/graphics_content/AutomaticShaderCache8.html
const NO_SHADER_CACHE = { MESA_SHADER_CACHE_DISABLE: 'true', __GL_SHADER_DISK_CACHE: '0' };
const TIMEOUT_MS = 300_000; // lavapipe compiles some kernels for seconds, on a busy machine for a minute

/**
 * First results of one shape, the packages in alternating processes.
 *
 * @param samples processes of each package
 * @throws Error where a process fails or an answer is wrong
 */
export async function measureFirstResults(
  pair: PackagePair,
  shape: string,
  samples: number,
): Promise<Attempt<Parts>> {
  const workload = workloadOf(shapeOf(shape));
  const truth = await answerOfOnnxRuntime(workload);
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-rnn-first-'));
  const at = (name: string): string => join(folder, name);
  try {
    const { file, X } = workload;
    writeFileSync(at('model.onnx'), file);
    writeFileSync(at('input.json'), JSON.stringify({ dims: X.dims, data: [...X.data] }));
    const results: Record<Label, FirstResult[]> = { old: [], new: [] };
    for (let i = 0; i < samples; i++) {
      for (const label of i % 2 === 0 ? LABELS : LABELS.toReversed()) {
        const entry = join(pair[label].dist, 'node.js');
        const files = ['model.onnx', 'input.json', 'answer.bin'].map(at);
        results[label].push(runChild([entry, ...files]));
        const Y = new Float32Array(Uint8Array.from(readFileSync(at('answer.bin'))).buffer);
        refuseWrong(label, finiteDifference(Y, truth));
      }
    }
    const totals = (label: Label): number[] =>
      results[label].map(({ loadMs, firstRunMs }) => loadMs + firstRunMs);
    return {
      measured: compare(timesOf(totals('old')), timesOf(totals('new'))),
      details: { old: medianParts(results.old), new: medianParts(results.new) },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function medianParts(results: readonly FirstResult[]): FirstResult {
  const of = (key: keyof FirstResult): number => median(results.map((result) => result[key]));
  return { importMs: of('importMs'), loadMs: of('loadMs'), firstRunMs: of('firstRunMs') };
}

function runChild(args: readonly string[]): FirstResult {
  const { stdout, stderr, status } = spawnSync(process.execPath, [CHILD, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...NO_SHADER_CACHE },
    timeout: TIMEOUT_MS,
  });
  if (status !== 0) throw new Error(`the process ended with ${status}: ${stderr.trim()}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as FirstResult;
}

/** The parts of a first result in a line, each old → new. */
export function partsText(parts: Parts): string {
  const part = (key: keyof FirstResult): string =>
    `${parts.old[key].toFixed(0)} → ${parts.new[key].toFixed(0)}`;
  return `load ${part('loadMs')}, run ${part('firstRunMs')}; import ${part('importMs')}`;
}
