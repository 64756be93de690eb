// Operators on the GPU through the real path: a graph of unconnected nodes, loaded and run.
import type { Graph } from '../../src/graph.ts';
import { loadModel } from '../../src/load-model.ts';
import type { Model } from '../../src/model.ts';
import { operatorOf } from '../../src/ops/index.ts';
import { type Tensor, isFloat } from '../../src/tensor.ts';
import { expect } from 'vitest';
import { getAdapter } from '../setup/gpu.ts';
import { type Closeness, expectClose } from '../support/close.ts';
import {
  describeCase,
  evaluateCase,
  inferCase,
  nodeOf,
  type OperatorCase,
} from '../support/operator-case.ts';

/** Whose kernels to test: those for a CPU that stands in for a GPU, those for a GPU, or those of the CPU. */
export type Target = 'software' | 'gpu' | 'wasm' | 'js';

const devices = new Map<Target, Promise<GPUDevice>>();

type GpuTarget = Exclude<Target, 'wasm' | 'js'>;

/** A device with the limits that all have, one for the tests of a file, which says it is `target`. */
function testDevice(target: GpuTarget): Promise<GPUDevice> {
  const make = async (): Promise<GPUDevice> => {
    const device = await (await getAdapter()).requestDevice();
    const architecture = target === 'software' ? 'swiftshader' : 'of a test';
    const value = {
      vendor: '',
      architecture,
      device: '',
      description: '',
      isFallbackAdapter: false,
    };
    return Object.defineProperty(device, 'adapterInfo', { value });
  };
  const found = devices.get(target) ?? make();
  devices.set(target, found);
  return found;
}

/** Loads a graph on the test device, hands it to `use`, and frees it. */
export async function withModel<T>(
  graph: Graph,
  use: (model: Model) => Promise<T>,
  target: Target = 'software',
): Promise<T> {
  const device = target === 'wasm' || target === 'js' ? target : await testDevice(target);
  const model = await loadModel(graph, { device });
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/** Which inputs of a case are constants of the graph; the others are fed, and the first one always. */
export type IsConstant = (slot: number, operatorCase: OperatorCase) => boolean;

/** Runs the cases on the GPU as one graph; the outputs of each in order. */
export async function runCases(
  cases: readonly OperatorCase[],
  isConstant: IsConstant = () => false,
  target?: Target,
): Promise<Tensor[][]> {
  const constants = new Map<string, Tensor>();
  const feeds: Record<string, Tensor> = {};
  const nodes = cases.map((operatorCase, n) => {
    const node = nodeOf(operatorCase);
    const hosts = operatorOf(node, 'case').hostInputs ?? [];
    operatorCase.inputs.forEach((input, slot) => {
      if (input === undefined) return;
      const name = `c${n}x${slot}`;
      const constant = hosts.includes(slot) || (slot > 0 && isConstant(slot, operatorCase));
      if (constant) constants.set(name, input);
      else feeds[name] = input;
    });
    const named = (name: string): string => (name === '' ? '' : `c${n}${name}`);
    return {
      ...node,
      name: `case ${n}`,
      inputs: node.inputs.map(named),
      outputs: node.outputs.map(named),
    };
  });
  const inputs = Object.entries(feeds).map(([name, { type, dims }]) => ({ name, type, dims }));
  const outputs = cases.flatMap((operatorCase, n) =>
    inferCase(operatorCase).map((value, slot) => ({ name: `c${n}y${slot}`, ...value })),
  );
  const graph = { name: 'cases', inputs, outputs, constants, nodes };
  const results = await withModel(graph, (model) => model.run(feeds), target);
  return nodes.map((node) => node.outputs.map((name) => results[name]!));
}

/** Runs the cases on the GPU and fails unless every output is that of the reference. */
export async function expectLikeReference(
  cases: readonly OperatorCase[],
  closeness: Closeness,
  isConstant?: IsConstant,
  target?: Target,
): Promise<void> {
  const results = await runCases(cases, isConstant, target);
  for (const [n, operatorCase] of cases.entries()) {
    const label = describeCase(operatorCase);
    for (const [slot, { type, dims, data }] of evaluateCase(operatorCase).entries()) {
      const got = results[n]![slot]!;
      expect({ type: got.type, dims: got.dims }, label).toEqual({ type, dims });
      const allowed = isFloat(type) ? closeness : { atol: 0.5 }; // integers are exact
      expectClose(got.data, data, { ...allowed, label: `${label}: y${slot}`, dims });
    }
  }
}
