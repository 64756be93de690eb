// A model does not change with the bytes it came from.
import { expect, test } from 'vitest';
import { loadModel, tensor } from '../../src/index.ts';
import type { Graph } from '../../src/index.ts';
import { ownConstants } from '../../src/import/own-constants.ts';
import { writeOnnx } from '../support/onnx-writer.ts';

const bytesOf = (): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(
    writeOnnx({
      inputs: [{ name: 'x', type: 'float32', dims: [4096] }],
      outputs: [{ name: 'y', type: 'float32', dims: [4096] }],
      initializers: { c: tensor(new Float32Array(4096).fill(3), [4096]) },
      nodes: [{ op: 'Add', name: 'add', inputs: ['x', 'c'], outputs: ['y'] }],
    }),
  );
const x = tensor(new Float32Array(4096).fill(1));

test.each([
  ['are overwritten', (bytes: Uint8Array<ArrayBuffer>) => void bytes.fill(0)],
  [
    'are transferred',
    ({ buffer }: Uint8Array<ArrayBuffer>) => void structuredClone(buffer, { transfer: [buffer] }),
  ],
])('answers stay the same when the bytes of the source %s', async (_, spoil) => {
  // The weights begin at one of four places, of which one is aligned and could be a view of the file.
  for (let shift = 0; shift < 4; shift++) {
    const file = bytesOf();
    const bytes = new Uint8Array(new ArrayBuffer(file.length + shift), shift);
    bytes.set(file);
    const model = await loadModel(bytes, { device: 'reference' });
    spoil(bytes);
    expect((await model.run({ x }))['y']!.data).toEqual(new Float32Array(4096).fill(4));
    model.dispose();
  }
});

test('only views of foreign buffers are copied, also in the graphs of nodes', () => {
  const foreign = new ArrayBuffer(32);
  const [view, own] = [tensor(new Float32Array(foreign, 8, 2)), tensor([1, 2])];
  const inner: Graph = {
    name: 'i',
    inputs: [],
    outputs: [],
    constants: new Map([['v', view]]),
    nodes: [],
  };
  const graph: Graph = {
    ...inner,
    constants: new Map([
      ['v', view],
      ['o', own],
    ]),
    nodes: [{ op: 'If', name: 'if', inputs: [], outputs: [], attributes: { then_branch: inner } }],
  };
  const owned = ownConstants(graph, new Set([foreign]));
  expect(owned.constants.get('o')).toBe(own);
  const copy = owned.constants.get('v')!;
  expect(copy).toEqual(view);
  expect(copy.data.buffer.byteLength).toBe(8); // the view, not the file
  const branch = owned.nodes[0]!.attributes['then_branch'] as Graph;
  expect(branch.constants.get('v')!.data.buffer).not.toBe(foreign);
  expect(ownConstants(graph, new Set())).toBe(graph);
});
