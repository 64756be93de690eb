// specialized graph → plan: drops the nodes that nobody needs, lowers the others in order, assigns
// memory. No GPU calls.
import { RnnError } from '../errors.ts';
import { sizeOf } from '../tensor.ts';
import { assignSlots } from './arena.ts';
import type { DeviceProfile } from './select/device-profile.ts';
import type { PlannedNode, SpecializedGraph } from './specialize/infer.ts';
import { lowerWavefront } from './lower/recurrent/wavefront.ts';
import { LOWERINGS } from './lower/registry.ts';
import { Lowering } from './lowering.ts';
import type { AnyLower, PlanOptions } from './lowering.ts';
import { PlanBuilder } from './plan-builder.ts';
import { findStacks } from './select/find-stacks.ts';
import type { Plan } from './types.ts';
import type { Value } from './values.ts';

/** What a plan is made for. */
export interface PlanRequest {
  /** Outputs to make, by name. */
  readonly outputs: readonly string[];
  /** Outputs to copy into an input when all is done, by the name of that input. */
  readonly feedback: ReadonlyMap<string, string>;
  readonly device: DeviceProfile;
  readonly options: PlanOptions;
}

/** Drops the nodes that no wanted value needs, and counts the readers of each value that is left. */
function liveNodes(list: readonly PlannedNode[], readers: Map<Value, number>): PlannedNode[] {
  const live = list.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((output) => output && readers.has(output))) return false;
    for (const input of new Set(inputs)) {
      if (input) readers.set(input, (readers.get(input) ?? 0) + 1);
    }
    return true;
  });
  return live.toReversed();
}

/** @throws RnnError `UNSUPPORTED_OPERATOR` for a node that cannot run on a device */
function lowerOf({ node, path }: PlannedNode): AnyLower {
  const lower = LOWERINGS.get(node.op);
  if (lower) return lower;
  const what = `${node.op} '${node.name}' has no WebGPU kernel`;
  throw new RnnError('UNSUPPORTED_OPERATOR', path, what);
}

/**
 * Makes a plan. The specialized graph stays as it is, so that other plans can be made from it.
 *
 * @throws RnnError `SHAPE_MISMATCH` for a state of another shape than its output,
 *   `UNSUPPORTED_OPERATOR` for what cannot run on a device, `LIMIT_EXCEEDED` for a buffer beyond the
 *   limits of the device
 */
export function makePlan(specialized: SpecializedGraph, request: PlanRequest): Plan {
  const { inputs, list, value: valueOf } = specialized;
  const builder = new PlanBuilder(request.device);
  for (const value of inputs) {
    if (value.host === undefined) builder.input(value, request.feedback.has(value.name));
  }
  const names = new Set([...request.outputs, ...request.feedback.values()]);
  const results = [...names].map((name) => ({ name, value: valueOf(name)! }));
  // Results are read from buffers, by someone who is no node.
  const readers = new Map(results.map(({ value }) => [value, Number.POSITIVE_INFINITY]));
  const lowering = (item: PlannedNode): Lowering<never> =>
    new Lowering(builder, item, readers, request);
  for (const { items, layers } of findStacks(liveNodes(list, readers), readers)) {
    if (lowerWavefront(layers.map(lowering))) continue;
    for (const item of items) lowerOf(item)(lowering(item));
  }

  for (const [input, output] of request.feedback) {
    const from = builder.valueOf(valueOf(output)!);
    const to = builder.valueOf(valueOf(input)!);
    if (from.dims.join() !== to.dims.join()) {
      throw new RnnError(
        'SHAPE_MISMATCH',
        `state.${output}`,
        `'${output}' is [${from.dims.join(', ')}], '${input}' takes [${to.dims.join(', ')}]`,
      );
    }
    builder.feedback(builder.bufferOf(from), to.buffer!, sizeOf(from.dims) * 4);
  }
  const outputs = results
    .filter(({ name }) => request.outputs.includes(name))
    .map(({ name, value }) => {
      const common = { name, type: value.type, dims: value.dims };
      return value.host
        ? { ...common, host: value.host }
        : { ...common, buffer: builder.bufferOf(builder.valueOf(value)) };
    });
  return builder.finish(outputs, assignSlots);
}
