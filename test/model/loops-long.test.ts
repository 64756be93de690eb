// Loops of 10,000 time steps: they are as exact as short ones, and their plans and programs do not grow with the sequence.
import { describe, expect, it } from 'vitest';
import { inspect } from '../../src/index.ts';
import { expectClose } from '../support/close.ts';
import { loadOn } from '../support/onnx-backends.ts';
import { floatsOf } from '../support/onnx-parts.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { randomOf } from '../support/random.ts';
import { scanBodies, scanGraph, SMALL } from '../support/scan-bodies.ts';
import { ONLY_IN_FULL, SEED } from '../support/settings.ts';

const { rows, features } = SMALL;

/** Bytes of a plan that are no inputs and outputs and no copies of these. */
async function scratchOf(file: Uint8Array, steps: number): Promise<number> {
  const { plan } = await inspect(file, { dims: { xs: [steps, rows, features] } });
  const buffers = [...plan!.text.matchAll(/^ {2}%\d+ +scratch +(\d+) B +@(\d+)/gm)];
  const slots = new Map<string, number>();
  for (const [, bytes, slot] of buffers) {
    slots.set(slot!, Math.max(slots.get(slot!) ?? 0, Number(bytes)));
  }
  return [...slots.values()].reduce((sum, bytes) => sum + bytes, 0);
}

describe.each(scanBodies())('$name', ONLY_IN_FULL, (body) => {
  const file = writeOnnx(scanGraph(body, { op: 'Scan' }));
  const outputs = body.y.dims!.reduce<number>((product, dim) => product * Number(dim), 4);

  it.each(['wasm', 'js', 'webgpu', 'reference'] as const)(
    'of 10,000 steps on %s',
    async (device) => {
      const feeds = { xs: floatsOf(randomOf(SEED))(10_000, rows, features) };
      const expected = await runOnnxRuntime(file, feeds);
      const model = await loadOn(device, file);
      const got = await model.run(feeds);
      for (const [name, { data, dims }] of Object.entries(expected)) {
        expectClose(got[name]!.data, data as Float32Array, { atol: 1e-4, label: name, dims });
      }
      model.dispose();
    },
  );

  it('takes memory for its results alone as the sequence grows', async () => {
    const [short, long] = [await scratchOf(file, 1024), await scratchOf(file, 10_240)];
    expect(long - short).toBeLessThanOrEqual(outputs * (10_240 - 1024) + 4096);
  });
});
