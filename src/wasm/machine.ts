// A model in linear memory: its kernels, the weights, and the programs that run on them.
import { RnnError } from '../errors.ts';
import type { HostValue } from '../ops/operator.ts';
import { operatorOf } from '../ops/registry.ts';
import type { PlannedNode } from '../plan/specialize/infer.ts';
import { isFloat, sizeOf } from '../tensor.ts';
import { assignOffsets } from './arena.ts';
import type { Kernels } from './kernels.ts';
import { LinearMemory } from './memory.ts';
import { runOwnCell, type LoadedProducts } from './own-cell.ts';
import { wordsOf } from './program.ts';
import type {
  Entry,
  HostStep,
  Located,
  Move,
  Place,
  Program,
  ProgramBuffer,
  Step,
  Word,
} from './program.ts';

/** Address of a place. */
type Resolve = (place: Place) => number;

/** Part of a loaded program: entries in memory, or a node of the host. */
type LoadedStep =
  | { readonly table: number; readonly entries: readonly Entry[] }
  | { readonly host: () => void }
  | {
      readonly times: number;
      readonly before: readonly LoadedMove[];
      readonly steps: readonly LoadedStep[];
      readonly after: readonly LoadedMove[];
    };

/** A copy in each iteration of a loop, in words of 4 bytes. */
interface LoadedMove {
  readonly from: number;
  readonly fromStep: number;
  readonly to: number;
  readonly toStep: number;
  readonly count: number;
}

/** A program in memory. */
export interface Loaded {
  readonly program: Program;
  readonly steps: readonly LoadedStep[];
  /** The byte address of a place. */
  readonly address: Resolve;
  /** Blocks that belong to the program. */
  readonly blocks: readonly number[];
}

const bits = new DataView(new ArrayBuffer(4));

function wordOf(word: Word, address: Resolve): number {
  if (typeof word === 'number') return word;
  if ('buffer' in word) return address(word);
  bits.setFloat32(0, word.float);
  return bits.getInt32(0);
}

/** See the top of the file. */
export class Machine {
  readonly memory: LinearMemory;
  #kernels: Kernels | undefined;
  readonly #weights = new Map<string, number>();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.memory = new LinearMemory(kernels);
  }

  /** Bytes of the weights, in the layout of the kernels. */
  get weightBytes(): number {
    return [...this.#weights.values()].reduce((sum, at) => sum + this.memory.sizeOf(at), 0);
  }

  /** Writes entries as a table. */
  #write(entries: readonly Omit<Entry, 'item'>[], address: Resolve): number {
    const words = entries.flatMap(({ kernel, words: list }) => [
      kernel,
      list.length + 2,
      ...list.map((word) => wordOf(word, address)),
    ]);
    const at = this.memory.take(words.length * 4, 'program');
    this.memory.i32.set(words, at >>> 2);
    return at;
  }

  #upload(at: number, words: Float32Array | Int32Array): void {
    if (words instanceof Float32Array) this.memory.f32.set(words, at >>> 2);
    else this.memory.i32.set(words, at >>> 2);
  }

  /** The address of a weight, which is made at its first use. */
  #weight(buffer: ProgramBuffer & { life: 'weight' }): number {
    const { key, count, recipe, label } = buffer;
    const found = this.#weights.get(key);
    if (found !== undefined) return found;
    const at = this.memory.take(count * 4, label);
    const whole = recipe.entries.length === 0;
    const sources = recipe.sources.map((make) => {
      const words = make();
      const place = whole ? at : this.memory.take(words.length * 4, label);
      this.#upload(place, words);
      return place;
    });
    if (!whole) {
      const places = [...sources, at];
      const table = this.#write(
        recipe.entries,
        ({ buffer: id, offset }) => places[id]! + offset * 4,
      );
      this.#kernels!.run(table, recipe.entries.length);
      for (const block of [...sources, table]) this.memory.give(block);
    }
    this.#weights.set(key, at);
    return at;
  }

  /** Puts a program into memory, with the weights that it is the first to use. */
  load(program: Program): Loaded {
    const blocks: number[] = [];
    const { offsets, bytes } = assignOffsets(program);
    const arena = this.memory.take(bytes, 'values');
    blocks.push(arena);
    const addresses = program.buffers.map((buffer, id) => {
      if (buffer.life === 'weight') return this.#weight(buffer);
      if (buffer.life !== 'constant') return arena + (offsets.get(id) ?? 0);
      const at = this.memory.take(buffer.count * 4, buffer.label);
      blocks.push(at);
      this.#upload(at, buffer.make());
      return at;
    });
    const address: Resolve = ({ buffer, offset }) => addresses[buffer]! + offset * 4;
    const moves = (list: readonly Move[]): readonly LoadedMove[] =>
      list.map((move) => ({
        ...move,
        from: address(move.from) >>> 2,
        to: address(move.to) >>> 2,
      }));
    const loaded = (step: Step): LoadedStep => {
      if (step.kind === 'host') {
        const { item, inputs, outputs, products } = step;
        if (!products) return { host: () => this.#evaluate(item, inputs, outputs, address) };
        const tables = products.recurrent.map((gates) =>
          gates.map((entry) => this.#write([entry], address)),
        );
        blocks.push(...tables.flat());
        return { host: () => this.#layer(step, { products, tables }, address) };
      }
      if (step.kind === 'loop') {
        const [before, after] = [moves(step.before), moves(step.after)];
        return { times: step.count, before, steps: step.steps.map(loaded), after };
      }
      const table = this.#write(step.entries, address);
      blocks.push(table);
      return { table, entries: step.entries };
    };
    const steps = program.steps.map(loaded);
    return { program, steps, address, blocks };
  }

  /** Frees the memory of a program; weights stay. */
  unload({ blocks }: Loaded): void {
    for (const block of blocks) this.memory.give(block);
  }

  /** Lets the instance and its memory go. Nothing runs after that. */
  dispose(): void {
    this.#kernels = undefined;
    this.#weights.clear();
    this.memory.dispose();
  }

  /** Runs a program on what is in its inputs. */
  run({ steps, program, address }: Loaded): void {
    for (const step of steps) this.#step(step, program, address);
  }

  #step(step: LoadedStep, program: Program, address: Resolve): void {
    if ('host' in step) return step.host();
    if ('times' in step) {
      for (let i = 0; i < step.times; i++) {
        for (const move of step.before) this.#move(move, i);
        for (const inner of step.steps) this.#step(inner, program, address);
        for (const move of step.after) this.#move(move, i);
      }
      return;
    }
    const { table, entries } = step;
    const refused = this.#kernels!.run(table, entries.length);
    if (refused >= 0) this.#explain(entries[refused]!.item, program, address);
  }

  #move({ from, fromStep, to, toStep, count }: LoadedMove, iteration: number): void {
    const start = from + iteration * fromStep;
    this.memory.i32.copyWithin(to + iteration * toStep, start, start + count);
  }

  /** Says why a kernel has refused its numbers: the float64 code refuses them too. */
  #explain(item: PlannedNode, program: Program, address: Resolve): never {
    const inputs = item.inputs.map(
      (value): Located | undefined => value && { value, place: program.places.get(value) },
    );
    this.#evaluate(item, inputs, [], address);
    throw new RnnError('INTERNAL', item.path, `the kernel of ${item.node.op} refused its numbers`);
  }

  /** Computes the layer of a cell of the caller's. */
  #layer({ item, inputs, outputs }: HostStep, loaded: LoadedProducts, address: Resolve): void {
    const results = runOwnCell(
      item,
      loaded,
      this.#read(inputs, address),
      this.memory,
      (place) => address(place) >>> 2,
      (table) => void this.#kernels!.run(table, 1),
    );
    outputs.forEach((place, slot) => {
      if (place) this.#upload(address(place), Float32Array.from(results[slot]!));
    });
  }

  /** Computes a node by the float64 code of its operator. */
  #evaluate(
    { node, path }: PlannedNode,
    inputs: readonly (Located | undefined)[],
    outputs: readonly (Place | undefined)[],
    address: Resolve,
  ): void {
    operatorOf(node, path)
      .evaluate(node, this.#read(inputs, address), path)
      .forEach(({ type, data }, slot) => {
        const place = outputs[slot];
        if (place) this.#upload(address(place), wordsOf(type, data));
      });
  }

  /** The numbers of values, in float64. */
  #read(
    inputs: readonly (Located | undefined)[],
    address: Resolve,
  ): readonly (HostValue | undefined)[] {
    return inputs.map((input): HostValue | undefined => {
      if (!input) return undefined;
      const { type, dims, host } = input.place ? { ...input.value, host: undefined } : input.value;
      if (host) return host;
      const at = address(input.place!) >>> 2;
      const { f32, i32 } = this.memory;
      const words = (isFloat(type) ? f32 : i32).subarray(at, at + sizeOf(dims));
      const data = Float64Array.from(words);
      return { type, dims, data: type === 'uint32' ? data.map((x) => x >>> 0) : data };
    });
  }
}
