// Feeds the state of a graph's one recurrent layer from call to call, as a stream would.
import type { Graph } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';

/** A graph with one `Recurrent` node of one direction, called again and again. */
export class CarriedState {
  readonly #graph: Graph;
  #state: Record<string, Tensor>;

  constructor(graph: Graph, batch: number) {
    const node = graph.nodes.find(({ op }) => op === 'Recurrent')!;
    const names = node.attributes['cell'] === 'lstm' ? ['h', 'c'] : ['h'];
    const hidden = node.attributes['hidden'] as number;
    const dims = [batch, 1, hidden];
    const states = names.map((name) => ({ name, type: 'float32' as const, dims }));
    // Slots 5 and 6 are the initial states, outputs 1 and 2 the final ones; h may have a use already.
    const inputs = [...node.inputs, '', '', '', '', ''].slice(0, 5).concat(names);
    const outputs = [
      node.outputs[0] ?? '',
      ...names.map((_, i) => node.outputs[i + 1] || `end${i}`),
    ];
    this.#graph = {
      ...graph,
      inputs: [...graph.inputs, ...states],
      outputs: [...graph.outputs, ...states.map((info, i) => ({ ...info, name: outputs[i + 1]! }))],
      nodes: graph.nodes.map((other) => (other === node ? { ...node, inputs, outputs } : other)),
    };
    this.#state = Object.fromEntries(
      names.map((name) => [name, tensor(new Float32Array(batch * hidden), dims)]),
    );
  }

  /** The first output. */
  run(data: Float32Array, dims: readonly number[]): Float64Array {
    const feeds = { [this.#graph.inputs[0]!.name]: tensor(data, dims), ...this.#state };
    const [y, ...ends] = [...runReference(this.#graph, feeds).values()];
    for (const [i, name] of Object.keys(this.#state).entries()) {
      this.#state[name] = tensor(Float32Array.from(ends[i]!.data), ends[i]!.dims);
    }
    return y!.data;
  }
}
