// A model made in code goes to one file and comes back the same; a file that lies is refused.
import { describe, expect, it } from 'vitest';
import { declarationOf, PLAIN_VARIANT, type Cell } from '../src/cells/index.ts';
import { RnnError } from '../src/errors.ts';
import type { Graph } from '../src/graph.ts';
import { inspect } from '../src/inspect.ts';
import { importModel } from '../src/import/index.ts';
import { readSafetensors } from '../src/import/safetensors.ts';
import {
  attention,
  dense,
  embedding,
  functional,
  gru,
  input,
  lstm,
  recurrent,
  sequential,
} from '../src/layers.ts';
import { loadModel } from '../src/load-model.ts';
import { runReference } from '../src/reference.ts';
import { saveModel } from '../src/save-model.ts';
import { tensor, type Tensor } from '../src/tensor.ts';
import { layerNormLstm, minGru, sLstm } from './cells/proof-cells.ts';
import { expectClose } from './support/close.ts';
import { randomOf } from './support/random.ts';
import { SEED } from './support/settings.ts';

const random = randomOf(SEED);
const weights = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.7,
    ),
    dims,
  );
const read = (bytes: Uint8Array, cells?: readonly Cell[]): Promise<Graph> =>
  importModel(new Map([['model.bin', bytes]]), { cells });

const x = input('x', ['batch', 'time', 3]);
const n = input('lengths', ['batch'], 'int32');
const layer = lstm({ W: weights(8, 3), R: weights(8, 2), alphas: [0.5, Number.NaN, Number.NaN] });
const { y, states } = layer.withStates(x, { lengths: n });
const h = attention({ causal: true })({ query: y, value: y, lengths: n });
const whole = functional({
  inputs: [x, n],
  outputs: { h, c: states[1]!, z: dense({ W: weights(4, 2), activation: 'softmax' })(h) },
  name: 'whole',
});

describe('a model that was saved', () => {
  it('is read as the graph that it was', async () => {
    expect(await read(saveModel(whole))).toEqual(whole);
    const tokens = sequential([
      embedding({ weights: weights(5, 3) }),
      gru({ W: weights(2, 9, 3), R: weights(2, 9, 3), direction: 'bidirectional', merge: 'mul' }),
    ]);
    expect(await read(saveModel(tokens))).toEqual(tokens);
  });

  it('computes what it did', async () => {
    const model = await loadModel(saveModel(whole), { device: 'reference' });
    const feeds = { x: weights(2, 4, 3), lengths: tensor(Int32Array.of(4, 2), [2]) };
    const [got, want] = [await model.run(feeds), runReference(whole, feeds)];
    for (const [name, { data }] of want) expect(got[name]!.data).toEqual(Float32Array.from(data));
  });

  it('keeps constants of every type, attributes of every kind, and graphs within', async () => {
    const constants = new Map<string, Tensor>([
      ['long', tensor(BigInt64Array.of(-(2n ** 62n), 1n))],
      ['flag', tensor(Uint8Array.of(1, 0, 1), [3], 'bool')],
      ['byte', tensor(Uint8Array.of(255))],
      ['half', tensor(Float32Array.of(0.1), [1], 'float16')],
      ['double', tensor(Float64Array.of(Math.PI), [])],
      ['none', tensor(new Float32Array(0), [0, 3])],
      ['__proto__', tensor(Int16Array.of(-3))],
      ['__metadata__', tensor(Float32Array.of(2))],
    ]);
    const inner = (name: string): Graph => ({
      name,
      inputs: [],
      outputs: [{ name: 'inside', type: 'float32', dims: [] }],
      constants: new Map([['w', tensor([name.length])]]),
      nodes: [{ op: 'Identity', name: 'i', inputs: ['w'], outputs: ['inside'], attributes: {} }],
    });
    const attributes = {
      small: -0,
      huge: Infinity,
      list: [1.5, Number.NaN, -Infinity, -0],
      texts: ['a', 'NaN'],
      text: 'SAME_UPPER',
      yes: true,
      empty: [],
      value: tensor(BigInt64Array.of(7n)),
      then_branch: inner('then'),
      else_branch: inner('else!'),
    };
    const graph: Graph = {
      name: '',
      inputs: [],
      outputs: [{ name: 'out', type: 'float32', dims: ['n'] }],
      constants,
      nodes: [{ op: 'If', name: 'if', inputs: ['flag', ''], outputs: ['out'], attributes }],
    };
    expect(await read(saveModel(graph))).toEqual(graph);
  });

  it('has its weights for other programs, aligned', () => {
    const bytes = saveModel(whole);
    const tensors = readSafetensors(bytes);
    expect(tensors.get('lstm_0/W')!.dims).toEqual([1, 8, 3]);
    const size = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(size % 8).toBe(0);
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + size));
    const { __metadata__: metadata } = JSON.parse(text) as { __metadata__: { format: string } };
    expect(metadata.format).toBe('webgpu-rnn');
  });
});

describe('a cell of an app', () => {
  const graph = sequential([
    recurrent({ cell: minGru, W: weights(4, 3), B: weights(8) }),
    recurrent({ cell: layerNormLstm, W: weights(12, 2), R: weights(12, 3), P: weights(42) }),
    recurrent({ cell: minGru, W: weights(4, 3) }),
  ]);
  const bytes = saveModel(graph);
  const failure = async (...cells: readonly unknown[]): Promise<RnnError> => {
    const error: unknown = await read(bytes, cells as readonly Cell[]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RnnError);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    return error as RnnError;
  };

  it('is given again by who loads it, and runs', async () => {
    const cells = [sLstm, layerNormLstm, minGru]; // one more than there are
    expect(await read(bytes, cells)).toEqual(graph);
    const model = await loadModel(bytes, { device: 'wasm', cells });
    const X = weights(2, 4, 3);
    const [got, want] = [await model.run({ X }), runReference(graph, { X }).get('Y')!];
    expectClose(got['Y']!.data as Float32Array, want.data);
    const listed = await inspect(bytes, { cells });
    expect(listed.layers.length).toBe(graph.nodes.length);
  });

  it('is named where it is missing', async () => {
    const error = await failure(layerNormLstm);
    expect(error.path).toBe('options.cells');
    expect(error.message).toMatch(/'min_gru'.*got 'layer_norm_lstm'/);
    expect((await failure()).message).toMatch(/'min_gru'.*got none/);
  });

  it('that differs is refused by where', async () => {
    const phases = minGru.phases(PLAIN_VARIANT);
    const changed = (change: (wgsl: string) => string): Cell => ({
      ...minGru,
      phases: () => phases.map((phase) => ({ ...phase, wgsl: change(phase.wgsl) })),
    });
    const other = changed((wgsl) => wgsl.replace('1.0 - z', '1.0 + z'));
    const error = await failure(layerNormLstm, other);
    expect(error.path).toMatch(/^options\.cells\[1\]\.phases\[0\]\.wgsl/);
    expect(error.message).toMatch(/differs from the cell 'min_gru'/);
    const gates = await failure({ ...minGru, gates: ['h', 'z'] }, layerNormLstm);
    expect(gates.path).toBe('options.cells[0].gates[0]');
    const more = { ...minGru, parameters: () => [{ name: 'p' }] };
    expect((await failure(more)).path).toBe('options.cells[0].parameters[0]');
    // Another one of this name is right, and how it is indented does not count.
    const indented = changed((wgsl) => wgsl.replaceAll('\n', '\n\n    '));
    const found = await read(bytes, [other, layerNormLstm, indented]);
    expect(found.nodes.map(({ attributes }) => attributes['cell'])).toContain(indented);
  });

  it('is a cell', async () => {
    expect((await failure(minGru, 'min_gru')).path).toBe('options.cells[1]');
    expect((await failure(null)).path).toBe('options.cells[0]');
    await expect(read(bytes, 'min_gru' as never)).rejects.toMatchObject({ path: 'options.cells' });
  });
});

describe('what cannot be saved is named', () => {
  it('two cells of one name', () => {
    const layers = [minGru, { ...minGru, gates: ['h', 'z'] }].map((cell) =>
      recurrent({ cell, W: weights(6, 3) }),
    );
    expect(() => saveModel(sequential(layers))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', path: 'graph.nodes[2].cell' }),
    );
  });

  it('what is no graph, or none that hangs together', () => {
    expect(() => saveModel({} as never)).toThrow(/expected a Graph/);
    const broken = { ...whole, constants: new Map() };
    expect(() => saveModel(broken)).toThrow(expect.objectContaining({ code: 'INVALID_MODEL' }));
  });

  it('a description beyond what is read', () => {
    const nodes = Array.from({ length: 60 }, (_, i) => ({
      op: 'Identity',
      name: `${i}`,
      inputs: ['x'],
      outputs: [`${i}${'o'.repeat(80_000)}`],
      attributes: {},
    }));
    expect(() => saveModel({ ...whole, nodes, outputs: [] })).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });
});

describe('a file that lies', () => {
  /** The file with another graph in its header, whatever `change` makes of it. */
  function changed(change: (graph: never) => unknown, version = '1', cells?: string): Uint8Array {
    const bytes = saveModel(whole);
    const size = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size))) as Record<
      string,
      Record<string, string>
    >;
    const metadata = header['__metadata__']!;
    const graph = JSON.parse(metadata['graph']!) as never;
    const result = change(graph);
    metadata['graph'] = typeof result === 'string' ? result : JSON.stringify(graph);
    metadata['version'] = version;
    if (cells !== undefined) metadata['cells'] = cells;
    const text = new TextEncoder().encode(JSON.stringify(header));
    const file = new Uint8Array(8 + text.length + bytes.length - 8 - size);
    new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
    file.set(text, 8);
    file.set(bytes.subarray(8 + size), 8 + text.length);
    return file;
  }

  type Loose = Record<string, unknown> & {
    nodes: (Record<string, unknown> & { attributes: Record<string, unknown> })[];
    inputs: Record<string, unknown>[];
    constants: Record<string, unknown>;
  };
  const cases: Readonly<Record<string, readonly [(graph: Loose) => unknown, string, RegExp]>> = {
    'JSON that ends early': [() => '{"name":', '__metadata__.graph', /damaged JSON/],
    'a list for a graph': [() => '[]', 'graph', /an object/],
    'an unknown part': [(g) => (g['code'] = 1), 'graph.code', /expected name, inputs/],
    'no nodes': [(g) => delete (g as Partial<Loose>).nodes, 'graph.nodes', /got nothing/],
    'a type that is none': [
      (g) => {
        g.inputs[0]!['type'] = 'text';
      },
      'graph.inputs[0].type',
      /text/,
    ],
    'a negative size': [(g) => (g.inputs[0]!['dims'] = [-1]), 'graph.inputs[0].dims[0]', /-1/],
    'a name that is a number': [(g) => (g.nodes[0]!['name'] = 1), 'graph.nodes[0].name', /a text/],
    'a tensor that is not there': [
      (g) => (g.constants['lstm_0/W'] = { tensor: 'gone' }),
      'graph.constants.lstm_0/W.tensor',
      /gone/,
    ],
    'a tensor of another type': [
      (g) => (g.constants['lstm_0/W'] = { tensor: 'lstm_0/W', type: 'int8' }),
      'graph.constants.lstm_0/W.type',
      /float16/,
    ],
    'a tensor that nothing needs': [
      (g) => {
        g.constants['lstm_0/W'] = g.constants['lstm_0/R'];
      },
      'safetensors.header.lstm_0/W',
      /no such tensor/,
    ],
    'a cell that is a tensor': [
      (g) => (g.nodes[0]!.attributes['cell'] = { tensor: 'lstm_0/W' }),
      'graph.nodes[0].cell.tensor',
      /expected cell/,
    ],
    'a cell that the file does not declare': [
      (g) => (g.nodes[0]!.attributes['cell'] = { cell: 'other' }),
      'graph.nodes[0].cell.cell',
      /other/,
    ],
    'an alpha that is a graph': [
      (g) => (g.nodes[0]!.attributes['clip'] = { graph: structuredClone(g) }),
      'graph.nodes[0].clip',
      /no tensor or graph/,
    ],
    'a number that is none': [
      (g) => (g.nodes[0]!.attributes['clip'] = { number: '1e3' }),
      'graph.nodes[0].clip',
      /NaN, Infinity/,
    ],
    'a mixed list': [
      (g) => (g.nodes[0]!.attributes['alphas'] = [1, 'NaN']),
      'graph.nodes[0].alphas[0]',
      /a text/,
    ],
    'a node that reads what nothing makes': [
      (g) => (g.nodes[0]!['inputs'] = ['nobody']),
      'graph.nodes[0].inputs[0]',
      /nobody/,
    ],
  };
  it.for(Object.entries(cases))('%s', async ([, [change, path, message]]) => {
    const error: unknown = await read(changed(change as never)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RnnError);
    expect(error).toMatchObject({ code: 'INVALID_MODEL' });
    expect((error as RnnError).path).toContain(path);
    expect((error as RnnError).message).toMatch(message);
  });

  it('in what it says of its cells', async () => {
    const withCells = (cells: unknown): Uint8Array =>
      changed(() => undefined, '1', typeof cells === 'string' ? cells : JSON.stringify(cells));
    const declared = declarationOf(minGru);
    const faults: readonly (readonly [unknown, string, string])[] = [
      ['[', 'INVALID_MODEL', '__metadata__.cells'],
      [{}, 'INVALID_MODEL', 'cells'],
      [[null], 'INVALID_MODEL', 'cells[0]'],
      [[{ name: 1 }], 'INVALID_MODEL', 'cells[0].name'],
      [[declared, declared], 'INVALID_MODEL', 'cells[1].name'],
      [[{ name: 'min_gru' }], 'INVALID_ARGUMENT', 'options.cells[0].gates'],
      [[{ ...declared, code: 1 }], 'INVALID_ARGUMENT', 'options.cells[0].code'],
      [[{ ...declared, phases: {} }], 'INVALID_ARGUMENT', 'options.cells[0].phases'],
    ];
    for (const [cells, code, path] of faults) {
      const error: unknown = await read(withCells(cells), [minGru]).catch((e: unknown) => e);
      expect(error, JSON.stringify(cells)).toBeInstanceOf(RnnError);
      expect(error, JSON.stringify(cells)).toMatchObject({ code });
      expect((error as RnnError).path).toContain(path);
    }
  });

  it('of another version, or beyond the limits', async () => {
    await expect(read(changed(() => undefined, '2'))).rejects.toThrow(/version.*newer/);
    const deep = (graph: Loose): void => {
      let inner: unknown = structuredClone(graph);
      for (let i = 0; i < 40; i++) {
        inner = {
          ...structuredClone(graph),
          constants: {},
          nodes: [
            {
              op: 'If',
              name: 'i',
              inputs: [],
              outputs: [],
              attributes: { then_branch: { graph: inner } },
            },
          ],
        };
      }
      Object.assign(graph, inner);
    };
    await expect(read(changed(deep as never))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const files = new Map([['model.bin', saveModel(whole)]]);
    await expect(importModel(files, { limits: { maxNodes: 2 } })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    await expect(importModel(files, { architecture: {} })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'options.architecture',
    });
  });

  it('in the attributes of a layer is found before it runs', async () => {
    const wrong = changed(((g: Loose) => (g.nodes[0]!.attributes['hidden'] = -2)) as never);
    const model = await loadModel(wrong, { device: 'reference' });
    const feeds = { x: weights(1, 2, 3), lengths: tensor(Int32Array.of(2), [1]) };
    await expect(model.run(feeds)).rejects.toMatchObject({ code: 'INVALID_MODEL' });
  });
});
