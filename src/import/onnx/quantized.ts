// Operators of quantised models → rows of ordinary nodes: casts, differences, products. What of them is
// weights is folded to float32 when the model is simplified.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
import { RnnError } from '../../errors.ts';
import type { Node } from '../../graph.ts';
import { tensor } from '../../tensor.ts';
import type { UpgradeContext } from './upgrade-context.ts';

/** Whether {@link expandQuantized} has the operator. */
export const isQuantized = (op: string): boolean => Object.hasOwn(EXPANSIONS, op);

/** The nodes that an operator of quantised models stands for, the last with its last output. */
export function expandQuantized(node: Node, context: UpgradeContext): readonly Node[] {
  const writer = new Writer(node, context);
  EXPANSIONS[node.op]!(writer);
  return writer.nodes;
}

/** Writes nodes named after the one that they replace. */
class Writer {
  readonly node: Node;
  readonly nodes: Node[] = [];
  readonly #context: UpgradeContext;

  constructor(node: Node, context: UpgradeContext) {
    this.node = node;
    this.#context = context;
  }

  /** Adds a node; its output is a new value, or `output` where that is one of the replaced node. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Node['attributes'] = {},
    output?: string,
  ): string {
    const name = `${this.node.name}/${op}`;
    const made = output || this.#context.value(name);
    this.nodes.push({ op, name, inputs, outputs: [made], attributes });
    return made;
  }

  number(value: number): string {
    return this.#context.constant(`${this.node.name}/${value}`, tensor([value], []));
  }

  /** A required input. */
  input(slot: number): string {
    const found = this.node.inputs[slot];
    if (found) return found;
    const path = `${this.#context.path}.inputs[${slot}]`;
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `input of ${this.node.op}, got nothing, expected a value`,
    );
  }

  /** An input as another type, less its zero point where it has one. */
  centred(slot: number, zeroSlot: number, type: string, isScalar: boolean): string {
    const x = this.add('Cast', [this.input(slot)], { to: type });
    const zero = this.node.inputs[zeroSlot];
    if (!zero) return x;
    return this.add('Sub', [
      x,
      this.add('Cast', [isScalar ? this.scalar(zero) : zero], { to: type }),
    ]);
  }

  /** A value that must have one element: the run refuses any other. */
  scalar(value: string): string {
    const path = `${this.node.name}/scalar`;
    const shape = this.#context.constant(path, tensor(new BigInt64Array(0), [0]));
    return this.add('Reshape', [value, shape]);
  }
}

/** The levels, the scale and the zero point of x in 8 bits, with zero among the levels. */
function quantizeDynamically(writer: Writer, x: string, outputs: readonly string[] = []) {
  const [levels, scaleName, zeroName] = outputs;
  const zero = writer.number(0);
  const min = writer.add('Min', [writer.add('ReduceMin', [x], { keepdims: 0 }), zero]);
  const max = writer.add('Max', [writer.add('ReduceMax', [x], { keepdims: 0 }), zero]);
  const range = writer.add('Sub', [max, min]);
  const isFlat = writer.add('Equal', [range, zero]);
  const step = writer.add('Div', [range, writer.number(255)]);
  const scale = writer.add('Where', [isFlat, writer.number(1), step], {}, scaleName);
  const start = writer.add('Neg', [writer.add('Div', [min, scale])]);
  const level = writer.add('Round', [writer.add('Clip', [start, zero, writer.number(255)])]);
  const zeroPoint = writer.add('Cast', [level], { to: 'uint8' }, zeroName);
  const quantized = writer.add('QuantizeLinear', [x, scale, zeroPoint], {}, levels);
  return { quantized, scale, zeroPoint };
}

/** (A - a0) · (B - b0) as float32, times the scales, plus the bias. */
function scaledProduct(
  writer: Writer,
  a: string,
  b: string,
  scales: readonly [string, string],
  bias: string | undefined,
): void {
  const [output] = writer.node.outputs;
  const product = writer.add('MatMul', [a, b]);
  const scale = writer.add('Mul', scales);
  if (!bias) {
    writer.add('Mul', [product, scale], {}, output);
    return;
  }
  writer.add('Add', [writer.add('Mul', [product, scale]), bias], {}, output);
}

const EXPANSIONS: Readonly<Record<string, (writer: Writer) => void>> = {
  DynamicQuantizeLinear: (writer) => {
    quantizeDynamically(writer, writer.input(0), writer.node.outputs);
  },
  MatMulInteger: (writer) => {
    const a = writer.centred(0, 2, 'int32', true);
    const b = writer.centred(1, 3, 'int32', false);
    writer.add('MatMul', [a, b], {}, writer.node.outputs[0]);
  },
  // Sums of products below 2^16 are exact in float32 up to 256 terms and off by 2^-24 of themselves beyond.
  ConvInteger: (writer) => {
    const x = writer.centred(0, 2, 'float32', true);
    const w = writer.centred(1, 3, 'float32', true);
    const sum = writer.add('Conv', [x, w], writer.node.attributes);
    writer.add('Cast', [sum], { to: 'int32' }, writer.node.outputs[0]);
  },
  // A, B, scales of A and B, zero points of A and B, bias
  MatMulIntegerToFloat: (writer) => {
    const a = writer.centred(0, 4, 'float32', true);
    const b = writer.centred(1, 5, 'float32', false);
    const scales = [writer.input(2), writer.input(3)] as const;
    scaledProduct(writer, a, b, scales, writer.node.inputs[6]);
  },
  // A in float32, B, scale of B, zero point of B, bias
  DynamicQuantizeMatMul: (writer) => {
    const { quantized, scale, zeroPoint } = quantizeDynamically(writer, writer.input(0));
    const levels = writer.add('Cast', [quantized], { to: 'float32' });
    const a = writer.add('Sub', [levels, writer.add('Cast', [zeroPoint], { to: 'float32' })]);
    const b = writer.centred(1, 3, 'float32', false);
    scaledProduct(writer, a, b, [scale, writer.input(2)], writer.node.inputs[4]);
  },
};
