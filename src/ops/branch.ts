// If: one of two graphs. https://onnx.ai/onnx/operators/onnx__If.html
import { graphOf, numberOf, tensorOf, type ControlOperator, type Wiring } from './control.ts';
import { invalid } from './define.ts';

/** Runs `then_branch` or `else_branch`. */
export const branch: ControlOperator = {
  name: 'If',
  hostInputs: [0],
  advice: 'export the branch that is wanted, or make the condition of shapes or integer inputs',
  wire: (node, path) =>
    ['then_branch', 'else_branch'].map((key): Wiring => {
      const graph = graphOf(node, key, path);
      const [got, min] = [graph.outputs.length, node.outputs.length];
      if (got < min) throw invalid(`${path}.${key}`, `outputs of a graph`, got, min);
      const leaves = node.outputs.map((name, k) => [graph.outputs[k]!.name, name] as const);
      return { graph, key, enters: [], leaves, repeats: [], decides: [] };
    }),
  run: (call) => {
    const { node, path, flow } = call;
    const condition = tensorOf(call, 0);
    const where = `${path}.inputs[0]`;
    const taken = numberOf(call, condition, branch, 'condition', 'bool', where) !== 0;
    const key = taken ? 'then_branch' : 'else_branch';
    return flow.enter(graphOf(node, key, path), key)([]);
  },
};
