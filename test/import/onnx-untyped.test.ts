// Outputs of an ONNX file that have a name only: their element types follow from the nodes.
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/index.ts';
import { tensor } from '../../src/tensor.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { attribute, input, int, message, model, node, text } from '../support/proto.ts';

const load = (file: Uint8Array) => loadModel(file, { device: 'reference' });

describe('an output without a type', () => {
  const untyped = (op: string, ...more: Parameters<typeof node>[3][]): Uint8Array =>
    model(node(op, ['x'], ['y'], ...more), input('x', 1, int(1, 2)), message(12, text(1, 'y')));

  it.each([
    ['Relu', untyped('Relu'), 'float32'],
    ['IsNaN', untyped('IsNaN'), 'bool'],
    ['Cast', untyped('Cast', attribute('to', 2, int(3, 7))), 'int64'],
    ['Hardmax', untyped('Hardmax'), 'float32'],
    ['Shape', untyped('Shape'), 'int64'],
  ] as const)('%s has the type that ONNX Runtime finds', async (_, file, type) => {
    const x = tensor([1, -2]);
    const loaded = await load(file);
    expect(loaded.outputs[0]!.type).toBe(type);
    const { y } = await loaded.run({ x });
    const expected = (await runOnnxRuntime(file, { x }))['y']!;
    expect({ ...y, data: [...y!.data] }).toEqual({ ...expected, data: [...expected.data] });
    loaded.dispose();
  });

  it('is refused where nothing tells its type', async () => {
    const branch = (name: string) =>
      message(
        6,
        message(1, text(1, 'x'), text(2, name), text(4, 'Relu')),
        message(12, text(1, name)),
      );
    const file = model(
      node(
        'If',
        ['c'],
        ['y'],
        attribute('then_branch', 5, branch('a')),
        attribute('else_branch', 5, branch('b')),
      ),
      input('c', 9),
      input('x', 1, int(1, 2)),
      message(12, text(1, 'y')),
    );
    await expect(load(file)).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: 'graph.outputs[0].type',
    });
  });
});
