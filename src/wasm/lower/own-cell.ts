// Layers of a cell of the caller's: kernels multiply, and what is between the products is the cell's float64 step.
import { cellOf } from '../../cells/index.ts';
import type { RecurrentAttributes } from '../../graph.ts';
import type { RecurrentSizes } from '../../ops/recurrent-steps.ts';
import { isKnown } from '../builder.ts';
import * as id from '../assembly/ids.ts';
import { after, ceil8, type Lowering } from '../lowering.ts';
import type { Place, Word } from '../program.ts';

/** Slots of X, W and R, which the step sees through products only. */
const [X, W, R] = [0, 1, 2];

/** Panels of some rows of a matrix [rows, K]. */
const panels = (ctx: Lowering, slot: number, first: number, count: number, K: number): Place =>
  ctx.derived(
    `own${slot}.${first}+${count}`,
    ceil8(count) * K,
    [ctx.input(slot)],
    (emit, [from], out) => {
      emit(id.PACK, after(from!, first * K), 0, K * 4, 4, K, count, out);
    },
  );

/** The words of a product out [rows, N] = A [rows, K] · panels. */
function productWords(
  ctx: Lowering,
  [rows, K, N]: readonly [number, number, number],
  a: Place,
  b: Place,
  out: Place,
): Word[] {
  const edge = N % 8 === 0 ? 0 : ctx.scratch(rows * 8, 'edge');
  return [1, rows, K, N, a, K * 4, 0, b, 0, 0, 0, 0, 0, 0, out, 0, edge];
}

/**
 * A layer whose cell has no kernel of its own.
 *
 * @returns false where its weights are no constants: the reference's code has the layer then
 */
export function lowerOwnCell(
  ctx: Lowering,
  attributes: RecurrentAttributes,
  sizes: RecurrentSizes,
): boolean {
  const { T, B, I, H, D, G, O } = sizes;
  const weights = [W, R].flatMap((slot) => ctx.inputs[slot] ?? []);
  if (!weights.every((value) => value.constant && isKnown(value)) || T * B * I === 0) return false;
  const directions = Array.from({ length: D }, (_, d) => d);
  const inputs = directions.map((d) => {
    const out = ctx.scratch(T * B * G * H, 'W·x');
    const b = panels(ctx, W, d * G * H, G * H, I);
    ctx.emit(id.MATMUL, productWords(ctx, [T * B, I, G * H], ctx.read(X), b, out));
    return out;
  });
  const [operand, result] = [ctx.scratch(O, 'operand'), ctx.scratch(H, 'product')];
  const gates = ctx.inputs[R] ? [...cellOf(attributes.cell).gates.keys()] : [];
  const recurrent = directions.map((d) =>
    gates.map((gate) => {
      const b = panels(ctx, R, (d * G + gate) * H, H, O);
      return { kernel: id.MATMUL, words: productWords(ctx, [1, O, H], operand, b, result) };
    }),
  );
  ctx.host({ sizes, inputs, recurrent, operand, result }, [X, W, R]);
  return true;
}
