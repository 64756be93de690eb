// A Cast to float16 rounds as ONNX Runtime does, in the reference and on the GPU.
import { afterAll, describe, expect, it } from 'vitest';
import { loadModel, tensor, type LoadOptions } from '../../src/index.ts';
import { toHalf } from '../../src/float16.ts';
import { getAdapter } from '../setup/gpu.ts';
import { halfBits, writeOnnx } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());
const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['wasm', { device: 'wasm' }],
  ['js', { device: 'js' }],
  ['reference', { device: 'reference' }],
];

/** Numbers of every size that half precision has, and beyond it on both sides. */
function numbers(): Float32Array {
  const random = randomOf(SEED);
  const scaled = Array.from({ length: 2000 }, () =>
    random.floats(1, 2 ** random.int(-27, 17)),
  ).flatMap((list) => [...list]);
  // Halfway between neighbours, and next to it.
  const ties = [2048, 2049, 2050, 2051, 1, 2 ** -14, 2 ** -24, 3 * 2 ** -24].flatMap((x) =>
    [0.5, 1, 1.5].map((k) => x * (1 + k * 2 ** -10)).concat(x * 0.5, x * 1.5),
  );
  const ends = [65504, 65519.99, 65520, 65536, 1e30, 0, 2 ** -25, 2 ** -25 * 1.0001, Infinity];
  const all = [...scaled, ...ties, ...ends];
  return Float32Array.from([...all, ...all.map((x) => -x), NaN]);
}

describe('Cast to float16', () => {
  const data = numbers();
  const size = data.length;
  const cast = (from: string, to: string, code: number) => ({
    op: 'Cast',
    inputs: [from],
    outputs: [to],
    attributes: { to: code },
  });
  const file = writeOnnx(
    {
      nodes: [cast('x', 'half', 10), cast('half', 'y', 1)],
      inputs: [{ name: 'x', type: 'float32', dims: [size] }],
      outputs: [{ name: 'y', type: 'float32', dims: [size] }],
    },
    { opset: 13, irVersion: 8 },
  );

  it.each(BACKENDS)('is what ONNX Runtime makes of it, on %s', async (_, options) => {
    const x = tensor(data);
    const { y: expected } = await runOnnxRuntime(file, { x });
    const model = await loadModel(file, options);
    const { y } = await model.run({ x });
    expect(y!.type).toBe('float32');
    expect([...(y!.data as Float32Array)]).toEqual([...(expected!.data as Float32Array)]);
    model.dispose();
  });

  it.each(BACKENDS)('of integers, on %s', async (_, options) => {
    const integers = Int32Array.of(2049, 2051, -2049, 65519, 65520, -70000, 7);
    const input = { name: 'x', type: 'int32', dims: [7] } as const;
    const output = { name: 'y', type: 'float16', dims: [7] } as const;
    const node = { ...cast('x', 'y', 10), name: 'cast' };
    const graph = { name: 'g', inputs: [input], outputs: [output], constants: new Map() };
    const model = await loadModel({ ...graph, nodes: [node] }, options);
    const { y } = await model.run({ x: tensor(integers) });
    expect(y!.type).toBe('float16');
    expect([...(y!.data as Float32Array)]).toEqual([
      2048,
      2052,
      -2048,
      65504,
      Infinity,
      -Infinity,
      7,
    ]);
    model.dispose();
  });

  it('gives numbers that half precision holds', () => {
    for (const x of data) {
      const half = toHalf(x);
      expect(halfBits(half)).toBe(halfBits(x));
      if (Number.isFinite(half)) expect(toHalf(half)).toBe(half);
    }
  });
});
