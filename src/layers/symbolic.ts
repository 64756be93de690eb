// Values between layers before there is a graph: what a layer gives when it is applied, with its type and shape.
import { RnnError } from '../errors.ts';
import { GraphBuilder } from '../graph-builder.ts';
import type { ValueInfo } from '../graph.ts';

/**
 * An input of a model, or what a layer makes of one: a name, a type and a shape, but no numbers.
 * `functional` makes a graph of those between its inputs and outputs.
 */
export interface SymbolicTensor extends ValueInfo {
  /** @internal Larger than those of all values that it is computed from. */
  readonly serial: number;
  /** @internal What made it; undefined for an input. */
  readonly from?: Source | undefined;
}

/** Which output of which call a value is. */
interface Source {
  readonly application: Application;
  readonly slot: number;
}

/** One call of a layer. */
export interface Application {
  /** The same for every call of the layer. */
  readonly layer: object;
  readonly kind: string;
  readonly name: string | undefined;
  /** Some may be left out. */
  readonly inputs: readonly (SymbolicTensor | undefined)[];
  /** Appends its nodes, and gives its outputs. */
  readonly append: (site: Site) => readonly ValueInfo[];
}

/** Where a call of a layer is written. */
export interface Site {
  readonly builder: GraphBuilder;
  readonly inputs: readonly (ValueInfo | undefined)[];
  /** What nodes and constants are called after. */
  readonly stem: string;
  /** For errors. */
  readonly path: string;
}

let serials = 0;

/** A symbolic tensor. */
export const symbolic = (info: ValueInfo, from?: Source): SymbolicTensor => ({
  ...info,
  serial: serials++,
  from,
});

/** Whether a value came from `input` or a layer. */
export const isSymbolic = (value: unknown): value is SymbolicTensor =>
  typeof value === 'object' && value !== null && 'serial' in value && 'dims' in value;

/** Writes a graph that nobody reads: weights are not made ready for it. */
class ShapeBuilder extends GraphBuilder {
  override constant(name: string): string {
    return name;
  }
}

/**
 * Applies a layer: its nodes are appended to a graph that is thrown away, which checks it and tells the shapes.
 *
 * @throws RnnError `INVALID_ARGUMENT` for an input that is no symbolic tensor, and what the layer throws
 */
export function apply(application: Application): SymbolicTensor[] {
  const { kind, name, inputs, append } = application;
  const path = name ?? kind;
  inputs.forEach((value, i) => {
    if (value === undefined ? i > 0 : isSymbolic(value)) return;
    const what = `got ${Array.isArray(value) ? 'a list' : typeof value}, expected an input or the output of a layer`;
    throw new RnnError('INVALID_ARGUMENT', `${path}.inputs[${i}]`, what);
  });
  const outputs = append({ builder: new ShapeBuilder(), inputs, stem: path, path });
  return outputs.map(({ type, dims }, slot) =>
    symbolic({ name: slot === 0 ? path : `${path}:${slot}`, type, dims }, { application, slot }),
  );
}
