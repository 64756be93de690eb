// Collects the buffers and steps of a program while its nodes are lowered.
import type { PlannedNode, Value } from '../plan/specialize/infer.ts';
import { sizeOf } from '../tensor.ts';
import type {
  BufferId,
  CellProducts,
  Entry,
  HostStep,
  Located,
  LoopStep,
  NamedValue,
  Place,
  Program,
  ProgramBuffer,
  ProgramOutput,
  Recipe,
  Word,
  Words,
} from './program.ts';
import { wordsOf } from './program.ts';

/** Whether the numbers of a value are at hand. Unlike `host !== undefined` this makes none. */
export const isKnown = (value: Value): boolean =>
  value.tensor !== undefined || value.host !== undefined;

/** The numbers of a value that is known. */
export const knownWords = (value: Value): Words =>
  wordsOf(value.type, value.tensor ? value.tensor.data : value.host!.data);

type BuiltStep = { kind: 'table'; entries: Entry[] } | HostStep | LoopStep;

/** The program under construction. */
export class ProgramBuilder {
  readonly #buffers: ProgramBuffer[] = [];
  #steps: BuiltStep[] = [];
  readonly #inputs: NamedValue[] = [];
  readonly #places = new Map<Value, Place>();
  readonly #weights = new Map<string, Place>();

  #add(buffer: ProgramBuffer): Place {
    return { buffer: this.#buffers.push(buffer) - 1, offset: 0 };
  }

  /** An input of the graph, which is written before each run. */
  input(value: Value): void {
    const { name, type, dims } = value;
    const place = this.#add({ label: name, count: sizeOf(dims), life: 'input' });
    this.#places.set(value, place);
    this.#inputs.push({ name, type, dims, place });
  }

  scratch(count: number, label: string): Place {
    return this.#add({ label, count, life: 'scratch' });
  }

  /** A buffer that is made once for the model. `key` names content and layout. */
  weight(key: string, count: number, recipe: Recipe): Place {
    const found = this.#weights.get(key);
    if (found) return found;
    const made = this.#add({ label: key, count, life: 'weight', key, recipe });
    this.#weights.set(key, made);
    return made;
  }

  /** Numbers of the program itself, such as a table of columns. */
  constant(count: number, label: string, make: () => Words): Place {
    return this.#add({ label, count, life: 'constant', make });
  }

  /** Where a value is; one that is known is uploaded. */
  placeOf(value: Value): Place {
    let place = this.#places.get(value);
    if (place) return place;
    const count = sizeOf(value.dims);
    const make = (): Words => knownWords(value);
    place = value.constant
      ? this.weight(`${value.name}#${value.type}`, count, { sources: [make], entries: [] })
      : this.constant(count, value.name, make);
    this.#places.set(value, place);
    return place;
  }

  put(value: Value, place: Place): void {
    this.#places.set(value, place);
  }

  emit(item: PlannedNode, kernel: number, words: readonly Word[]): void {
    let step = this.#steps.at(-1);
    if (step?.kind !== 'table') this.#steps.push((step = { kind: 'table', entries: [] }));
    step.entries.push({ kernel, words, item });
  }

  /**
   * Has a node computed by the float64 code of its operator.
   *
   * @param products what kernels compute of it
   * @param unread inputs that are read through these products only
   */
  host(
    item: PlannedNode,
    wanted: (slot: number) => boolean,
    products?: CellProducts,
    unread: readonly number[] = [],
  ): void {
    const inputs = item.inputs.map((value, slot): Located | undefined =>
      value && !unread.includes(slot)
        ? { value, place: isKnown(value) ? undefined : this.placeOf(value) }
        : undefined,
    );
    const outputs = item.outputs.map((value, slot) => {
      if (!value || !wanted(slot)) return undefined;
      const place = this.scratch(sizeOf(value.dims), `${item.path}: output ${slot}`);
      this.put(value, place);
      return place;
    });
    this.#steps.push({ kind: 'host', item, inputs, outputs, products });
  }

  /**
   * Has what `make` adds run `count` times.
   *
   * @param make gives the copies at the begin and at the end of an iteration
   */
  loop(item: PlannedNode, count: number, make: () => Pick<LoopStep, 'before' | 'after'>): void {
    const around = this.#steps;
    this.#steps = [];
    const moves = make();
    const steps = this.#steps.filter((step) => step.kind !== 'loop'); // a loop inside is unrolled
    this.#steps = [...around, { kind: 'loop', item, count, steps, ...moves }];
  }

  finish(outputs: readonly ProgramOutput[]): Program {
    return {
      buffers: this.#buffers,
      steps: this.#steps,
      inputs: this.#inputs,
      outputs,
      places: this.#places,
    };
  }
}

/** Buffers that a step or an entry touches. */
export const placesIn = (words: readonly Word[]): BufferId[] =>
  words.flatMap((word) => (typeof word === 'object' && 'buffer' in word ? [word.buffer] : []));
