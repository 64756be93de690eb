// Matrix products.
import { broadcastDims, broadcastStrides } from '../../ops/indexing.ts';
import type { Value } from '../../plan/specialize/infer.ts';
import { collapse } from '../../plan/lower/collapse-axes.ts';
import * as id from '../assembly/ids.ts';
import { after, ceil8, float, isFloat, sizeOf } from '../lowering.ts';
import type { AnyLower, Lower, Lowering, LowerOf } from '../lowering.ts';
import type { Place, Word } from '../program.ts';

/** The right side of products: [K, N] by strides, in elements; `count` matrices one after the other. */
interface Right {
  readonly value: Value;
  readonly k: number;
  readonly n: number;
  readonly count: number;
  readonly byColumn: number;
  readonly byRow: number;
}

/** Panels of all matrices of a right side. */
const packed = (ctx: Lowering<never>, { value, k, n, count, byColumn, byRow }: Right): Place =>
  ctx.derived(
    `panels${k}x${n}by${byColumn}`,
    count * k * ceil8(n),
    [value],
    (emit, [from], out) => {
      for (let i = 0; i < count; i++) {
        const source = after(from!, i * k * n);
        const to = after(out, i * k * ceil8(n));
        emit(id.PACK, source, 0, byColumn * 4, byRow * 4, k, n, to);
      }
    },
  );

/** Products in a batch, with strides from matrix to matrix in matrices. */
interface Products {
  readonly rows: number;
  readonly a: Place;
  readonly right: Right;
  readonly init: Place | 0;
  readonly batch: {
    readonly dims: readonly number[];
    readonly a: readonly number[];
    readonly b: readonly number[];
  };
}

function multiply(
  ctx: Lowering<never>,
  { rows, a, right, init, batch }: Products,
  out: Place,
): void {
  const { k, n, value, byColumn, byRow } = right;
  if (rows * n * sizeOf(batch.dims) === 0) return;
  const isConstant = value.constant;
  const { dims, strides } = collapse(batch.dims, { a: batch.a, b: batch.b });
  const panels = isConstant ? packed(ctx, right) : undefined;
  const b = panels ?? ctx.read(1);
  const room: Word = panels ? 0 : ctx.scratch(k * ceil8(n), 'panels');
  const bSize = panels ? k * ceil8(n) : k * n;
  const edge: Word = n % 8 === 0 ? 0 : ctx.scratch(rows * 8, 'edge');
  const inner = dims.at(-1) ?? 1;
  const [aStep, bStep] = [strides.a.at(-1) ?? 0, strides.b.at(-1) ?? 0];
  const visit = (axis: number, atA: number, atB: number, atOut: number): number => {
    if (axis < dims.length - 1) {
      for (let i = 0; i < dims[axis]!; i++) {
        atOut = visit(axis + 1, atA + i * strides.a[axis]!, atB + i * strides.b[axis]!, atOut);
      }
      return atOut;
    }
    ctx.emit(
      id.MATMUL,
      [inner, rows, k, n],
      [after(a, atA * rows * k), k * 4, aStep * rows * k * 4],
      [after(b, atB * bSize), bStep * bSize * 4, room, byColumn * 4, byRow * 4],
      [init, 0],
      [after(out, atOut * rows * n), rows * n * 4, edge],
    );
    return atOut + inner;
  };
  visit(0, 0, 0, 0);
}

const ONE = { dims: [], a: [], b: [] };

const matMul: Lower = (ctx) => {
  const [left, value] = [ctx.input(0), ctx.input(1)];
  if (!isFloat(left.type)) return false;
  const a = left.dims.length === 1 ? [1, ...left.dims] : left.dims;
  const right = value.dims.length === 1 ? [...value.dims, 1] : value.dims;
  const [rows, k] = a.slice(-2) as [number, number];
  const n = right.at(-1)!;
  const [outerA, outerB] = [a.slice(0, -2), right.slice(0, -2)];
  const side = { value, k, n, count: sizeOf(outerB), byColumn: 1, byRow: n };
  const common = { a: ctx.read(0), right: side, init: 0 } as const;
  const out = ctx.write();
  // One right matrix for all: the batch becomes rows.
  if (sizeOf(outerB) === 1 && outerB.length <= outerA.length) {
    multiply(ctx as Lowering<never>, { ...common, rows: sizeOf(outerA) * rows, batch: ONE }, out);
    return true;
  }
  const dims = broadcastDims([outerA, outerB], ctx.path);
  const batch = { dims, a: broadcastStrides(outerA, dims), b: broadcastStrides(outerB, dims) };
  multiply(ctx as Lowering<never>, { ...common, rows, batch }, out);
  return true;
};

const gemm: LowerOf<'Gemm'> = (ctx) => {
  const { transA, transB, alpha, beta } = ctx.params;
  const [left, value] = [ctx.input(0), ctx.input(1)];
  if (!isFloat(left.type)) return false;
  const [rows, n] = ctx.outputs[0]!.dims as [number, number];
  const k = left.dims[transA ? 0 : 1]!;
  const bias = ctx.inputs[2];
  const out = ctx.write();
  if (rows * n === 0) return true;
  let a = ctx.read(0);
  if (transA) {
    const turned = ctx.scratch(rows * k, 'transposed');
    ctx.copy([rows, k], { place: a, strides: [1, rows] }, { place: turned, strides: [k, 1] });
    a = turned;
  }
  const [byColumn, byRow] = transB ? [k, 1] : [1, n];
  const right = { value, k, n, count: 1, byColumn, byRow };
  const isRow = bias && sizeOf(bias.dims) === n && (bias.dims.at(-1) ?? 1) === n;
  const isInit = alpha === 1 && beta === 1 && isRow;
  const init = isInit ? ctx.read(2) : 0;
  const plain = isInit || !bias;
  const product = plain && alpha === 1 ? out : ctx.scratch(rows * n, 'product');
  multiply(ctx as Lowering<never>, { rows, a, right, init, batch: ONE }, product);
  const dims = [rows, n];
  const scaled = plain ? out : product;
  if (alpha !== 1) {
    ctx.emit(id.UNARY, id.AFFINE, product, scaled, rows * n, float(alpha), float(0));
  }
  if (plain) return true;
  let term = ctx.read(2);
  if (beta !== 1) {
    const count = sizeOf(bias.dims);
    const times = ctx.scratch(count, 'bias');
    ctx.emit(id.UNARY, id.AFFINE, term, times, count, float(beta), float(0));
    term = times;
  }
  const operands = [
    { place: scaled, dims },
    { place: term, dims: bias.dims },
  ];
  ctx.pointwise(id.ADD, dims, operands, out);
  return true;
};

/** Matrix products. */
export const products: Readonly<Record<string, AnyLower>> = { MatMul: matMul, Gemm: gemm };
