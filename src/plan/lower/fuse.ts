// Fuses chains of elementwise nodes into one kernel: a node whose output has one reader becomes an
// expression, which its reader computes inline or materialises in a buffer. Nothing here depends on
// sizes, so that a new size compiles nothing.
import { OPERANDS } from '../../../shaders/elementwise.ts';
import { type DataType, sizeOf } from '../../tensor.ts';
import type { Lowering } from '../lowering.ts';
import { deviceArray } from '../device-array.ts';
import type { Argument, Operand, Term } from '../values.ts';
import { type Target, operand, pointwise, target } from './pointwise.ts';
import { MAX_FUSED_OPERATORS } from '../select/tuning-tables.ts';
import { input, scalarOf } from './operator.ts';

const isTerm = (value: Argument): value is Term => 'args' in value;

/** An input of an elementwise node: an expression or a view where it is lazy, else its buffer. */
export function argument(ctx: Lowering, slot: number): Argument {
  const value = input(ctx, slot);
  const { type, dims } = value;
  if (value.lazy && value.buffer === undefined) {
    if ('part' in value.lazy) return value.lazy.part;
    return 'view' in value.lazy ? value.lazy.view : value.lazy.expression;
  }
  if (value.constant && sizeOf(dims) === 1) {
    return { type, dims, value: deviceArray(value.tensor ?? value.host!, value.name)[0]! };
  }
  return operand(ctx, slot);
}

/** Counts the distinct buffers and the terms of expressions. */
function extent(args: readonly Argument[]): { buffers: Set<object>; terms: Set<Term> } {
  const found = { buffers: new Set<object>(), terms: new Set<Term>() };
  const visit = (arg: Argument): void => {
    if ('buffer' in arg) found.buffers.add(arg.source ?? arg);
    if (!isTerm(arg) || found.terms.has(arg)) return;
    found.terms.add(arg);
    arg.args.forEach(visit);
  };
  args.forEach(visit);
  return found;
}

/** Materialises the costliest arguments until the expression fits one kernel of the device. */
function fitting(ctx: Lowering, args: readonly Argument[]): readonly Argument[] {
  const maxBuffers = Math.min(OPERANDS.length, ctx.device.maxStorageBuffersPerShaderStage - 1);
  let list = args;
  for (;;) {
    const { buffers, terms } = extent(list);
    if (buffers.size <= maxBuffers && terms.size < MAX_FUSED_OPERATORS) return list;
    const costOf = (term: Term): number => {
      const cost = extent([term]);
      return cost.buffers.size * MAX_FUSED_OPERATORS + cost.terms.size;
    };
    const [costliest] = list.filter(isTerm).toSorted((a, b) => costOf(b) - costOf(a));
    if (costliest === undefined) return list;
    list = list.map((arg) => (arg === costliest ? costliest.store() : arg));
  }
}

/** An expression of arguments; `out` makes the buffer where it has to be materialised. */
export function termOf(
  ctx: Lowering,
  args: readonly Argument[],
  expression: string,
  { type, dims }: { readonly type: DataType; readonly dims: readonly number[] },
  out: () => Target,
): Term {
  let stored: Operand | undefined;
  const term: Term = {
    op: ctx.node.op.toLowerCase(),
    type,
    dims,
    args: fitting(ctx, args),
    expression,
    store: () => {
      if (!stored) {
        const to = out();
        stored = { ...to, source: to };
        compute(ctx, term, to);
      }
      return stored;
    },
  };
  return term;
}

/** Makes an expression output 0: lazy for a single reader, materialised for several. */
export function yieldTerm(ctx: Lowering, args: readonly Argument[], expression: string): void {
  const term = termOf(ctx, args, expression, ctx.outputs[0]!, () => target(ctx));
  if (ctx.readers(0) === 1) ctx.defer(0, { expression: term, materialize: term.store });
  else term.store();
}

/** Makes output 0 input 0 with another element type: no work. */
export function yieldSame(ctx: Lowering): void {
  const { lazy, buffer } = input(ctx, 0);
  const maxReaders = lazy && 'view' in lazy ? Number.MAX_VALUE : 1;
  if (!lazy || 'part' in lazy || buffer !== undefined || ctx.readers(0) > maxReaders) {
    return ctx.alias(0, 0);
  }
  const { type } = ctx.outputs[0]!;
  const materialize = (): void => ctx.alias(0, 0);
  if ('view' in lazy) ctx.defer(0, { view: { ...lazy.view, type }, materialize });
  else ctx.defer(0, { expression: { ...lazy.expression, type }, materialize });
}

/** Dispatches one kernel for a whole expression. */
function compute(ctx: Lowering, root: Term, out: Target): void {
  const operands: Operand[] = [];
  const uniforms: Record<string, readonly ['i32' | 'f32', number]> = {};
  const functions = new Map<string, string>();
  const steps: string[] = [];
  const names = new Map<object, string>();
  const ops: string[] = [];
  const nameOf = (arg: Argument): string => {
    const key = ('buffer' in arg && arg.source) || arg;
    const name = names.get(key) ?? newName(arg);
    names.set(key, name);
    return name;
  };
  const newName = (arg: Argument): string => {
    if ('buffer' in arg) return OPERANDS[operands.push(arg) - 1]!;
    if ('value' in arg) {
      const name = `s${Object.keys(uniforms).length}`;
      uniforms[name] = [scalarOf(arg.type), arg.value];
      return `params.${name}`;
    }
    const given = arg.args.map(nameOf);
    const parameters = arg.args.map(({ type }, k) => `${OPERANDS[k]!}: ${scalarOf(type)}`);
    const type = scalarOf(arg.type);
    const text = `(${parameters.join(', ')}) -> ${type} { return ${type}(${arg.expression}); }`;
    const step = functions.get(text) ?? `step${functions.size}`;
    functions.set(text, step);
    ops.push(arg.op);
    return `t${steps.push(`let t${steps.length} = ${step}(${given.join(', ')});`) - 1}`;
  };
  const expression = nameOf(root);
  const texts = [...functions].map(([text, name]) => `fn ${name}${text}`);
  const code = { expression, steps: steps.join('\n'), functions: texts.join('\n') };
  const name = ops.length > 4 ? `${ops.slice(0, 3).join('+')}+${ops.length - 3}` : ops.join('+');
  pointwise(ctx, operands, { ...code, name, uniforms, operations: ops.length }, out);
}
