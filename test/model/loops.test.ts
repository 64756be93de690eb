// Recurrences that are exported as Scan or Loop are kept as one node: they compute what ONNX Runtime does, at any length,
// and what they do when they are unrolled; streams carry their states.
import { describe, expect, it } from 'vitest';
import { inspect, tensor } from '../../src/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { BACKENDS, expectLikeOnnxRuntime, loadOn, runOn } from '../support/onnx-backends.ts';
import { floatsOf } from '../support/onnx-parts.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { scanBodies, scanGraph, SMALL, statePairs } from '../support/scan-bodies.ts';
import { SEED } from '../support/settings.ts';

const { rows: ROWS, features: FEATURES } = SMALL;
const BODIES = scanBodies();

const xsOf = (steps: number): Tensor => floatsOf(randomOf(SEED))(steps, ROWS, FEATURES);

/** Time steps from `from` to `to` of x [T, B, I]. */
const cut = ({ data }: Tensor, from: number, to: number): Tensor => {
  const size = ROWS * FEATURES;
  return tensor((data as Float32Array).slice(from * size, to * size), [to - from, ROWS, FEATURES]);
};

const FORMS = BODIES.flatMap((body) =>
  (['Scan', 'Loop'] as const).map((op) => ({ body, op, name: `${body.name} as ${op}` })),
);

describe.each(FORMS)('$name', ({ body, op }) => {
  const file = writeOnnx(scanGraph(body, { op }));

  it('computes what ONNX Runtime does', async () => {
    for (const steps of [16, 21])
      await expectLikeOnnxRuntime(file, { xs: xsOf(steps) }, `T=${steps}`);
  });

  it('is one loop of few dispatches in a plan, in which the products of the input are outside', async () => {
    const { plan } = await inspect(file, { dims: { xs: [100, ROWS, FEATURES] } });
    const { text } = plan!;
    expect(text.match(/^ {2}loop 0\.\.100$/gm)).toHaveLength(1);
    const inside = text.split('\n').filter((line) => /^ {4}(even|odd )/.test(line));
    const products = inside.filter((line) => line.includes('matmul'));
    expect(products).toHaveLength(body.name === 'LayerNorm-LSTM' ? 2 : 0); // R·h, even and odd
  });

  it('streams with its states, cut anywhere, as one run', async () => {
    const xs = xsOf(40);
    const { ys } = await runOn('reference', file, { xs });
    const size = (ys!.data.length ?? 0) / 40;
    for (const device of BACKENDS) {
      const model = await loadOn(device, file);
      const stream = model.stream();
      let at = 0;
      for (const length of [1, 18, 2, 19]) {
        const part = await stream.step({ xs: cut(xs, at, at + length) });
        const expected = (ys!.data as Float32Array).slice(at * size, (at + length) * size);
        expectClose(part['ys']!.data as Float32Array, expected, { label: `${device} ${at}` });
        at += length;
      }
      model.dispose();
    }
  });
});

describe('loops', () => {
  const minGru = scanGraph(BODIES.at(-1)!, { op: 'Scan' });
  const [scan] = minGru.nodes;

  it('of more steps than one loop has go on from part to part', async () => {
    await expectLikeOnnxRuntime(writeOnnx(minGru), { xs: xsOf(300) });
  });

  it.each([
    ['backwards', { scan_input_directions: [1], scan_output_directions: [1] }],
    ['backwards, into another axis', { scan_input_directions: [1], scan_output_axes: [1] }],
  ])('run %s', async (_, attributes) => {
    const node = { ...scan!, attributes: { ...scan!.attributes, ...attributes } };
    const outputs = minGru.outputs.map(({ name, type }) => ({ name, type }));
    await expectLikeOnnxRuntime(writeOnnx({ ...minGru, nodes: [node], outputs }), { xs: xsOf(20) });
  });

  it('that run backwards are refused by streams', async () => {
    const attributes = { ...scan!.attributes, scan_input_directions: [1] };
    const file = writeOnnx({ ...minGru, nodes: [{ ...scan!, attributes }] });
    const model = await loadOn('wasm', file);
    expect(() => model.stream()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_OPERATOR' }));
    model.dispose();
  });
});

describe('streams of loops', () => {
  const [body] = BODIES;
  const xs = xsOf(12);

  it.each(BACKENDS)('are saved, restored and forked, on %s', async (device) => {
    const model = await loadOn(device, writeOnnx(scanGraph(body!, { op: 'Scan' })));
    const stream = model.stream();
    await stream.step({ xs: cut(xs, 0, 4) });
    const saved = await stream.snapshot();
    expect(Object.keys(saved)).toHaveLength(1);
    const fork = stream.fork();
    const first = await stream.step({ xs: cut(xs, 4, 8) });
    stream.restore(saved);
    const again = await stream.step({ xs: cut(xs, 4, 8) });
    const forked = await fork.step({ xs: cut(xs, 4, 8) });
    expect(again['ys']!.data).toEqual(first['ys']!.data);
    expect(forked['ys']!.data).toEqual(first['ys']!.data);
    stream.reset();
    const begun = await stream.step({ xs: cut(xs, 4, 8) });
    expect(begun['ys']!.data).not.toEqual(first['ys']!.data);
    model.dispose();
  });

  it('carry states that the model takes and gives by their names', async () => {
    const file = writeOnnx(scanGraph(body!, { op: 'Loop', begins: 'inputs' }));
    const h0 = tensor(new Float32Array(ROWS * FEATURES * 4), [ROWS, FEATURES, 4]);
    const { ys } = await runOn('reference', file, { xs, h0 });
    const model = await loadOn('wasm', file);
    const stream = model.stream({ state: statePairs(body!) });
    const parts = [stream.stepSync({ xs: cut(xs, 0, 5) }), stream.stepSync({ xs: cut(xs, 5, 12) })];
    const got = parts.flatMap((part) => [...(part['ys']!.data as Float32Array)]);
    expectClose(got, ys!.data as Float32Array);
    model.dispose();
  });
});
