// Operators that work element by element.
import { ACTIVATIONS, type ActivationName } from '../../cells/index.ts';
import * as id from '../assembly/ids.ts';
import { isKnown, knownWords } from '../builder.ts';
import { float, isFloat, isWide, sizeOf } from '../lowering.ts';
import type { AnyLower, Lower, Lowering, LowerOf } from '../lowering.ts';
import type { Place } from '../program.ts';

/** Applies a function of one number to `count` elements. */
export function map(
  ctx: Lowering<never> | Lowering,
  kind: number,
  count: number,
  x: Place,
  out: Place,
  alpha = 0,
  beta = 0,
): void {
  if (count > 0) ctx.emit(id.UNARY, kind, x, out, count, float(alpha), float(beta));
}

/** A function of float32, and one of int32 where there is one. */
const unary =
  (kind: number, ofIntegers?: number): Lower =>
  (ctx) => {
    const { type, dims } = ctx.input(0);
    const chosen = isFloat(type) ? kind : isWide(type) ? ofIntegers : undefined;
    if (chosen === undefined) return false;
    map(ctx, chosen, sizeOf(dims), ctx.read(0), ctx.write());
    return true;
  };

/** A power; a square, which spectra need at each bin, is a product. */
const pow: Lower = (ctx) => {
  const exponent = ctx.input(1);
  const isSquare =
    isFloat(ctx.input(0).type) &&
    isFloat(exponent.type) &&
    sizeOf(exponent.dims) === 1 &&
    exponent.dims.length <= ctx.input(0).dims.length &&
    isKnown(exponent) &&
    knownWords(exponent)[0] === 2;
  if (!isSquare) return binary(id.POW, undefined)(ctx);
  const { dims } = ctx.outputs[0]!;
  const x = { place: ctx.read(0), dims };
  ctx.pointwise(id.MUL, dims, [x, x], ctx.write());
  return true;
};

/** The functions that recurrent layers know too, in the order of their numbers. */
export const ACTIVATION_IDS = Object.fromEntries(
  Object.keys(ACTIVATIONS).map((name, k) => [name, k]),
) as Record<ActivationName, number>;

type Curve = Lower<{ readonly alpha: number; readonly beta: number }>;

const activation =
  (kind: number): Curve =>
  (ctx) => {
    const { type, dims } = ctx.input(0);
    if (!isFloat(type)) return false;
    map(ctx, kind, sizeOf(dims), ctx.read(0), ctx.write(), ctx.params.alpha, ctx.params.beta);
    return true;
  };

const activations = Object.fromEntries(
  Object.entries(ACTIVATION_IDS).map(([name, kind]) => [name, activation(kind)]),
) as Record<ActivationName, Curve>;

/** A function of two numbers; comparisons give bool, and `swapped` takes b first. */
const binary =
  (kind: number | undefined, ofIntegers: number | undefined, swapped = false): Lower =>
  (ctx) => {
    const { type } = ctx.input(0);
    const chosen = isFloat(type) ? kind : isWide(type) ? ofIntegers : undefined;
    if (chosen === undefined || ctx.input(1).type !== type) return false;
    const slots = swapped ? [1, 0] : [0, 1];
    const operands = slots.map((slot) => ({ place: ctx.read(slot), dims: ctx.input(slot).dims }));
    ctx.pointwise(chosen, ctx.outputs[0]!.dims, operands, ctx.write());
    return true;
  };

/** Any number of inputs, folded from the left. */
const variadic =
  (kind: number, ofIntegers?: number): Lower =>
  (ctx) => {
    const { type } = ctx.input(0);
    const { dims } = ctx.outputs[0]!;
    const chosen = isFloat(type) ? kind : isWide(type) ? ofIntegers : undefined;
    if (chosen === undefined) return false;
    const isMean = ctx.node.op === 'Mean';
    if (ctx.inputs.length === 1) {
      ctx.alias(0, 0);
      return true;
    }
    const out = ctx.write();
    let sum = { place: ctx.read(0), dims: ctx.input(0).dims };
    for (let slot = 1; slot < ctx.inputs.length; slot++) {
      const isLast = slot === ctx.inputs.length - 1 && !isMean;
      const into = isLast ? out : ctx.scratch(sizeOf(dims));
      const next = { place: ctx.read(slot), dims: ctx.input(slot).dims };
      ctx.pointwise(chosen, dims, [sum, next], into);
      sum = { place: into, dims };
    }
    if (isMean) map(ctx, id.AFFINE, sizeOf(dims), sum.place, out, 1 / ctx.inputs.length);
    return true;
  };

const where: Lower = (ctx) => {
  const operands = [0, 1, 2].map((slot) => ({ place: ctx.read(slot), dims: ctx.input(slot).dims }));
  ctx.pointwise(id.SELECT, ctx.outputs[0]!.dims, operands, ctx.write());
  return true;
};

const clip: Lower = (ctx) => {
  const { type, dims } = ctx.input(0);
  if (!isFloat(type) && !isWide(type)) return false;
  const kinds = isFloat(type) ? [id.MAX, id.MIN] : [id.INT_MAX, id.INT_MIN];
  const limits = [1, 2].filter((slot) => ctx.inputs[slot] !== undefined);
  if (limits.length === 0) {
    ctx.alias(0, 0);
    return true;
  }
  const out = ctx.write();
  let x = ctx.read(0);
  limits.forEach((slot, k) => {
    const into = k === limits.length - 1 ? out : ctx.scratch(sizeOf(dims));
    ctx.pointwise(
      kinds[slot - 1]!,
      dims,
      [
        { place: x, dims },
        { place: ctx.read(slot), dims: [] },
      ],
      into,
    );
    x = into;
  });
  return true;
};

const cast: LowerOf<'Cast'> = (ctx) => {
  const from = ctx.input(0).type;
  const { to } = ctx.params;
  const count = sizeOf(ctx.input(0).dims);
  const sameWords =
    (isFloat(from) && isFloat(to) && to !== 'float16') ||
    (isWide(from) && isWide(to) && to !== 'bool') ||
    (from === 'uint8' && isWide(to) && to !== 'bool') ||
    from === to;
  if (sameWords && to !== 'float16') {
    ctx.alias(0, 0);
    return true;
  }
  const kind =
    isFloat(from) && isWide(to)
      ? to === 'bool'
        ? id.TO_BOOL
        : id.TO_INT
      : isFloat(to) && to !== 'float16' && !isFloat(from) && from !== 'uint32'
        ? id.TO_FLOAT
        : to === 'bool'
          ? id.INT_TO_BOOL
          : undefined;
  if (kind === undefined) return false;
  map(ctx, kind, count, ctx.read(0), ctx.write());
  return true;
};

const gelu: LowerOf<'Gelu'> = (ctx) => {
  const kind = ctx.params.approximate === 'none' ? id.GELU : id.GELU_TANH;
  map(ctx, kind, sizeOf(ctx.input(0).dims), ctx.read(0), ctx.write());
  return true;
};

const celu: LowerOf<'Celu'> = (ctx) => {
  map(ctx, id.CELU, sizeOf(ctx.input(0).dims), ctx.read(0), ctx.write(), ctx.params.alpha);
  return true;
};

/** Elementwise operators. */
export const elementwise: Readonly<Record<string, AnyLower>> = {
  ...activations,
  Sqrt: unary(id.SQRT),
  Log: unary(id.LOG),
  Abs: unary(id.ABS, id.INT_ABS),
  Neg: unary(id.NEG, id.INT_NEG),
  Reciprocal: unary(id.RECIPROCAL),
  Erf: unary(id.ERF),
  Floor: unary(id.FLOOR),
  Ceil: unary(id.CEIL),
  Round: unary(id.ROUND),
  Sign: unary(id.SIGN),
  Sin: unary(id.SIN),
  Cos: unary(id.COS),
  Not: unary(id.NOT, id.NOT),
  IsNaN: unary(id.IS_NAN),
  Gelu: gelu,
  Celu: celu,
  Cast: cast,
  Add: binary(id.ADD, id.INT_ADD),
  Sub: binary(id.SUB, id.INT_SUB),
  Mul: binary(id.MUL, id.INT_MUL),
  Div: binary(id.DIV, undefined),
  Pow: pow,
  PRelu: binary(id.PRELU, undefined),
  Equal: binary(id.EQUAL, id.INT_EQUAL),
  Less: binary(id.LESS, id.INT_LESS),
  LessOrEqual: binary(id.LESS_OR_EQUAL, id.INT_LESS_OR_EQUAL),
  Greater: binary(id.LESS, id.INT_LESS, true),
  GreaterOrEqual: binary(id.LESS_OR_EQUAL, id.INT_LESS_OR_EQUAL, true),
  And: binary(undefined, id.AND),
  Or: binary(undefined, id.OR),
  Xor: binary(undefined, id.XOR),
  Min: variadic(id.MIN, id.INT_MIN),
  Max: variadic(id.MAX, id.INT_MAX),
  Sum: variadic(id.ADD),
  Mean: variadic(id.ADD),
  Where: where,
  Clip: clip,
};
