// Operators that ONNX defines as functions of others, written out: LinearAttention as a Scan, CausalConvWithState as a
// Concat, a Conv and a Slice. https://onnx.ai/onnx/operators/onnx__LinearAttention.html,
// https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
import { RnnError } from '../../errors.ts';
import type { Attribute, Graph, Node, ValueInfo } from '../../graph.ts';
import { tensor } from '../../tensor.ts';
import type { UpgradeContext } from './upgrade-context.ts';

/** Nodes that are being written, and short words for them. */
class Writer {
  readonly nodes: Node[] = [];
  readonly #node: Node;
  readonly #context: UpgradeContext;

  constructor(node: Node, context: UpgradeContext) {
    this.#node = node;
    this.#context = context;
  }

  name(base: string): string {
    return this.#context.value(`${this.#node.name}/${base}`);
  }

  /** Adds a node of one output, and gives the name of that. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = this.name(op),
  ): string {
    this.nodes.push({ op, name: output, inputs, outputs: [output], attributes });
    return output;
  }

  ints(...values: number[]): string {
    const value = tensor(BigInt64Array.from(values, BigInt), [values.length]);
    return this.#context.constant(`${this.#node.name}/ints`, value);
  }

  float(value: number): string {
    return this.#context.constant(`${this.#node.name}/float`, tensor([value], []));
  }

  reshape(x: string, ...shape: number[]): string {
    return this.add('Reshape', [x, this.ints(...shape)]);
  }

  /** Some sizes of a value. */
  sizes(x: string, start: number, end: number): string {
    return this.add('Shape', [x], { start, end });
  }

  /** Zeros of a shape that is put together of parts. */
  zeros(parts: readonly string[]): string {
    return this.add('ConstantOfShape', [this.add('Concat', parts, { axis: 0 })]);
  }

  /** The nodes, of which the last make the outputs of the function. */
  finish(outputs: readonly (string | undefined)[]): readonly Node[] {
    const { name, outputs: wanted } = this.#node;
    wanted.forEach((output, slot) => {
      if (output) this.add('Identity', [outputs[slot] ?? ''], {}, output);
    });
    return this.nodes.map((made, i) => (i === this.nodes.length - 1 ? { ...made, name } : made));
  }

  fail(what: string): never {
    const { op, name } = this.#node;
    throw new RnnError('INVALID_MODEL', this.#context.path, `${op} '${name}' ${what}`);
  }
}

const RULES = ['linear', 'gated', 'delta', 'gated_delta'];

/** The heads of a LinearAttention, checked. */
function headsOf({ attributes }: Node, writer: Writer): { heads: number; group: number } {
  const { q_num_heads: queries, kv_num_heads: heads } = attributes;
  const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && Number(x) > 0;
  if (!isCount(queries) || !isCount(heads) || queries % heads !== 0) {
    const got = `got q_num_heads ${String(queries)} and kv_num_heads ${String(heads)}`;
    return writer.fail(`needs numbers of heads, ${got}, expected a multiple and what it is one of`);
  }
  return { heads, group: queries / heads };
}

/** A value inside of the Scan; its shape follows from what it is a part of. */
const inside = (name: string): ValueInfo => ({
  name,
  type: 'float32',
  dims: ['rows', 'heads', 'keys', 'values'].map((dim) => `${name}.${dim}`),
});

/** What the Scan of a LinearAttention goes along, by what it is in the formula. */
interface Sequences {
  readonly query: string;
  readonly column: string;
  readonly row: string;
  readonly value: string;
  readonly decay?: string;
  readonly beta?: string;
}

/** S = exp(g)·S; v = β·(v - k·S); S = S + kᵀ·v; o = q·S. */
function attentionBody(sequences: Sequences, writer: Writer): Graph {
  const state = writer.name('S');
  const parts = Object.fromEntries(
    Object.keys(sequences).map((key) => [key, writer.name(key)]),
  ) as unknown as Sequences;
  const around = writer.nodes.length;
  const { query, column, row, value, decay, beta } = parts;
  const kept = decay ? writer.add('Mul', [decay, state]) : state;
  const error = beta && writer.add('Sub', [value, writer.add('MatMul', [row, kept])]);
  const written = error ? writer.add('Mul', [beta, error]) : value;
  const next = writer.add('Add', [kept, writer.add('Mul', [column, written])]);
  const read = writer.add('MatMul', [query, next]);
  return {
    name: 'step',
    inputs: [state, ...Object.values(parts as unknown as Record<string, string>)].map(inside),
    outputs: [next, read].map(inside),
    constants: new Map(),
    nodes: writer.nodes.splice(around),
  };
}

/** LinearAttention of opset 27: [B, T, heads · size] in and out, states [B, heads, keys, values]. */
export function linearAttention(node: Node, context: UpgradeContext): readonly Node[] {
  const writer = new Writer(node, context);
  const { heads, group } = headsOf(node, writer);
  const rule = String(node.attributes['update_rule'] ?? 'gated_delta');
  const [q = '', k = '', v = '', past = '', decay = '', beta = '', ...more] = node.inputs;
  if (!RULES.includes(rule)) writer.fail(`updates by '${rule}', expected ${RULES.join(', ')}`);
  if (!q || !k || !v) writer.fail('needs queries, keys and values');
  if (rule.startsWith('gated') !== (decay !== ''))
    writer.fail(`of rule ${rule} and its decay do not fit`);
  if (rule.endsWith('delta') !== (beta !== ''))
    writer.fail(`of rule ${rule} and its beta do not fit`);
  if (more.some((name) => name !== '')) writer.fail('has more inputs than in opset 27');
  // [B, T, heads, …, …]: a step has matrices for each head.
  const queries = writer.reshape(q, 0, 0, heads, group, -1);
  const values = writer.reshape(v, 0, 0, heads, 1, -1);
  const column = writer.reshape(k, 0, 0, heads, -1, 1);
  const given = node.attributes['scale'];
  const size = writer.add('Cast', [writer.sizes(column, 3, 4)], { to: 'float32' });
  const scale = given
    ? writer.float(given as number)
    : writer.add('Reciprocal', [writer.add('Sqrt', [size])]);
  const sequences: Sequences = {
    query: writer.add('Mul', [queries, scale]),
    column,
    row: writer.reshape(k, 0, 0, heads, 1, -1),
    value: values,
    ...(decay && { decay: writer.add('Exp', [writer.reshape(decay, 0, 0, heads, -1, 1)]) }),
    ...(beta && { beta: writer.reshape(beta, 0, 0, -1, 1, 1) }),
  };
  const zeros = (): string =>
    writer.zeros([writer.sizes(k, 0, 1), writer.sizes(column, 2, 4), writer.sizes(values, 4, 5)]);
  const initial = past || zeros();
  const body = attentionBody(sequences, writer);
  const names = Object.values(sequences as unknown as Record<string, string>);
  const [last, read] = [writer.name('last'), writer.name('read')];
  const axes = { scan_input_axes: names.map(() => 1), scan_output_axes: [1] };
  writer.nodes.push({
    op: 'Scan',
    name: writer.name('Scan'),
    inputs: [initial, ...names],
    outputs: [last, read],
    attributes: { body, num_scan_inputs: names.length, ...axes },
  });
  return writer.finish([writer.reshape(read, 0, 0, -1), last]);
}

/** CausalConvWithState of opset 27: [B, C, T] in and out, states [B, C, k - 1]. */
export function causalConvolution(node: Node, context: UpgradeContext): readonly Node[] {
  const writer = new Writer(node, context);
  const [x = '', weight = '', bias = '', past = ''] = node.inputs;
  const activation = String(node.attributes['activation'] ?? 'none');
  const dims = context.known(weight)?.dims;
  if (!['none', 'silu', 'swish'].includes(activation)) {
    writer.fail(`has the activation '${activation}', expected none, silu, swish`);
  }
  if (dims?.length !== 3 || dims[1] !== 1) {
    writer.fail(
      `needs constant weights [C, 1, k], got ${dims ? `[${dims.join(', ')}]` : 'others'}`,
    );
  }
  const [group, , width] = dims as [number, number, number];
  const before = past || writer.zeros([writer.sizes(x, 0, 2), writer.ints(width - 1)]);
  const padded = writer.add('Concat', [before, x], { axis: 2 });
  const made = writer.add('Conv', [padded, weight, ...(bias ? [bias] : [])], { group });
  const y = activation === 'none' ? made : writer.add('Mul', [made, writer.add('Sigmoid', [made])]);
  const end = 2 ** 31 - 1;
  const start = width === 1 ? end : 1 - width;
  const bounds = [writer.ints(start), writer.ints(end), writer.ints(2)];
  const last = node.outputs[1] ? writer.add('Slice', [padded, ...bounds]) : undefined;
  return writer.finish([y, last]);
}
