// What the CPU lowering of an operator is given: its node with shapes known, and a place to put entries.
import type { Node } from '../graph.ts';
import type { OperatorParams } from '../ops/index.ts';
import type { ValueType } from '../ops/operator.ts';
import { broadcastStrides, stridesOf } from '../ops/indexing.ts';
import type { PlannedNode, Value } from '../plan/specialize/infer.ts';
import { isFloat, sizeOf, type DataType } from '../tensor.ts';
import { COPY, POINTWISE } from './assembly/ids.ts';
import { isKnown, knownWords, type ProgramBuilder } from './builder.ts';
import { collapse } from '../plan/lower/collapse-axes.ts';
import type { CellProducts, Place, Word, Words } from './program.ts';

/** Elements of a buffer by strides. */
export interface Strided {
  readonly place: Place;
  readonly strides: readonly number[];
}

/** A place some elements further. */
export const after = ({ buffer, offset }: Place, elements: number): Place => ({
  buffer,
  offset: offset + elements,
});

/** A number as a float32 word. */
export const float = (value: number): Word => ({ float: value });

/** The next multiple of 8: the width of a panel. */
export const ceil8 = (n: number): number => Math.ceil(n / 8) * 8;

/** How the kernels of the CPU store weights. */
export type CpuStorage = 'f32' | 'f16' | 'int8';

/** Words of an entry, one by one or in groups. */
type WordGroups = readonly (Word | readonly Word[])[];

/** Axes that a kernel steps along by strides. */
const AXES = 5;

/** Sizes and strides of AXES axes, 1 and 0 in front where there are fewer; strides in bytes. */
const padded = (list: readonly number[], filler: number, scale = 1): number[] => [
  ...Array.from({ length: AXES - list.length }, () => filler),
  ...list.map((x) => x * scale),
];

/** One node being lowered; `P` are the parameters that its operator makes. */
export class Lowering<P = unknown> {
  readonly node: Node;
  readonly params: P;
  readonly path: string;
  readonly inputs: readonly (Value | undefined)[];
  /** Types and shapes by slot. */
  readonly outputs: readonly ValueType[];
  /** How constant weights of recurrent layers are stored. */
  readonly storage: CpuStorage;
  /** Whether anyone reads an output. */
  readonly wanted: (slot: number) => boolean;
  readonly #item: PlannedNode;
  readonly #builder: ProgramBuilder;

  constructor(
    builder: ProgramBuilder,
    item: PlannedNode,
    storage: CpuStorage,
    wanted: (slot: number) => boolean,
  ) {
    this.storage = storage;
    this.node = item.node;
    this.params = item.params as P;
    this.path = `${item.path} ${item.node.op} '${item.node.name}'`;
    this.inputs = item.inputs;
    this.outputs = item.types;
    this.wanted = wanted;
    this.#item = item;
    this.#builder = builder;
  }

  /** An input that is not optional: `infer` has checked that it is there. */
  input(slot: number): Value {
    return this.inputs[slot]!;
  }

  /** Where an input is. */
  read(slot: number): Place {
    return this.#builder.placeOf(this.input(slot));
  }

  /** A buffer that lives within the entries of this node. */
  scratch(count: number, label = 'scratch'): Place {
    return this.#builder.scratch(count, `${this.path}: ${label}`);
  }

  /** A fresh buffer that becomes output `slot`. */
  write(slot = 0): Place {
    const place = this.scratch(sizeOf(this.outputs[slot]!.dims), `output ${slot}`);
    this.#builder.put(this.#item.outputs[slot]!, place);
    return place;
  }

  /** Output `slot` is input `from` with another shape or type: no work. */
  alias(slot: number, from: number): void {
    this.#builder.put(this.#item.outputs[slot]!, this.read(from));
  }

  /** Numbers that the host makes for this program. */
  constant(count: number, label: string, make: () => Words): Place {
    return this.#builder.constant(count, `${this.path}: ${label}`, make);
  }

  /** Has the float64 code of the operator compute this node, on products of kernels; `unread` are inputs that only these read. */
  host(products: CellProducts, unread: readonly number[]): void {
    this.#builder.host(this.#item, this.wanted, products, unread);
  }

  /** Adds one run of a kernel; its words may come in groups. */
  emit(kernel: number, ...words: WordGroups): void {
    this.#builder.emit(this.#item, kernel, words.flat());
  }

  /**
   * A buffer that is made of inputs and of numbers of the host: once for the model where the inputs are
   * constant, else in each run.
   *
   * @param key names the layout; the names of the inputs are added
   * @param make emits the entries for the places of the sources and of the buffer
   */
  derived(
    key: string,
    count: number,
    sources: readonly (Value | (() => Words))[],
    make: (emit: Lowering['emit'], places: readonly Place[], out: Place) => void,
  ): Place {
    const values = sources.filter((source) => typeof source !== 'function');
    if (values.every((value) => value.constant && isKnown(value))) {
      const entries: { kernel: number; words: readonly Word[] }[] = [];
      const places = sources.map((_, buffer) => ({ buffer, offset: 0 }));
      const emit = (kernel: number, ...words: WordGroups): void =>
        void entries.push({ kernel, words: words.flat() });
      make(emit, places, { buffer: sources.length, offset: 0 });
      const names = values.map(({ name }) => name).join('&');
      return this.#builder.weight(`${names}#${key}`, count, {
        sources: sources.map((source) =>
          typeof source === 'function' ? source : () => knownWords(source),
        ),
        entries,
      });
    }
    const out = this.scratch(count, key);
    const places = sources.map((source) =>
      typeof source === 'function'
        ? this.constant(source().length, key, source)
        : this.#builder.placeOf(source),
    );
    make((kernel, ...words) => this.emit(kernel, ...words), places, out);
    return out;
  }

  /**
   * A buffer that is made of a constant once for the model, without a kernel.
   *
   * @param key names the layout; the name of the constant is added
   */
  made(key: string, count: number, value: Value, make: (words: Words) => Words): Place {
    const sources = [() => make(knownWords(value))];
    return this.#builder.weight(`${value.name}#${key}`, count, { sources, entries: [] });
  }

  /** Copies elements by strides; starts are in the places. */
  copy(dims: readonly number[], from: Strided, to: Strided): void {
    if (sizeOf(dims) === 0) return;
    const { dims: sizes, strides } = collapse(dims, { from: from.strides, to: to.strides });
    forEachOuter(sizes, AXES, (inner, index) => {
      const skip = (list: readonly number[]): number =>
        index.reduce((sum, i, axis) => sum + i * list[axis]!, 0);
      const bytes = (list: readonly number[]): number[] => padded(list.slice(index.length), 0, 4);
      this.emit(
        COPY,
        after(from.place, skip(strides.from)),
        after(to.place, skip(strides.to)),
        ...padded(inner, 1),
        ...bytes(strides.from),
        ...bytes(strides.to),
      );
    });
  }

  /** A function of two or three operands, broadcast to `dims`, into a dense array. */
  pointwise(
    kind: number,
    dims: readonly number[],
    operands: readonly { readonly place: Place; readonly dims: readonly number[] }[],
    out: Place,
  ): void {
    if (sizeOf(dims) === 0) return;
    const [a, b, c] = [operands[0]!, operands[1]!, operands[2] ?? operands[1]!];
    const of = (operand: typeof a): number[] => broadcastStrides(operand.dims, dims);
    const all = { a: of(a), b: of(b), c: of(c), out: stridesOf(dims) };
    const { dims: sizes, strides } = collapse(dims, all);
    forEachOuter(sizes, AXES, (inner, index) => {
      const skip = (list: readonly number[]): number =>
        index.reduce((sum, i, axis) => sum + i * list[axis]!, 0);
      const words = (place: Place, list: readonly number[]): Word[] => [
        after(place, skip(list)),
        ...padded(list.slice(index.length), 0, 4),
      ];
      this.emit(
        POINTWISE,
        kind,
        after(out, skip(strides.out)),
        ...padded(inner, 1),
        ...words(a.place, strides.a),
        ...words(b.place, strides.b),
        ...words(c.place, strides.c),
      );
    });
  }
}

/** Visits the indices of the axes before the last `count`. */
function forEachOuter(
  dims: readonly number[],
  count: number,
  visit: (inner: readonly number[], index: readonly number[]) => void,
  index: readonly number[] = [],
): void {
  if (dims.length <= count) return visit(dims, index);
  for (let i = 0; i < dims[0]!; i++) forEachOuter(dims.slice(1), count, visit, [...index, i]);
}

/** How one node becomes entries; false, before any entry is made, where no kernel can do it. */
export type Lower<P = unknown> = (ctx: Lowering<P>) => boolean;

/** The lowering of any operator: only the planner, which has the parameters, can call it. */
export type AnyLower = Lower<never>;

/** The lowering of an operator by its name. */
export type LowerOf<Name extends keyof OperatorParams> = Lower<OperatorParams[Name]>;

/** Whether kernels for int32 compute a type as the reference does: its numbers do not wrap below 32 bits. */
export const isWide = (type: DataType): boolean =>
  type === 'int32' || type === 'int64' || type === 'bool';

export { isFloat, sizeOf };
