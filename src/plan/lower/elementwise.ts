// Operators that work element by element: one table of WGSL expressions of the inputs a, b, c ….
import { OPERANDS } from '../../../shaders/elementwise.ts';
import { literal } from '../../../shaders/wgsl.ts';
import { ACTIVATIONS, type Activation } from '../../cells/activations.ts';
import { broadcastDims } from '../../ops/indexing.ts';
import { type DataType, isFloat, sizeOf } from '../../tensor.ts';
import type { OperatorParams } from '../../ops/index.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { Argument } from '../values.ts';
import { argument, termOf, yieldSame, yieldTerm } from './fuse.ts';
import { operand } from './pointwise.ts';
import { input, mapValues, scalarOf, type LowerOf } from './operator.ts';

/** WGSL that wraps an i32 to the range of `type`. */
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

/** WGSL of the operands `a`, `b` …, or a function that returns it. */
type Expression<P = unknown> = string | ((ctx: Lowering<P>) => string);

/** For operands of floating point type, and for integers where that differs. */
type Choice<P = unknown> =
  | Expression<P>
  | readonly [floats: Expression<P>, integers: Expression<P>];

/** Limits `a` to the bounds that are there, with these functions of two operands. */
const clip =
  (max: string, min: string) =>
  ({ inputs }: Lowering): string => {
    const raised = inputs[1] ? `${max}(a, b)` : 'a';
    return inputs[2] ? `${min}(${raised}, ${inputs[1] ? 'c' : 'b'})` : raised;
  };

// Operators without attributes.
const EXPRESSIONS = {
  Abs: 'abs(a)',
  Neg: '-a',
  Sqrt: 'sqrt(a)',
  Log: 'orNan(log(a), a)',
  Reciprocal: '1.0 / a',
  Erf: ['erf(a)', 'erf(f32(a))'],
  Floor: 'floor(a)',
  Ceil: 'ceil(a)',
  Round: 'round(a)',
  Sign: ['orNan(sign(a), a)', 'sign(a)'],
  Sin: 'sine(a)',
  Cos: 'cosine(a)',
  Not: '1 - a',
  IsNaN: '(bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u',
  Add: 'a + b',
  Sub: 'a - b',
  Mul: 'a * b',
  // Where WGSL leaves the dividend, both backends make an integer divided by zero zero.
  Div: ['a / b', 'select(a / b, 0, b == 0)'],
  Pow: ['power(a, f32(b))', 'intPower(a, i32(b))'],
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
  Clip: [clip('maxNan', 'minNan'), clip('max', 'min')],
} satisfies Record<string, Choice>;

const plain =
  <P>(choice: Choice<P>): Lower<P> =>
  (ctx) => {
    const slots = [...ctx.inputs.keys()].filter((slot) => ctx.inputs[slot]);
    const args = slots.map((slot) => argument(ctx, slot));
    const chosen = typeof choice === 'object' ? choice[isFloat(args[0]!.type) ? 0 : 1] : choice;
    const expression = typeof chosen === 'string' ? chosen : chosen(ctx);
    const { type } = ctx.outputs[0]!;
    yieldTerm(ctx, args, type === 'bool' ? expression : narrow(type, expression));
  };

const gelu: LowerOf<'Gelu'> = plain(({ params }) =>
  params.approximate === 'tanh'
    ? '0.5 * a * (1.0 + safeTanh(0.7978845608 * (a + 0.044715 * a * a * a)))'
    : '0.5 * a * (1.0 + erf(a * 0.7071067812))',
);

const celu: LowerOf<'Celu'> = plain(({ params }) => {
  const alpha = literal(params.alpha);
  return `orNan(max(a, 0.0) + min(${alpha} * (exp(min(a / ${alpha}, 80.0)) - 1.0), 0.0), a)`;
});

const mod: LowerOf<'Mod'> = plain([
  ({ params }) => (params.fmod ? 'a - b * trunc(a / b)' : 'a - b * floor(a / b)'),
  ({ params }) => (params.fmod ? 'a % b' : 'a % b + select(0, b, a % b != 0 && ((a % b) ^ b) < 0)'),
]);

const activation = ({ wgsl }: Activation): Lower<OperatorParams[keyof typeof ACTIVATIONS]> =>
  plain([
    ({ params: { alpha, beta } }) => wgsl('a', literal(alpha), literal(beta)),
    'max(a, 0)', // Relu is the only one that takes integers
  ]);

// Any number of inputs, in groups of as many as a kernel has operands; the result of a group is the
// first operand of the next.
const variadic =
  (join: (a: string, b: string, isFloating: boolean) => string): Lower =>
  (ctx) => {
    const remaining = [...ctx.inputs.keys()].map((slot) => argument(ctx, slot));
    const { type } = ctx.outputs[0]!;
    const mean = ctx.node.op === 'Mean' ? ` / ${literal(remaining.length)}` : '';
    for (;;) {
      const group = remaining.splice(0, OPERANDS.length);
      const joined = OPERANDS.slice(0, group.length).reduce<string>(
        (a, b) => (a === '' ? b : join(a, b, isFloat(type))),
        '',
      );
      if (remaining.length === 0) return yieldTerm(ctx, group, narrow(type, `(${joined})${mean}`));
      const dims = broadcastDims(
        group.map((o) => o.dims),
        ctx.path,
      );
      const out = () => ({ type, dims, buffer: ctx.scratch(sizeOf(dims), 'so far') });
      remaining.unshift(termOf(ctx, group, joined, { type, dims }, out));
    }
  };

/** Casts are free between types with the same numbers on the device; to float16 they round. */
const cast: LowerOf<'Cast'> = (ctx) => {
  const from = input(ctx, 0).type;
  const { to } = ctx.params;
  const wide = (type: DataType): boolean => /^(u?int(32|64)|bool)$/.test(type);
  const rounds = to === 'float16' && from !== 'float16';
  const same = isFloat(from) ? isFloat(to) : wide(to) && (to !== 'bool' || from === 'bool');
  if (same && !rounds) return yieldSame(ctx);
  const cut = narrow(to, `${scalarOf(to)}(a)`);
  const value = to === 'bool' ? `a != ${scalarOf(from)}(0)` : rounds ? `toHalf(${cut})` : cut;
  yieldTerm(ctx, [argument(ctx, 0)], value);
};

/** Inputs with one number for each element of an axis of the output, or one for all of it. */
function alongAxis(ctx: Lowering, slots: readonly number[], axis: number | undefined): Argument[] {
  const { dims } = ctx.outputs[0]!;
  const strides = dims.map((_, k) => Number(k === axis));
  return slots.map((slot) => {
    const { type, buffer } = operand(ctx, slot);
    return { type, buffer, dims, strides };
  });
}

/** scale · (x - mean) / √(variance + ε) + bias; the parameters [C] belong to the second axis. */
const batchNormalization: LowerOf<'BatchNormalization'> = (ctx) => {
  const epsilon = literal(ctx.params.epsilon);
  const perChannel = alongAxis(ctx, [1, 2, 3, 4], 1);
  yieldTerm(ctx, [argument(ctx, 0), ...perChannel], `(a - d) / sqrt(e + ${epsilon}) * b + c`);
};

/** The scale of a quantiser, and its zero point where it has one. */
const scaling = (ctx: Lowering<{ readonly axis: number | undefined }>): Argument[] =>
  alongAxis(ctx, ctx.inputs[2] ? [1, 2] : [1], ctx.params.axis);

const dequantize: LowerOf<'DequantizeLinear'> = (ctx) => {
  const level = ctx.inputs[2] ? 'a - c' : 'a';
  yieldTerm(ctx, [argument(ctx, 0), ...scaling(ctx)], `f32(${level}) * b`);
};

const quantize: LowerOf<'QuantizeLinear'> = (ctx) => {
  const { min, max } = ctx.params;
  // No zero point lies further than 2^16 from either end, and beyond 2^31 there is no i32.
  const level = 'i32(clamp(round(a / b), -131072.0, 131072.0))';
  const shifted = ctx.inputs[2] ? `${level} + c` : level;
  yieldTerm(ctx, [argument(ctx, 0), ...scaling(ctx)], `clamp(${shifted}, ${min}, ${max})`);
};

/** Elementwise operators. */
export const elementwise = {
  ...mapValues(EXPRESSIONS, (choice: Choice) => plain(choice)),
  ...mapValues(ACTIVATIONS, activation),
  Gelu: gelu,
  Celu: celu,
  Mod: mod,
  Sum: variadic((a, b) => `${a} + ${b}`),
  Mean: variadic((a, b) => `${a} + ${b}`),
  Max: variadic((a, b, isFloating) => `${isFloating ? 'maxNan' : 'max'}(${a}, ${b})`),
  Min: variadic((a, b, isFloating) => `${isFloating ? 'minNan' : 'min'}(${a}, ${b})`),
  Cast: cast,
  BatchNormalization: batchNormalization,
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
};
