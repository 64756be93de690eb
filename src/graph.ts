// The model as plain data: what the importers make and everything else reads.
// Operator names and semantics are those of ONNX opset 22 (https://onnx.ai/onnx/operators/), plus
// `Recurrent`, which covers every recurrent layer. Importers translate older opsets to this one.
import type { Cell, CellName } from './cells/index.ts';
import { RnnError } from './errors.ts';
import type { DataType, Tensor } from './tensor.ts';

/** Name, element type and shape of an input or output. A free dimension is a string. */
export interface ValueInfo {
  /** Unique in its graph. */
  readonly name: string;
  /** Element type. */
  readonly type: DataType;
  /** Sizes, outermost first; free ones of the same name are the same size. */
  readonly dims: readonly (number | string)[];
}

/** Default maximum of the nodes that all loops of a graph come to when they are unrolled. */
export const MAX_UNROLLED_NODES = 100_000;

/**
 * Default maximum of the elements that one run of the float64 reference holds at once: 512 MiB. Weights and feeds
 * do not count, for they are as large as what was given.
 */
export const MAX_LIVE_ELEMENTS = 2 ** 26;

/**
 * What an attribute of a node may hold. `Graph` occurs in `If`, `Loop` and `Scan`, `Cell` in `Recurrent`.
 */
export type Attribute =
  | number
  | string
  | boolean
  | readonly number[]
  | readonly string[]
  | Tensor
  | Graph
  | Cell;

/** One application of an operator. */
export interface Node {
  /** ONNX operator name, or `Recurrent`. */
  readonly op: string;
  /** Unique within its graph; it is what errors and traces call this node. */
  readonly name: string;
  /** Value names by slot; `''` where an optional input is left out. */
  readonly inputs: readonly string[];
  /** Value names by slot; `''` where nobody wants the output. */
  readonly outputs: readonly string[];
  /** Attributes of the operator, by their ONNX names. */
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/**
 * What a file declares of a value. A file whose declarations contradict what follows from its nodes is
 * refused with `INVALID_MODEL`.
 */
export interface DeclaredValue {
  /** Where the file declares it, such as `graph.outputs[0]`. */
  readonly path: string;
  /** The name of the value in the graph. */
  readonly name: string;
  /** Element type; left out where the file leaves it open. */
  readonly type?: DataType;
  /** Sizes, `undefined` for a free one; left out where the file leaves the rank open. */
  readonly dims?: readonly (number | undefined)[];
}

/** A whole model. Values are single assignment and nodes stand in an order that can be run. */
export interface Graph {
  /** For people. */
  readonly name: string;
  /** What a run is fed. */
  readonly inputs: readonly ValueInfo[];
  /** What a run gives. */
  readonly outputs: readonly ValueInfo[];
  /** Weights and other constants by value name. */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** In an order that can be run. */
  readonly nodes: readonly Node[];
  /** Types and shapes that the file declares, to be checked where they can be inferred. */
  readonly declared?: readonly DeclaredValue[];
  /** Outputs whose element type the file leaves open. Until a load has found it out, they are said to be float32. */
  readonly untyped?: readonly string[];
}

/**
 * Inputs of a `Recurrent` node by slot. T steps, B rows, I inputs, H hidden units, D directions,
 * G gates of the cell, O width of the output: H, or the projected size when `projection` is there.
 */
export const RECURRENT_INPUTS = [
  'X', // [T, B, I], or [B, T, I] with layout 1
  'W', // [D, G·H, I], blocks of rows in the cell's own order of gates
  'R', // [D, G·H, O]; left out for a cell without products
  'B', // [D, 2·G·H], input biases then recurrent biases; zeros when left out
  'lengths', // [B] integers: steps of each row; the rest of Y is zero and the state stays
  'initialH', // [D, B, O], or [B, D, O] with layout 1; zeros when left out
  'initialC', // [D, B, H], or [B, D, H] with layout 1; the second state of a cell that has one
  'P', // [D, K·H], the K parameters of the cell in order; LSTM: peepholes of i, o, f
  'mask', // [T, B], or [B, T] with layout 1: zero where a row skips a step
  'projection', // [D, O, H]: h = projection · (output of the cell); not for a cell of one state
] as const; // then the initial values of the third state and those after it, each like initialC

/** Input slot of the initial value of state `k` of a cell. */
export const initialStateSlot = (k: number): number =>
  k < 2 ? 5 + k : RECURRENT_INPUTS.length + k - 2;

/**
 * Attributes of a `Recurrent` node; every one is written out, none has a default.
 *
 * Outputs of the node by slot: Y [T, D, B, O], or [B, T, D, O] with layout 1, at the time positions of
 * the input also when reversed; then each state after the last step, like its initial value.
 */
export type RecurrentAttributes = {
  /** Arithmetic of a step: a cell by name, or one of the caller's own. */
  readonly cell: CellName | Cell;
  /** Order of the steps; both of them, independently, when bidirectional. */
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  /** H. */
  readonly hidden: number;
  /** 0: time first; 1: batch first. */
  readonly layout: 0 | 1;
  /** Names from `cells/activations.ts`, as many as the cell has, once for each direction. */
  readonly activations: readonly string[];
  /** One for each activation, NaN where it has none. */
  readonly alphas: readonly number[];
  /** Likewise. */
  readonly betas: readonly number[];
  /** Limit of the gate pre-activations, applied to [-clip, clip]; 0 for none. */
  readonly clip: number;
  /** LSTM: f = 1 - i (`input_forget` of ONNX). */
  readonly coupled: boolean;
  /** GRU: the reset gate scales R·h + b (PyTorch, Keras 3) instead of h (ONNX default). */
  readonly resetAfter: boolean;
  /** Y where `mask` is zero: 0, or the output of the step before it (Keras). */
  readonly maskedOutput: 'zero' | 'repeat';
  /**
   * Only where a file says so: a stream goes on from the state that the layer was left in, whatever its
   * direction, and from no other layer's (`stateful` of Keras).
   */
  readonly stateful?: true;
};

/** Number of directions: 2 when bidirectional. */
export function directionsOf(attributes: RecurrentAttributes): 1 | 2 {
  return attributes.direction === 'bidirectional' ? 2 : 1;
}

/** The attributes of a node that is known to be `Recurrent`. */
export function recurrentAttributes(node: Node): RecurrentAttributes {
  return node.attributes as unknown as RecurrentAttributes;
}

/** True for an attribute that holds a graph. */
export function isGraph(value: Attribute | undefined): value is Graph {
  return typeof value === 'object' && value !== null && 'nodes' in value;
}

/** Names of the values that a node reads, also from inside the graphs in its attributes. */
export function valuesRead({ inputs, attributes }: Node): readonly string[] {
  const inside = Object.values(attributes)
    .filter(isGraph)
    .flatMap(({ nodes, outputs }) => [
      ...nodes.flatMap(valuesRead),
      ...outputs.map(({ name }) => name),
    ]);
  return [...inputs, ...inside].filter((name) => name !== '');
}

/**
 * Whether a source of a model is a graph made in code, and not files.
 *
 * @throws RnnError `INVALID_ARGUMENT` for an object that has nodes and is no graph
 */
export function isGraphSource(source: unknown): source is Graph {
  if (typeof source !== 'object' || source === null) return false;
  const { nodes, inputs, outputs, constants } = source as Readonly<Record<string, unknown>>;
  if (!Array.isArray(nodes)) return false;
  if (Array.isArray(inputs) && Array.isArray(outputs) && constants instanceof Map) return true;
  const what =
    'got an object with nodes, expected a Graph with lists of inputs and outputs and a Map';
  throw new RnnError('INVALID_ARGUMENT', 'source', `${what} of constants`);
}

/**
 * Checks that the graph hangs together: names unique, every value made before it is used, outputs
 * made by someone. Shapes and attributes are checked by the operators.
 *
 * @throws RnnError `INVALID_MODEL` with the path of the first fault
 */
export function validateGraph(graph: Graph, path = 'graph', outer?: ReadonlySet<string>): void {
  const known = new Set(outer);
  const fresh = (name: string, where: string): void => {
    if (known.has(name)) {
      throw new RnnError('INVALID_MODEL', where, `value '${name}' is defined twice`);
    }
    known.add(name);
  };
  graph.inputs.forEach((input, i) => fresh(input.name, `${path}.inputs[${i}]`));
  for (const name of graph.constants.keys()) fresh(name, `${path}.constants['${name}']`);
  const nodeNames = new Set<string>();
  graph.nodes.forEach((node, i) => {
    const where = `${path}.nodes[${i}]`;
    if (nodeNames.has(node.name)) {
      throw new RnnError('INVALID_MODEL', `${where}.name`, `'${node.name}' is used twice`);
    }
    nodeNames.add(node.name);
    node.inputs.forEach((input, slot) => {
      if (input !== '' && !known.has(input)) {
        throw new RnnError(
          'INVALID_MODEL',
          `${where}.inputs[${slot}]`,
          `${node.op} '${node.name}' reads '${input}', which nothing before it makes`,
        );
      }
    });
    for (const [key, value] of Object.entries(node.attributes)) {
      if (isGraph(value)) validateGraph(value, `${where}.${key}`, known);
    }
    node.outputs.forEach((output, slot) => {
      if (output !== '') fresh(output, `${where}.outputs[${slot}]`);
    });
  });
  graph.outputs.forEach((output, i) => {
    if (!known.has(output.name)) {
      throw new RnnError(
        'INVALID_MODEL',
        `${path}.outputs[${i}]`,
        `nothing makes '${output.name}'`,
      );
    }
  });
}
