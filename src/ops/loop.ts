// Loop: a body that runs while its trip count and its condition allow.
// https://onnx.ai/onnx/operators/onnx__Loop.html
import type { Graph } from '../graph.ts';
import { sizeOf } from '../tensor.ts';
import {
  integers,
  numberOf,
  Sequence,
  tensorOf,
  type ControlOperator,
  type Item,
  type Wiring,
} from './control.ts';
import { invalid } from './define.ts';
import { bodyOf, checkCarried, checkGiven, namesOf, nodesOf, pairs, Scans } from './loop-body.ts';

/** Whether the trip count alone decides: the condition comes out as it went in. */
function goesOn({ inputs, outputs, nodes }: Graph): boolean {
  const [given, made] = [inputs[1]!.name, outputs[0]!.name];
  const from = nodes.find((each) => each.outputs.includes(made));
  return made === given || (from?.op === 'Identity' && from.inputs[0] === given);
}

/** Inputs: trip count, condition, initial values. The body has a counter in place of the first. */
export const loop: ControlOperator = {
  name: 'Loop',
  hostInputs: [0, 1],
  advice:
    'loops are unrolled, so export it with a number of iterations that follows from shapes or integer ' +
    'inputs, or export one iteration as the model and call that',
  wire: (node, path): readonly [Wiring] => {
    const carried = Math.max(node.inputs.length - 2, 0);
    const graph = bodyOf(node, path, 2 + carried, carried, 1);
    for (let k = 0; k < carried; k++) checkGiven(node, 2 + k, path);
    const [inputs, outputs] = [namesOf(graph.inputs), namesOf(graph.outputs)];
    return [
      {
        graph,
        key: 'body',
        enters: pairs(node.inputs.slice(1), inputs.slice(1)).filter(([name]) => name !== ''),
        leaves: pairs([...inputs.slice(2), ...outputs.slice(1 + carried)], node.outputs),
        repeats: pairs(outputs, inputs.slice(1)),
        decides: outputs.slice(0, 1),
      },
    ];
  },
  run: (call) => {
    const { node, path, inputs, flow } = call;
    const [{ graph }] = loop.wire!(node, path) as readonly [Wiring];
    const [counter, flag] = graph.inputs.map(({ dims }) => (dims.length === 1 ? [1] : []));
    const count = inputs[0] && tensorOf(call, 0);
    const tripCount = count
      ? numberOf(call, count, loop, 'trip count', 'int64', `${path}.inputs[0]`)
      : Infinity;
    let goes = inputs[1]
      ? tensorOf(call, 1)
      : flow.literal({ type: 'bool', dims: flag!, data: Float64Array.of(1) });
    let state = inputs.slice(2) as readonly Item<typeof goes>[];
    const begins = flow.numbers(goes)?.data[0];
    const compiled =
      begins === 1 && Number.isFinite(tripCount)
        ? flow.repeat?.({
            graph,
            steps: tripCount,
            counter: [counter!, flag!],
            states: state,
            sequences: [],
            stacked: graph.outputs
              .slice(1 + state.length)
              .map((_, k) =>
                node.outputs[state.length + k] ? { axis: 0, reversed: false } : undefined,
              ),
          })
        : undefined;
    if (compiled) return compiled;
    const scans = new Scans(call, graph, 1 + state.length, 1);
    const run = flow.enter(graph, 'body');
    const size = nodesOf(graph);
    let where = `${path}.inputs[1]`;
    const isCounted =
      Number.isFinite(tripCount) &&
      goesOn(graph) &&
      flow.unrolling.addSteps(node, size, tripCount, path);
    for (let i = 0; i < tripCount; i++) {
      if (numberOf(call, goes, loop, 'condition', 'bool', where) === 0) break;
      if (!isCounted) flow.unrolling.addIteration(node, size, path);
      const [next, ...rest] = run([integers(flow, [i], counter), goes, ...state]);
      where = `${path}.body.outputs[0]`;
      if (next === undefined || next instanceof Sequence || sizeOf(next.dims) !== 1) {
        const got = next instanceof Sequence ? 'a sequence' : (next?.dims ?? []);
        throw invalid(where, `condition of Loop '${node.name}'`, got, 'one element');
      }
      goes = next;
      const carried = rest.slice(0, state.length);
      checkCarried(call, state, carried, 1, false);
      scans.add(rest.slice(state.length));
      state = carried;
    }
    return [...state, ...scans.stacked()];
  },
};
