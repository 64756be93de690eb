// Operators that work element by element: one table of WGSL expressions of the inputs a, b, c ….
import { OPERANDS, elementwiseKernel } from '../../../shaders/elementwise.ts';
import { walkRank, walkValues } from '../../../shaders/walk.ts';
import { literal } from '../../../shaders/wgsl.ts';
import { ACTIVATIONS, type Activation } from '../../cells/activations.ts';
import { broadcastDims, broadcastStrides } from '../../ops/shapes.ts';
import { castType } from '../../ops/unary.ts';
import { type DataType, isFloat, sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { collapse, input, numberOf, runItems, scalarOf, textOf } from './strides.ts';

/** An input of {@link pointwise}: strides over the dims of the output, by broadcasting unless given. */
export interface Operand {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly buffer: BufferId;
  readonly strides?: readonly number[];
}

/** What an i32 keeps of a number when it is stored as `type`. */
function narrow(type: DataType, expression: string): string {
  switch (type) {
    case 'bool':
      return `(${expression}) != 0`;
    case 'uint8':
      return `(${expression}) & 0xff`;
    case 'uint16':
      return `(${expression}) & 0xffff`;
    case 'int8':
      return `((${expression}) << 24u) >> 24u`;
    case 'int16':
      return `((${expression}) << 16u) >> 16u`;
    default:
      return expression;
  }
}

/** Groups of four instead of elements, where the innermost axis allows it. */
function inQuads(dims: readonly number[], strides: Readonly<Record<string, readonly number[]>>) {
  const last = dims.length - 1;
  const steps = Object.values(strides);
  const whole = (n: number): boolean => n % 4 === 0;
  const fits = steps.every((list) => {
    const inner = list[last] ?? 1;
    return inner === 0 || (inner === 1 && list.slice(0, -1).every(whole));
  });
  if (!fits || (last > 0 && !whole(dims[last]!))) return undefined;
  const splats = steps.map((list) => list[last] === 0);
  const quads = Object.entries(strides).map(([name, list], i): [string, readonly number[]] => [
    name,
    splats[i] ? list : list.map((stride, axis) => (axis === last ? 1 : stride / 4)),
  ]);
  return {
    splats: splats.reduce((bits, splat, i) => bits | (Number(splat) << i), 0),
    dims: dims.map((dim, axis) => (axis === last ? Math.ceil(dim / 4) : dim)),
    strides: Object.fromEntries(quads),
  };
}

/** Dispatches `expression` of the operands over `dims` into `out`. */
export function pointwise(
  l: Lowering,
  operands: readonly Operand[],
  expression: string,
  out: { readonly type: DataType; readonly dims: readonly number[]; readonly buffer: BufferId },
  extra: Readonly<Record<string, readonly ['u32' | 'i32' | 'f32', number]>> = {},
): void {
  const flat = operands.length === 0 || (operands.length === 1 && !operands[0]!.strides);
  const rank = flat ? 0 : walkRank(out.dims.length);
  const steps: Record<string, readonly number[]> = {};
  const buffers: Record<string, BufferId> = { out: out.buffer };
  operands.forEach(({ dims, buffer, strides }, i) => {
    steps[`${OPERANDS[i]!}At`] = strides ?? broadcastStrides(dims, out.dims);
    buffers[OPERANDS[i]!.toUpperCase()] = buffer;
  });
  const entries = Object.entries(extra);
  const kernel = elementwiseKernel({
    name: l.node.op.toLowerCase(),
    inputs: operands.map(({ type }) => scalarOf(type)),
    output: scalarOf(out.type),
    rank,
    expression,
    extra: Object.fromEntries(entries.map(([key, [type]]) => [key, type])),
  });
  const uniforms = Object.fromEntries(entries.map(([key, [, value]]) => [key, value]));
  if (!flat) {
    const simple = collapse(out.dims, steps);
    const quads = inQuads(simple.dims, simple.strides);
    const { dims, strides } = quads ?? simple;
    const how = { quads: Number(quads !== undefined), splats: quads?.splats ?? 0 };
    Object.assign(uniforms, how, walkValues(rank, dims, strides));
  }
  const size = sizeOf(out.dims);
  runItems(l, kernel, Math.ceil(size / 4), buffers, uniforms, size);
}

/** An input as an operand. */
export function operand(l: Lowering, slot: number): Operand {
  const { type, dims } = input(l, slot);
  return { type, dims, buffer: l.read(slot) };
}

/** Output `slot` as a target. */
export const target = (l: Lowering, slot = 0) => ({ ...l.outputs[slot]!, buffer: l.write(slot) });

type Expression = string | ((l: Lowering) => string);

// For operands of floating point type, and for integers where that differs.
const EXPRESSIONS: Readonly<Record<string, Expression | readonly [Expression, Expression]>> = {
  Abs: 'abs(a)',
  Neg: '-a',
  Sqrt: 'sqrt(a)',
  Log: 'log(a)',
  Reciprocal: '1.0 / a',
  Erf: ['erf(a)', 'erf(f32(a))'],
  Floor: 'floor(a)',
  Ceil: 'ceil(a)',
  Round: 'round(a)',
  Sign: 'sign(a)',
  Sin: 'sine(a)',
  Cos: 'cosine(a)',
  Not: '1 - a',
  IsNaN: '(bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u',
  Gelu: (l) =>
    textOf(l, 'approximate', 'none') === 'tanh'
      ? '0.5 * a * (1.0 + safeTanh(0.7978845608 * (a + 0.044715 * a * a * a)))'
      : '0.5 * a * (1.0 + erf(a * 0.7071067812))',
  Celu: (l) => {
    const alpha = literal(numberOf(l, 'alpha', 1));
    return `max(a, 0.0) + min(${alpha} * (exp(min(a / ${alpha}, 80.0)) - 1.0), 0.0)`;
  },
  Add: 'a + b',
  Sub: 'a - b',
  Mul: 'a * b',
  Div: 'a / b',
  Pow: ['power(a, f32(b))', 'intPower(a, i32(b))'],
  Mod: [
    (l) => (numberOf(l, 'fmod', 0) === 0 ? 'a - b * floor(a / b)' : 'a - b * trunc(a / b)'),
    (l) => (numberOf(l, 'fmod', 0) === 0 ? '(a % b + b) % b' : 'a % b'),
  ],
  Equal: 'a == b',
  Less: 'a < b',
  LessOrEqual: 'a <= b',
  Greater: 'a > b',
  GreaterOrEqual: 'a >= b',
  And: 'a & b',
  Or: 'a | b',
  Xor: 'a ^ b',
  Where: ['', 'select(c, b, a != 0)'], // a is a bool
  PRelu: ['select(a, a * b, a < 0.0)', 'select(a, a * b, a < 0)'],
  Clip: (l) => {
    const least = l.inputs[1] ? 'max(a, b)' : 'a';
    return l.inputs[2] ? `min(${least}, ${l.inputs[1] ? 'c' : 'b'})` : least;
  },
};

const expressionOf = (l: Lowering, expression: Expression): string =>
  typeof expression === 'string' ? expression : expression(l);

const plain =
  (choice: Expression | readonly [Expression, Expression]): Lower =>
  (l) => {
    const slots = [...l.inputs.keys()].filter((slot) => l.inputs[slot]);
    const operands = slots.map((slot) => operand(l, slot));
    const isPair = Array.isArray(choice);
    const chosen = isPair ? choice[isFloat(operands[0]!.type) ? 0 : 1] : choice;
    const expression = expressionOf(l, chosen as Expression);
    const out = target(l);
    pointwise(l, operands, out.type === 'bool' ? expression : narrow(out.type, expression), out);
  };

// What the layers call beta, the ONNX operator Selu calls gamma.
const activation = (name: string, { wgsl, alpha = 0, beta = 0 }: Activation): Lower =>
  plain([
    (l) =>
      wgsl(
        'a',
        literal(numberOf(l, 'alpha', alpha)),
        literal(numberOf(l, name === 'Selu' ? 'gamma' : 'beta', beta)),
      ),
    'max(a, 0)', // Relu is the one that takes integers
  ]);

// Any number of inputs: as many at a time as a kernel has operands, the result so far among them.
const variadic =
  (join: (a: string, b: string) => string): Lower =>
  (l) => {
    const rest = [...l.inputs.keys()].map((slot) => operand(l, slot));
    const { type } = l.outputs[0]!;
    const mean = l.node.op === 'Mean' ? ` / ${literal(rest.length)}` : '';
    while (rest.length > 0) {
      const some = rest.splice(0, OPERANDS.length);
      const joined = OPERANDS.slice(0, some.length).reduce<string>(
        (a, b) => (a === '' ? b : join(a, b)),
        '',
      );
      if (rest.length === 0)
        return pointwise(l, some, narrow(type, `(${joined})${mean}`), target(l));
      const dims = broadcastDims(
        some.map((o) => o.dims),
        l.path,
      );
      const partial = { type, dims, buffer: l.scratch(sizeOf(dims), 'so far') };
      pointwise(l, some, joined, partial);
      rest.unshift(partial);
    }
  };

/** Casts are free where both types look the same on the device. */
const cast: Lower = (l) => {
  const from = input(l, 0).type;
  const to = castType(l.node.attributes['to'], l.path);
  const wide = (type: DataType): boolean => /^(u?int(32|64)|bool)$/.test(type);
  const same = isFloat(from) ? isFloat(to) : wide(to) && (to !== 'bool' || from === 'bool');
  if (same) return l.alias(0, 0);
  const value = to === 'bool' ? `a != ${scalarOf(from)}(0)` : narrow(to, `${scalarOf(to)}(a)`);
  pointwise(l, [operand(l, 0)], value, target(l));
};

/** scale · (x - mean) / √(variance + ε) + bias, one of each for a channel, the second axis. */
const batchNormalization: Lower = (l) => {
  const epsilon = literal(numberOf(l, 'epsilon', 1e-5));
  const out = target(l);
  const strides = out.dims.map((_, axis) => Number(axis === 1));
  const operands = [0, 1, 2, 3, 4].map((slot) => ({
    ...operand(l, slot),
    ...(slot > 0 && { strides }),
  }));
  pointwise(l, operands, `(a - d) / sqrt(e + ${epsilon}) * b + c`, out);
};

/** Elementwise operators. */
export const elementwise: Readonly<Record<string, Lower>> = {
  ...Object.fromEntries(Object.entries(EXPRESSIONS).map(([name, e]) => [name, plain(e)])),
  ...Object.fromEntries(
    Object.entries<Activation>(ACTIVATIONS).map(([name, a]) => [name, activation(name, a)]),
  ),
  Sum: variadic((a, b) => `${a} + ${b}`),
  Mean: variadic((a, b) => `${a} + ${b}`),
  Max: variadic((a, b) => `max(${a}, ${b})`),
  Min: variadic((a, b) => `min(${a}, ${b})`),
  Cast: cast,
  BatchNormalization: batchNormalization,
};
