// Scan: a body that runs for each position along an axis of its inputs.
// https://onnx.ai/onnx/operators/onnx__Scan.html
import type { Node } from '../graph.ts';
import { part, tensorOf, type ControlOperator, type Item, type Wiring } from './control.ts';
import { Attributes, invalid, mismatch } from './define.ts';
import { axisOf } from './shapes.ts';
import { bodyOf, checkCarried, checkGiven, namesOf, nodesOf, pairs, Scans } from './loop-body.ts';

/** The body of a node, and how it reads its inputs and lays out its outputs. */
function layoutOf(node: Node, path: string) {
  const call = new Attributes(node, path);
  const scanned = call.int('num_scan_inputs');
  const carried = node.inputs.length - scanned;
  if (scanned < 1 || carried < 0) {
    const expected = `1 to ${node.inputs.length}, the inputs of the node`;
    throw invalid(`${path}.num_scan_inputs`, `attribute of Scan '${node.name}'`, scanned, expected);
  }
  const graph = bodyOf(node, path, node.inputs.length, carried, 0);
  for (const slot of node.inputs.keys()) checkGiven(node, slot, path);
  const made = graph.outputs.length - carried;
  const list = (name: string, count: number): readonly number[] => {
    const values = call.ints(name);
    if (values === undefined) return Array.from({ length: count }, () => 0);
    if (values.length === count) return values;
    throw invalid(`${path}.${name}`, `numbers for Scan '${node.name}'`, values.length, count);
  };
  const reversed = (name: string, count: number): readonly boolean[] =>
    list(name, count).map((value, k) => {
      if (value === 0 || value === 1) return value === 1;
      throw invalid(`${path}.${name}[${k}]`, `direction of Scan '${node.name}'`, value, '0 or 1');
    });
  return {
    graph,
    carried,
    inputAxes: list('scan_input_axes', scanned),
    outputAxes: list('scan_output_axes', made),
    inputsReversed: reversed('scan_input_directions', scanned),
    outputsReversed: reversed('scan_output_directions', made),
  };
}

/** Inputs: initial values, then the sequences. Shapes say how often it runs. */
export const scan: ControlOperator = {
  name: 'Scan',
  advice: '',
  wire: (node, path): readonly Wiring[] => {
    const { graph, carried } = layoutOf(node, path);
    const [inputs, outputs] = [namesOf(graph.inputs), namesOf(graph.outputs)];
    const state = inputs.slice(0, carried);
    return [
      {
        graph,
        key: 'body',
        enters: pairs(node.inputs, inputs),
        leaves: pairs([...state, ...outputs.slice(carried)], node.outputs),
        repeats: pairs(outputs, state),
        decides: [],
      },
    ];
  },
  run: (call) => {
    const { node, path, inputs, flow } = call;
    const { graph, carried, ...layout } = layoutOf(node, path);
    const sequences = layout.inputAxes.map((given, k) => {
      const x = tensorOf(call, carried + k);
      const axis = axisOf(given, x.dims.length, `${path}.scan_input_axes[${k}]`);
      return { x, axis, steps: x.dims[axis]! };
    });
    const { steps } = sequences[0]!;
    sequences.forEach(({ axis, steps: got }, k) => {
      if (got === steps) return;
      const what = `size of axis ${axis} that Scan '${node.name}' goes along`;
      throw mismatch(`${path}.inputs[${carried + k}]`, what, got, steps);
    });
    const compiled = flow.repeat?.({
      graph,
      steps,
      states: inputs.slice(0, carried) as readonly Item<(typeof sequences)[number]['x']>[],
      sequences: sequences.map(({ x, axis }, k) => ({
        x,
        axis,
        reversed: layout.inputsReversed[k]!,
      })),
      stacked: layout.outputAxes.map((axis, k) =>
        node.outputs[carried + k] ? { axis, reversed: layout.outputsReversed[k]! } : undefined,
      ),
    });
    if (compiled) return compiled;
    let state = inputs.slice(0, carried);
    const scans = new Scans(call, graph, carried, 0);
    const run = flow.enter(graph, 'body');
    const size = nodesOf(graph) + 2 * sequences.length; // each part is cut out, and loses its axis
    const isCounted = flow.unrolling.addSteps(node, size, steps, path);
    for (let step = 0; step < steps; step++) {
      if (!isCounted) flow.unrolling.addIteration(node, size, path);
      const parts = sequences.map(({ x, axis }, k) => {
        const at = layout.inputsReversed[k] ? steps - 1 - step : step;
        return part(flow, x, axis, [at, at + 1], true);
      });
      const results = run([...(state as typeof parts), ...parts]);
      const next = results.slice(0, carried);
      checkCarried(call, state, next, 0, true);
      scans.add(results.slice(carried));
      state = next;
    }
    return [...state, ...scans.stacked(layout.outputAxes, layout.outputsReversed)];
  },
};
