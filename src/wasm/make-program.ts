// specialized graph → program. Drops what nobody wants, and lowers the rest; what has no kernel is left to the
// float64 code of its operator.
import { RnnError } from '../errors.ts';
import type { PlannedNode, SpecializedGraph, Value } from '../plan/specialize/infer.ts';
import { formatDims } from '../tensor.ts';
import { CONTROL } from '../ops/registry.ts';
import { ProgramBuilder } from './builder.ts';
import { lowerLoop } from './loop.ts';
import { CPU_LOWERINGS } from './lower/index.ts';
import { Lowering, type CpuStorage } from './lowering.ts';
import type { Program, ProgramOutput } from './program.ts';

/** What a program is made for. */
export interface ProgramRequest {
  /** Outputs to make, by name. */
  readonly outputs: readonly string[];
  /** Outputs that become state, by the name of the input that takes it. Their shapes are compared. */
  readonly feedback: ReadonlyMap<string, string>;
  /** How constant weights of recurrent layers are stored; `'f32'` where it is left out. */
  readonly storage?: CpuStorage;
}

/** The nodes that the wanted values need, in order; adds to `wanted` what they read. */
function liveNodes(list: readonly PlannedNode[], wanted: Set<Value>): PlannedNode[] {
  const live = list.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((output) => output && wanted.has(output))) return false;
    for (const input of inputs) if (input) wanted.add(input);
    return true;
  });
  return live.toReversed();
}

/**
 * Makes a program.
 *
 * @throws RnnError `SHAPE_MISMATCH` for an output that cannot become state
 */
export function makeProgram(graph: SpecializedGraph, request: ProgramRequest): Program {
  const builder = new ProgramBuilder();
  const { list, value: valueOf } = graph;
  for (const value of graph.inputs) if (!value.host) builder.input(value);
  const names = new Set([...request.outputs, ...request.feedback.values()]);
  const results = [...names].map((name) => ({ name, value: valueOf(name)! }));
  const wanted = new Set(results.map(({ value }) => value));
  const lowerNode = (item: PlannedNode, isWanted: (value: Value) => boolean): void => {
    const isWantedSlot = (slot: number): boolean => {
      const value = item.outputs[slot];
      return value !== undefined && isWanted(value);
    };
    const lowering = new Lowering<never>(builder, item, request.storage ?? 'f32', isWantedSlot);
    if (CONTROL.has(item.node.op)) return lowerLoop(builder, item, lowering, lowerNode);
    const done = CPU_LOWERINGS.get(item.node.op)?.(lowering);
    if (done !== true) builder.host(item, isWantedSlot);
  };
  for (const item of liveNodes(list, wanted)) lowerNode(item, (value) => wanted.has(value));
  for (const [input, output] of request.feedback) {
    const [from, to] = [valueOf(output)!, valueOf(input)!];
    if (from.dims.join() !== to.dims.join()) {
      const what = `'${output}' is ${formatDims(from.dims)}, '${input}' takes ${formatDims(to.dims)}`;
      throw new RnnError('SHAPE_MISMATCH', `state.${output}`, what);
    }
  }
  const outputs = results.map(({ name, value }): ProgramOutput => {
    const { type, dims, host } = value;
    return host && !request.feedback.has(name)
      ? { name, type, dims, host }
      : { name, type, dims, place: builder.placeOf(value) };
  });
  return builder.finish(outputs);
}
