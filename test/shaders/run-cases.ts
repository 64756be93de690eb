// Operators on the GPU through the real path: a graph of unconnected nodes, loaded and run.
import type { Graph } from '../../src/graph.ts';
import { type Model, loadModel } from '../../src/model.ts';
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

let device: Promise<GPUDevice> | undefined;

/** One device for the tests of a file, with the limits that every device has. */
export const testDevice = (): Promise<GPUDevice> =>
  (device ??= getAdapter().then((adapter) => adapter.requestDevice()));

/** Loads a graph on the test device, hands it to `use`, and frees it. */
export async function withModel<T>(graph: Graph, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await loadModel(graph, { device: await testDevice() });
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
  const results = await withModel({ name: 'cases', inputs, outputs, constants, nodes }, (model) =>
    model.run(feeds),
  );
  return nodes.map((node) => node.outputs.map((name) => results[name]!));
}

/** Runs the cases on the GPU and fails unless every output is that of the reference. */
export async function expectLikeReference(
  cases: readonly OperatorCase[],
  closeness: Closeness,
  isConstant?: IsConstant,
): Promise<void> {
  const results = await runCases(cases, isConstant);
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
