// Warming up for a range: afterwards no call within it compiles anything, and all of them have the best kernels.
import { afterAll, describe, expect, test, vi } from 'vitest';
import { dense, loadModel, lstm, gru, sequential, tensor } from '../../src/index.ts';
import type { Graph, LoadOptions, Model, Tensor } from '../../src/index.ts';
import { CallChecker } from '../../src/backends/prepare-call.ts';
import { shapesOf, visitShapes } from '../../src/backends/warm-up-range.ts';
import { makePlan } from '../../src/plan/index.ts';
import type { DeviceProfile } from '../../src/plan/select/device-profile.ts';
import { kernelsOf } from '../../src/plan/types.ts';
import { hasBaseline } from '../../src/plan/select/tuning-tables.ts';
import { architecture, getFullDevice, vendor } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { PROFILE } from '../support/sketch.ts';
import { casesOf, isFull, MORE_IN_FULL, ONLY_IN_FULL } from '../support/settings.ts';
import { requires } from '../support/requires.ts';
import { failureOf } from '../support/small-lstm.ts';
import { runReference } from '../../src/reference.ts';

const random = randomOf(41);
const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((n, dim) => n * dim, 1),
      0.3,
    ),
    dims,
  );
const [I, H] = [6, 20];
const weights = (G: number, inputs: number) => ({
  W: floats(G * H, inputs),
  R: floats(G * H, H),
  returnSequences: true,
});
const GRAPHS: Readonly<Record<string, Graph>> = {
  'an LSTM': sequential([lstm(weights(4, I))]),
  'a stack with a dense layer': sequential([
    gru(weights(3, I)),
    gru(weights(3, H)),
    dense({ W: floats(5, H), b: floats(5), activation: 'softmax' }),
  ]),
};

const device = await getFullDevice();
const compiled: string[] = [];
const compile = device.createComputePipelineAsync.bind(device);
device.createComputePipelineAsync = (descriptor) => {
  compiled.push(descriptor.label!);
  return compile(descriptor);
};
const models: Model[] = [];
afterAll(() => {
  for (const model of models) model.dispose();
  device.destroy();
});
async function load(graph: Graph, options: LoadOptions = {}): Promise<Model> {
  const model = await loadModel(graph, { device, ...options });
  models.push(model);
  return model;
}

const RANGE = { lengths: [1, 512], batch: [1, 8] } as const;

describe('after warmUp for 1 to 512 steps and 1 to 8 rows', MORE_IN_FULL, () => {
  const cases = Object.entries(GRAPHS).slice(0, isFull ? undefined : 1);
  test.each(cases)('no run of %s compiles a pipeline', async (_name, graph) => {
    const model = await load(graph);
    await model.warmUp(RANGE);
    const { pipelines } = model.usage;
    expect(pipelines).toBeGreaterThan(1);
    compiled.length = 0;
    const [{ name }, output] = [graph.inputs[0]!, graph.outputs[0]!.name];
    const count = casesOf(12, 200);
    for (let call = 0; call < count; call++) {
      const [T, B] = [random.int(1, call % 3 === 0 ? 20 : 512), random.int(1, 8)];
      const feeds = { [name]: floats(B, T, I) };
      const result = await model.run(feeds);
      if (T > 40) continue;
      const want = runReference(graph, feeds).get(output)!;
      expectClose(result[output]!.data as Float32Array, want.data, { atol: 1e-5 });
    }
    expect(compiled).toEqual([]);
    expect(model.usage.pipelines).toBe(pipelines);
  });
});

const onMesa = vendor === 'mesa' && architecture === 'software' ? 'llvmpipe' : 'gpu';
const kind = architecture === 'swiftshader' ? 'swiftshader' : onMesa;

const PROFILES: readonly DeviceProfile['adapter'][] = ['gpu', 'swiftshader', 'llvmpipe'];
describe('the shapes that are visited have the kernels of all others', ONLY_IN_FULL, () => {
  const { 'a stack with a dense layer': graph } = GRAPHS as Record<string, Graph>;
  test.each(PROFILES)('%s', async (adapter) => {
    const checker = new CallChecker(graph!, {});
    const [lengths, batch] = [160, 5];
    const range = shapesOf(graph!, { lengths: [1, lengths], batch: [1, batch] });
    const profile = { ...PROFILE, adapter };
    const kernelsAt = (length: number, rows: number): string[] => {
      const { specialized } = checker.callAt(range.dimsAt(length, rows));
      const outputs = graph!.outputs.map(({ name }) => name);
      const request = { outputs, feedback: new Map(), device: profile, options: {} };
      return [...kernelsOf(makePlan(specialized, request)).keys()];
    };
    const known = new Set<string>();
    let visits = 0;
    await visitShapes(range, (length, rows) => {
      visits++;
      const kernels = kernelsAt(length, rows);
      for (const source of kernels) known.add(source);
      return Promise.resolve(kernels.toSorted().join());
    });
    expect(visits).toBeLessThan((lengths * batch) / 2);
    for (let rows = 1; rows <= batch; rows++) {
      for (let length = 1; length <= lengths; length++) {
        const missed = kernelsAt(length, rows).filter((source) => !known.has(source));
        expect(missed, `${length} steps, ${rows} rows`).toEqual([]);
      }
    }
  });
});

describe('a range', () => {
  const [, graph] = Object.entries(GRAPHS)[0]!;

  test('is refused by name where it says nothing, or nothing tells what it means', async () => {
    const model = await load(graph, { tune: true });
    const onCpu = await loadModel(graph, { device: 'reference' });
    const fixed = { ...graph, inputs: [{ ...graph.inputs[0]!, dims: [1, 'T', I] }] };
    const nameless = {
      ...graph,
      name: 'nameless',
      inputs: [{ name: 'a', type: 'float32', dims: ['x', 'y'] }],
      outputs: [{ name: 'b', type: 'float32', dims: ['x', 'y'] }],
      nodes: [{ op: 'Relu', name: 'r', inputs: ['a'], outputs: ['b'], attributes: {} }],
    } as const;
    const one = await loadModel(fixed, { device: 'reference' });
    const other = await loadModel(nameless, { device: 'reference' });
    const refused: readonly (readonly [Model, unknown, string])[] = [
      [onCpu, { lengths: [0, 4] }, 'range.lengths'],
      [onCpu, { lengths: [4, 2] }, 'range.lengths'],
      [onCpu, { lengths: [1, 2, 3] }, 'range.lengths'],
      [onCpu, { batch: [1, 2] }, 'range.lengths'],
      [onCpu, { lengths: [1, 2], batch: [1.5, 2] }, 'range.batch'],
      [onCpu, { lengths: [1, 2], rows: [1, 2] }, 'feeds.lengths'],
      [one, { lengths: [1, 2], batch: [1, 2] }, 'range.batch'],
      [other, { lengths: [1, 2] }, 'range'],
      [model, { lengths: [1, 2] }, 'range'],
    ];
    for (const [refusing, range, path] of refused) {
      const error = await failureOf(() => refusing.warmUp(range as never));
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path });
    }
    await onCpu.warmUp({ lengths: [1, 4] });
    await one.warmUp({ lengths: [1, 4] });
    for (const each of [onCpu, one, other]) each.dispose();
  });

  const onCpuAdapter = requires(hasBaseline({ ...PROFILE, adapter: kind }), 'GPUs have one tier');
  test('compiles what compiles fast where the best does not compile', onCpuAdapter, async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const own = await getFullDevice();
    const create = own.createComputePipelineAsync.bind(own);
    own.createComputePipelineAsync = (descriptor) =>
      descriptor.label === 'recurrent-persistent'
        ? Promise.reject(new Error('out of registers'))
        : create(descriptor);
    const model = await loadModel(graph, { device: own });
    await model.warmUp({ lengths: [8, 12] });
    const { pipelines } = model.usage;
    const feeds = { [graph.inputs[0]!.name]: floats(1, 10, I) };
    const [{ name }] = graph.outputs as [(typeof graph.outputs)[number]];
    const got = (await model.run(feeds))[name]!.data as Float32Array;
    expectClose(got, runReference(graph, feeds).get(name)!.data, { atol: 1e-5 });
    expect(model.usage.pipelines).toBe(pipelines);
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
    model.dispose();
    own.destroy();
  });

  test('may be aborted, and is refused by a model that is disposed of', async () => {
    const model = await load(graph);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(model.warmUp(RANGE, { signal })).rejects.toThrow('enough');
    const controller = new AbortController();
    const warm = model.warmUp(RANGE, { signal: controller.signal });
    controller.abort(new Error('too much'));
    await expect(warm).rejects.toThrow('too much');
    model.dispose();
    expect(await failureOf(() => model.warmUp(RANGE))).toMatchObject({ code: 'DISPOSED' });
  });
});
