// What only the backends of the CPU have: calls without a promise, one call into the kernels, and what happens where
// WebAssembly is refused.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { inspect, loadModel, tensor } from '../../src/index.ts';
import type { Graph, SyncOptions, Tensor } from '../../src/index.ts';
import { inspectionLines } from '../../src/cli/inspect-command.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { runReference } from '../../src/reference.ts';
import { makeProgram } from '../../src/wasm/make-program.ts';
import { minGru } from '../cells/proof-cells.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { dense, gru, lstm, recurrent, sequential } from '../../src/layers.ts';

const random = randomOf(5);
const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.5,
    ),
    dims,
  );

const CPU = ['wasm', 'js'] as const;

/** [T, B, 5] → [T, B, 3]. */
const GRAPH = sequential(
  [
    lstm({ W: floats(24, 5), R: floats(24, 6), B: floats(48) }),
    gru({ W: floats(21, 6), R: floats(21, 7) }),
    dense({ W: floats(3, 7), b: floats(3), activation: 'softmax' }),
  ],
  { layout: 0 },
);
const [INPUT, OUTPUT] = [GRAPH.inputs[0]!.name, GRAPH.outputs[0]!.name];

/** The same graph in float64. */
const truth = (X: Tensor): Float64Array => runReference(GRAPH, { [INPUT]: X }).get(OUTPUT)!.data;

const rows = (X: Tensor, from: number, to: number): Tensor => {
  const size = X.data.length / X.dims[0]!;
  const data = (X.data as Float32Array).slice(from * size, to * size);
  return tensor(data, [to - from, ...X.dims.slice(1)]);
};

describe('calls without a promise', () => {
  it.each(['wasm', 'js', 'reference'] as const)('runSync and stepSync on %s', async (device) => {
    using model = await loadModel(GRAPH, { device });
    const X = floats(9, 2, 5);
    const whole = model.runSync({ [INPUT]: X })[OUTPUT]!;
    expect(whole.dims).toEqual([9, 2, 3]);
    expectClose(whole.data as Float32Array, truth(X));
    const stream = model.stream({ batch: 2 });
    const parts = [0, 1, 4].map((from, k, list) => {
      const part = stream.stepSync({ [INPUT]: rows(X, from, list[k + 1] ?? 9) })[OUTPUT]!;
      return part.data as Float32Array;
    });
    expectClose(
      parts.flatMap((part) => [...part]),
      truth(X),
    );
    expect(() => model.runSync({})).toThrow(/feeds\.X/);
    const traced = { trace: ['layer'] } as SyncOptions;
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT', path: 'options.trace' });
    expect(() => model.runSync({ [INPUT]: X }, traced)).toThrow(refused);
    expect(() => stream.stepSync({ [INPUT]: X }, traced)).toThrow(refused);
    model.dispose();
    expect(() => stream.stepSync({ [INPUT]: rows(X, 0, 1) })).toThrow(/disposed/);
  });

  it('say on webgpu that there are none', async () => {
    const device = await (await getAdapter()).requestDevice();
    using model = await loadModel(GRAPH, { device });
    const what = { code: 'INVALID_ARGUMENT', message: expect.stringContaining("device: 'wasm'") };
    expect(() => model.runSync({ [INPUT]: floats(1, 1, 5) })).toThrow(
      expect.objectContaining(what),
    );
    expect(() => model.stream().stepSync({ [INPUT]: floats(1, 1, 5) })).toThrow(
      expect.objectContaining(what),
    );
    device.destroy();
  });

  it.each(CPU)(
    'a step that fails on %s leaves the state; results are arrays of their own',
    async (device) => {
      using model = await loadModel(GRAPH, { device });
      const X = floats(3, 1, 5);
      const stream = model.stream();
      const first = stream.stepSync({ [INPUT]: rows(X, 0, 1) })[OUTPUT]!;
      const copy = first.data.slice();
      expect(() => stream.stepSync({ [INPUT]: floats(1, 1, 4) })).toThrow(/feeds\.X/);
      expect(() => stream.stepSync({ [INPUT]: rows(X, 1, 2), other: X })).toThrow(/unknown input/);
      const left = stream.stepSync({ [INPUT]: rows(X, 1, 3) })[OUTPUT]!;
      expectClose([...(copy as Float32Array), ...(left.data as Float32Array)], truth(X));
      expect(first.data).toEqual(copy);
    },
  );

  it.each(CPU)('feeds may change their shapes from call to call on %s', async (device) => {
    using model = await loadModel(GRAPH, { device });
    for (let k = 0; k < 50; k++) {
      const X = floats(1 + (k % 23), 1 + (k % 3), 5);
      expectClose(model.runSync({ [INPUT]: X })[OUTPUT]!.data as Float32Array, truth(X));
    }
  });
});

describe('programs', () => {
  const programOf = (graph: Graph, dims: readonly number[]) =>
    makeProgram(specializeGraph(graph, { dims: new Map([[INPUT, dims]]), host: new Map() }), {
      outputs: graph.outputs.map(({ name }) => name),
      feedback: new Map(),
    });

  it('are one call where every node has a kernel', async () => {
    expect(programOf(GRAPH, [9, 2, 5]).steps.map(({ kind }) => kind)).toEqual(['table']);
    const { cpu } = await inspect(GRAPH, { dims: { [INPUT]: [9, 2, 5] } });
    expect(cpu).toMatchObject({ calls: 1, withoutKernel: [] });
  });

  it.each(CPU)('on %s multiply for the float64 step of a cell of the caller', async (device) => {
    const own = sequential(
      [
        lstm({ W: floats(24, 5), R: floats(24, 6) }),
        recurrent({ cell: minGru, W: floats(8, 6), B: floats(16) }),
        dense({ W: floats(3, 4), b: floats(3) }),
      ],
      { layout: 0 },
    );
    const kinds = programOf(own, [4, 1, 5]).steps.map(({ kind }) => kind);
    expect(kinds).toEqual(['table', 'host', 'table']);
    const found = await inspect(own, { dims: { [INPUT]: [4, 1, 5] } });
    expect(found.cpu!.withoutKernel).toEqual([]);
    using model = await loadModel(own, { device });
    const X = floats(4, 1, 5);
    const { [OUTPUT]: Y } = model.runSync({ [INPUT]: X });
    expectClose(Y!.data as Float32Array, runReference(own, { [INPUT]: X }).get(OUTPUT)!.data);
  });

  it.each(CPU)('on %s leave a node to float64 code, and inspect names it', async (device) => {
    const graph: Graph = {
      name: 'trilu',
      inputs: [{ name: 'x', type: 'float32', dims: [3, 3] }],
      outputs: [{ name: 'y', type: 'float32', dims: [3, 3] }],
      constants: new Map(),
      nodes: [{ op: 'Trilu', name: 'upper', inputs: ['x'], outputs: ['y'], attributes: {} }],
    };
    const found = await inspect(graph);
    expect(found.cpu!.withoutKernel).toMatchObject([{ op: 'Trilu' }]);
    expect(inspectionLines(found).join('\n')).toMatch(/without a kernel.*\n {2}Trilu '/);
    using model = await loadModel(graph, { device });
    const { y } = model.runSync({
      x: tensor(
        Float32Array.from({ length: 9 }, (_, k) => k + 1),
        [3, 3],
      ),
    });
    expect([...y!.data]).toEqual([1, 2, 3, 0, 5, 6, 0, 0, 9]);
  });

  it.each(CPU)('say why a kernel refuses numbers on %s', async (device) => {
    const graph: Graph = {
      name: 'gather',
      inputs: [{ name: 'i', type: 'int64', dims: ['N'] }],
      outputs: [{ name: 'y', type: 'float32', dims: ['N', 2] }],
      constants: new Map([['table', floats(4, 2)]]),
      nodes: [
        { op: 'Neg', name: 'minus', inputs: ['i'], outputs: ['j'], attributes: {} },
        { op: 'Gather', name: 'look', inputs: ['table', 'j'], outputs: ['y'], attributes: {} },
      ],
    };
    using model = await loadModel(graph, { device });
    const run = (...numbers: bigint[]) => model.runSync({ i: tensor(BigInt64Array.from(numbers)) });
    expect(run(-3n, 4n)['y']!.dims).toEqual([2, 2]);
    const path = { code: 'SHAPE_MISMATCH', path: expect.stringContaining('[1]') };
    expect(() => run(-3n, 5n)).toThrow(expect.objectContaining(path));
    const range = { code: 'LIMIT_EXCEEDED', path: 'feeds.i[0]' };
    expect(() => run(2n ** 40n)).toThrow(expect.objectContaining(range));
  });
});

describe('without an adapter', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.resetModules();
  });

  it('auto computes on wasm, and says why', async () => {
    const model = await loadModel(GRAPH);
    expect([model.backend, model.adapter]).toEqual(['wasm', expect.stringContaining('simd')]);
    expect(model.reason).toMatch(/WebGPU/);
    model.dispose();
  });

  it('auto computes on js where WebAssembly is refused too', async () => {
    vi.resetModules();
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(
      new WebAssembly.CompileError('blocked by CSP'),
    );
    const fresh = await import('../../src/index.ts');
    const model = await fresh.loadModel(GRAPH);
    expect([model.backend, model.adapter]).toEqual(['js', 'JavaScript float32']);
    const X = floats(4, 1, 5);
    expectClose(model.runSync({ [INPUT]: X })[OUTPUT]!.data as Float32Array, truth(X));
    expect(model.reason).toMatch(/WebGPU[^]*blocked by CSP/);
    await expect(fresh.loadModel(GRAPH, { device: 'wasm' })).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
    });
  });
});
