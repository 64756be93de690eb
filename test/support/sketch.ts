// Small graphs planned and run with and without fusing.
import { expect } from 'vitest';
import type { Attribute, Graph, Node } from '../../src/graph.ts';
import type { DeviceProfile } from '../../src/plan/select/device-profile.ts';
import { makePlan } from '../../src/plan/index.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import type { Dispatch, Plan } from '../../src/plan/types.ts';
import { runReference } from '../../src/reference.ts';
import { leaseDevice, WebGpuSession } from '../../src/backends/webgpu/session.ts';
import type { DataType, Tensor } from '../../src/tensor.ts';
import { expectClose } from './close.ts';

/** A GPU with the limits that all have. */
export const PROFILE: DeviceProfile = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 28,
  maxStorageBuffersPerShaderStage: 8,
  adapter: 'gpu',
  subgroupSize: 0,
};

/** A graph being written: inputs and constants come with their use. */
export class Sketch {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly feeds: Record<string, Tensor> = {};

  constant(value: Tensor): string {
    const name = `c${this.constants.size}`;
    this.constants.set(name, value);
    return name;
  }

  input(value: Tensor): string {
    const name = `x${Object.keys(this.feeds).length}`;
    this.feeds[name] = value;
    return name;
  }

  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    const name = `${op}_${this.nodes.length}`;
    this.nodes.push({ op, name, inputs, outputs: [name], attributes });
    return name;
  }

  graph(...outputs: readonly string[]): Graph {
    return {
      name: 'sketch',
      inputs: Object.entries(this.feeds).map(([name, { type, dims }]) => ({
        name,
        type,
        dims: dims.map((_, axis) => `${name}_${axis}`),
      })),
      outputs: outputs.map((name) => ({ name, type: 'float32' as DataType, dims: [] })),
      constants: this.constants,
      nodes: this.nodes,
    };
  }
}

/** A plan for these inputs. */
export function planOf(graph: Graph, feeds: Record<string, Tensor>, fuse = true): Plan {
  const dims = new Map(Object.entries(feeds).map(([name, feed]) => [name, feed.dims]));
  return makePlan(specializeGraph(graph, { dims, host: new Map() }), {
    outputs: graph.outputs.map(({ name }) => name),
    feedback: new Map(),
    device: PROFILE,
    options: { fuse },
  });
}

/** Its dispatches. */
export function dispatchesOf(graph: Graph, feeds: Record<string, Tensor>, fuse = true): Dispatch[] {
  return planOf(graph, feeds, fuse).commands.flatMap((command) =>
    command.kind === 'dispatch' ? [command] : [],
  );
}

/** Runs a graph with and without fusing, and in float64. */
export async function expectSame(
  device: GPUDevice,
  graph: Graph,
  feeds: Record<string, Tensor>,
  label: string,
): Promise<void> {
  const names = graph.outputs.map(({ name }) => name);
  const truth = runReference(graph, feeds, names);
  const results = await Promise.all(
    [true, false].map(async (fuse) => {
      const session = await WebGpuSession.create(
        graph,
        { fuse },
        await leaseDevice(device, 60_000),
      );
      const result = await session.run(feeds, names);
      session.dispose();
      return result;
    }),
  );
  for (const name of names) {
    const [fused, separate] = results.map((result) => result[name]!);
    const { data, dims } = truth.get(name)!;
    expect(fused!.dims).toEqual(dims);
    expectClose(fused!.data, separate!.data, {
      atol: 1e-6,
      rtol: 1e-6,
      label: `${label} ${name}`,
      dims,
    });
    // Every number stays below 4 and each of up to 40 nodes rounds once: 40 · 4 · 2⁻²⁴ = 1e-5.
    expectClose(fused!.data, data, { atol: 1e-5, label: `${label} ${name}`, dims });
  }
}
