// Operators on the GPU through the real path: a graph of unconnected nodes, planned and executed.
import type { Graph } from '../../src/graph.ts';
import { operatorOf } from '../../src/ops/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { WebGpuSession } from '../../src/webgpu-session.ts';
import { leaseDevice } from '../../src/webgpu/device.ts';
import { getAdapter } from '../setup/gpu.ts';
import { nodeOf, type OperatorCase } from '../support/operator-case.ts';

let device: Promise<GPUDevice> | undefined;
const getDevice = (): Promise<GPUDevice> =>
  (device ??= getAdapter().then((adapter) => adapter.requestDevice()));

/** Which inputs of a case are constants of the graph; the others are fed. */
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
      if (hosts.includes(slot) || (slot > 0 && isConstant(slot, operatorCase)))
        constants.set(name, input);
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
  const outputs = nodes.flatMap((node) => node.outputs);
  const graph: Graph = { name: 'cases', inputs, outputs: [], constants, nodes };
  const session = new WebGpuSession(graph, await leaseDevice(await getDevice()), {});
  try {
    const results = await session.run(feeds, outputs);
    return nodes.map((node) => node.outputs.map((name) => results[name]!));
  } finally {
    session.dispose();
  }
}
