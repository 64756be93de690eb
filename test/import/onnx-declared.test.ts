// What an ONNX file declares of its values is compared with what its nodes give.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { loadModel } from '../../src/index.ts';
import { hostInputsOf } from '../../src/plan/specialize/shape-inputs.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx, type OnnxGraph, type OnnxValue } from '../support/onnx-writer.ts';
import { hasSharedData, needsSharedData, sharedBytes, sharedPath } from '../support/shared-data.ts';

type Dims = NonNullable<OnnxValue['dims']>;

/** y [2, 3] = Relu(x + 1), with the sum as an inner value. */
function fileOf(
  dims: Dims,
  output: Partial<OnnxValue>,
  inner: Partial<OnnxValue> = {},
): Uint8Array {
  const graph: OnnxGraph = {
    nodes: [
      { op: 'Add', inputs: ['x', 'one'], outputs: ['sum'] },
      { op: 'Relu', inputs: ['sum'], outputs: ['y'] },
    ],
    inputs: [{ name: 'x', type: 'float32', dims }],
    outputs: [{ name: 'y', type: 'float32', ...output }],
    valueInfo: [{ name: 'sum', type: 'float32', ...inner }],
    initializers: { one: tensor([1]) },
  };
  return writeOnnx(graph);
}
const load = (file: Uint8Array) => loadModel(file, { device: 'reference' });

const wrong: [name: string, output: Partial<OnnxValue>, inner: Partial<OnnxValue>, path: string][] =
  [
    ['another size', { dims: [2, 4] }, {}, 'graph.outputs[0].dims'],
    ['another rank', { dims: [2, 3, 1] }, {}, 'graph.outputs[0].dims'],
    ['another rank with free sizes', { dims: ['a', 'b', 'c'] }, {}, 'graph.outputs[0].dims'],
    ['a scalar', { dims: [] }, {}, 'graph.outputs[0].dims'],
    ['another type', { type: 'int64', dims: [2, 3] }, {}, 'graph.outputs[0].type'],
    ['an inner size', {}, { dims: [3, 2] }, 'graph.value_info[0].dims'],
    ['an inner type', {}, { type: 'float64' }, 'graph.value_info[0].type'],
  ];

describe('a declaration that contradicts the nodes', () => {
  it.each(wrong)('%s is refused at load where sizes are fixed', async (_, output, inner, path) => {
    await expect(load(fileOf([2, 3], output, inner))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path,
    });
  });

  it.each(wrong)(
    '%s is refused at the first run where they are free',
    async (_, output, inner, path) => {
      const model = await load(fileOf(['rows', 'columns'], output, inner));
      const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
      await expect(model.run({ x })).rejects.toMatchObject({ code: 'INVALID_MODEL', path });
      model.dispose();
    },
  );

  it('says what is declared and what the nodes give', async () => {
    await expect(load(fileOf([2, 3], { dims: ['rows', 4] }))).rejects.toThrow(
      "shape of 'y', got [?, 4], expected [2, 3], which its node gives",
    );
  });
});

describe('a declaration that leaves something open', () => {
  it.each<[string, Partial<OnnxValue>, Partial<OnnxValue>]>([
    ['a symbol', { dims: ['rows', 3] }, { dims: ['rows', 'columns'] }],
    ['one symbol for two sizes', { dims: ['n', 'n'] }, {}],
    ['no shape', {}, {}],
    ['a size of 0, which exporters write for a free one', { dims: [0, 3] }, {}],
  ])('%s is fine', async (_, output, inner) => {
    const model = await load(fileOf([2, 3], output, inner));
    const { y } = await model.run({ x: tensor([1, 2, 3, -4, 5, 6], [2, 3]) });
    model.dispose();
    expect(y).toEqual(tensor([2, 3, 4, 0, 6, 7], [2, 3]));
  });
});

describe('models of other projects', needsSharedData, () => {
  const files = hasSharedData
    ? readdirSync(sharedPath('.'), { recursive: true, encoding: 'utf8' })
    : [];
  it.each(files.filter((file) => file.endsWith('.onnx')))('%s declares what it gives', (file) => {
    const graph = simplify(importOnnx(sharedBytes(file)));
    expect(graph.declared).toBeDefined();
    const host = hostInputsOf(graph);
    const dims = new Map(
      graph.inputs.map((input) => [
        input.name,
        // Silero takes a window of 576 samples at 16 kHz.
        input.dims.map((dim, axis) => {
          if (typeof dim === 'number') return dim;
          return file.includes('silero') && input.name === 'input' && axis === 1 ? 576 : 1;
        }),
      ]),
    );
    const hosts = new Map(
      graph.inputs
        .filter(({ name }) => host.has(name))
        .map(({ name, type }) => {
          const size = dims.get(name)!.reduce((a, b) => a * b, 1);
          return [name, { type, dims: dims.get(name)!, data: new Float64Array(size).fill(16000) }];
        }),
    );
    expect(() => specializeGraph(graph, { dims, host: hosts })).not.toThrow();
  });
});
