// Turns a graph into one that takes and gives the state of its recurrent layers, which is all that a
// stream needs: a state is an input, and an output that is fed back to it.
import { RnnError } from '../errors.ts';
import { cellOf } from '../cells/index.ts';
import type { Graph, Node, ValueInfo } from '../graph.ts';
import { initialStateSlot, isGraph, recurrentAttributes } from '../graph.ts';
import { CONTROL } from '../ops/registry.ts';
import { dependentValues } from '../plan/specialize/shape-inputs.ts';
import { isFloat } from '../tensor.ts';

/** One piece of state: the output that is fed back to an input. */
export interface StateSlot {
  /** Name of the input of the streamed graph; also the name in snapshots. */
  readonly input: string;
  readonly output: string;
  /** For the state of a layer: the value of the probe graph that it has the shape of. */
  readonly like?: string;
  /** For the state of a layer: the value of the probe graph that it begins with, else zeros. */
  readonly initial?: string;
}

/** A graph made for streaming. */
export interface StreamedGraph {
  /** The graph with state as inputs and outputs. */
  readonly graph: Graph;
  /** The graph before that, with names for all final states: it tells shapes and initial values. */
  readonly probe: Graph;
  readonly slots: readonly StateSlot[];
}

function refuseHidden(graph: Graph, path: string): void {
  graph.nodes.forEach((node, i) => {
    const where = `${path}.nodes[${i}]`;
    if (node.op === 'Recurrent' && !node.inputs[5]) {
      throw new RnnError(
        'UNSUPPORTED_OPERATOR',
        where,
        `a stream cannot carry the state of '${node.name}', which is inside an If, a Loop or a Scan`,
      );
    }
    for (const [key, value] of Object.entries(node.attributes)) {
      if (isGraph(value)) refuseHidden(value, `${where}.${key}`);
    }
  });
}

/**
 * Refuses a loop that begins from numbers that no input has a say in: from step to step that is
 * state, which nothing would carry.
 */
function refuseCarried(
  graph: Graph,
  node: Node,
  path: string,
  dependent: ReadonlySet<string>,
): void {
  for (const { enters, repeats, graph: body } of CONTROL.get(node.op)?.wire?.(node, path) ?? []) {
    for (const [outside, inside] of enters) {
      const declared = body.inputs.find(({ name }) => name === inside);
      const type = graph.constants.get(outside)?.type ?? declared?.type;
      const isCarried = repeats.some(([, to]) => to === inside);
      if (!isCarried || dependent.has(outside) || !type || !isFloat(type)) continue;
      throw new RnnError(
        'UNSUPPORTED_OPERATOR',
        path,
        `a stream cannot carry the state of ${node.op} '${node.name}', which begins with ` +
          `'${outside}' at each call: export it with that value as an input and the last one as ` +
          'an output, and name the pair in `state`, or use run',
      );
    }
  }
}

/**
 * Makes the state of a graph explicit.
 *
 * @param pairs output → input, as the caller of `stream` declares them
 * @throws RnnError `INVALID_ARGUMENT` for a pair that names no output or no input;
 *   `UNSUPPORTED_OPERATOR` for a layer that needs the whole sequence, with its path
 */
export function streamGraph(graph: Graph, pairs: Readonly<Record<string, string>>): StreamedGraph {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const inputs = new Map(graph.inputs.map((info) => [info.name, info]));
  const slots: StateSlot[] = [];
  for (const [output, input] of Object.entries(pairs)) {
    const known = [...outputs].join(', ');
    if (!outputs.has(output)) {
      const what = `'${output}' is no output, expected one of ${known}`;
      throw new RnnError('INVALID_ARGUMENT', `state.${output}`, what);
    }
    if (!inputs.has(input)) {
      const what = `'${input}' is no input, expected one of ${[...inputs.keys()].join(', ')}`;
      throw new RnnError('INVALID_ARGUMENT', `state.${output}`, what);
    }
    if (slots.some((slot) => slot.input === input)) {
      throw new RnnError('INVALID_ARGUMENT', `state.${output}`, `'${input}' is fed back to twice`);
    }
    slots.push({ input, output });
  }

  const dependent = dependentValues(graph);
  const added: ValueInfo[] = [];
  const probe: Node[] = [];
  const nodes = graph.nodes.map((node, i): Node => {
    const keep = (same: Node): Node => {
      probe.push(same);
      return same;
    };
    if (node.op !== 'Recurrent') {
      const path = `graph.nodes[${i}]`;
      refuseCarried(graph, node, path, dependent);
      for (const [key, value] of Object.entries(node.attributes)) {
        if (isGraph(value)) refuseHidden(value, `${path}.${key}`);
      }
      return keep(node);
    }
    const attributes = recurrentAttributes(node);
    if (attributes.direction !== 'forward') {
      throw new RnnError(
        'UNSUPPORTED_OPERATOR',
        `graph.nodes[${i}]`,
        `a stream needs layers that run forward; '${node.name}' is ${attributes.direction} and ` +
          'needs the whole sequence: use run',
      );
    }
    const parts = cellOf(attributes.cell).states;
    // States that come from inputs or from other layers are the caller's, not the stream's.
    if (parts.some((_, k) => dependent.has(node.inputs[initialStateSlot(k)] ?? '')))
      return keep(node);
    const newInputs = Array.from(
      { length: Math.max(node.inputs.length, initialStateSlot(parts.length - 1) + 1) },
      (_, k) => node.inputs[k] ?? '',
    );
    const newOutputs = Array.from({ length: 1 + parts.length }, (_, k) => node.outputs[k] ?? '');
    parts.forEach((part, k) => {
      const input = `${node.name}.${part}`;
      const output = newOutputs[1 + k] || `${node.name}.${part}.next`;
      newOutputs[1 + k] = output;
      const initial = newInputs[initialStateSlot(k)];
      newInputs[initialStateSlot(k)] = input;
      added.push({
        name: input,
        type: 'float32',
        dims: [`${input}.0`, `${input}.1`, `${input}.2`],
      });
      slots.push({ input, output, like: output, ...(initial && { initial }) });
    });
    probe.push({ ...node, outputs: newOutputs });
    return { ...node, inputs: newInputs, outputs: newOutputs };
  });
  return {
    graph: { ...graph, inputs: [...graph.inputs, ...added], nodes },
    probe: { ...graph, nodes: probe },
    slots,
  };
}
