// The programs of one graph in the memory of a model, by shape, and one call of each.
import { RnnError } from '../../errors.ts';
import { toTensor } from '../../ops/value.ts';
import { allocate, isFloat, sizeOf } from '../../tensor.ts';
import type { DataType, Tensor } from '../../tensor.ts';
import type { Loaded, Machine } from '../../wasm/machine.ts';
import { checkIndices, type IndexCheck } from '../../plan/specialize/index-checks.ts';
import { makeProgram } from '../../wasm/make-program.ts';
import type { CpuStorage } from '../../wasm/lowering.ts';
import { wordsOf, type Words } from '../../wasm/program.ts';
import type { Tensors } from '../backend.ts';
import type { CheckedCall } from '../prepare-call.ts';

/** Programs kept for a graph. Each shape costs the memory of its values; the least recent goes first. */
const MAX_PROGRAMS = 16;

/** An input or output in memory. */
interface Slot {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly count: number;
  /** In elements of 4 bytes. */
  readonly at: number;
}

/** A value in memory that is given in place of a feed: the state of a stream. */
export interface Resident {
  readonly type: DataType;
  readonly dims: readonly number[];
  /** In elements of 4 bytes. */
  readonly at: number;
}

/** A program with all that a call needs. */
export interface Entry {
  readonly loaded: Loaded;
  readonly inputs: readonly Slot[];
  /** Inputs whose numbers the program is made for. */
  readonly fixed: readonly (readonly [name: string, value: Tensor])[];
  readonly outputs: readonly (Slot | { readonly name: string; readonly host: Tensor })[];
  readonly wanted: readonly string[];
  /** Whether each call must be checked by its numbers, because they are lengths of sequences. */
  readonly isChecked: boolean;
  /** Indices among the feeds, which each call checks. */
  readonly indices: readonly IndexCheck[];
}

const sameDims = (a: readonly number[], b: readonly number[]): boolean => {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
};

const sameNumbers = (a: Tensor['data'], b: Tensor['data']): boolean => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((name, i) => name === b[i]));

/** Whether a program is for these feeds, with `states` in place of inputs that are not fed. */
function fits(
  entry: Entry,
  feeds: Tensors,
  states: ReadonlyMap<string, Resident> | undefined,
  wanted: readonly string[],
): boolean {
  if (entry.isChecked || !sameNames(entry.wanted, wanted)) return false;
  let fed = 0;
  for (const { name, type, dims, count } of entry.inputs) {
    const feed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
    if (feed === undefined) {
      const state = states?.get(name);
      if (state === undefined || !sameDims(state.dims, dims)) return false;
      continue;
    }
    if (feed.type !== type || !Array.isArray(feed.dims) || !sameDims(feed.dims, dims)) return false;
    if (!ArrayBuffer.isView(feed.data) || feed.data.length !== count) return false;
    fed++;
  }
  for (const [name, { type, dims, data }] of entry.fixed) {
    const feed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
    if (feed?.type !== type || !sameDims(feed.dims, dims)) return false;
    if (feed.data.length !== data.length || !sameNumbers(feed.data, data)) return false;
    fed++;
  }
  for (const _ in feeds) fed--;
  return fed === 0;
}

/** @throws RnnError `LIMIT_EXCEEDED` for what 32 bits cannot hold */
export function checkRange(name: string, { type, data }: Tensor): void {
  if (type !== 'int64' && type !== 'uint64') return;
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (value >= -0x80000000 && value <= 0x7fffffff) continue;
    const what = `got ${data[i]}, and integers in WebAssembly have 32 bits here`;
    throw new RnnError('LIMIT_EXCEEDED', `feeds.${name}[${i}]`, what);
  }
}

/** A tensor of words as the memory holds them; it may take the array over. */
export function tensorOf(type: DataType, dims: readonly number[], words: Words): Tensor {
  if (type === 'float32' || type === 'float16') return { type, dims, data: words as Float32Array };
  const data = allocate(type, words.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) data[i] = BigInt(words[i]!);
  } else (data as Float64Array).set(words);
  return { type, dims, data } as Tensor;
}

/** The programs of one graph, by shape and wanted outputs. */
export class Programs {
  readonly #machine: Machine;
  readonly #feedback: ReadonlyMap<string, string>;
  readonly #storage: CpuStorage;
  /** Least recent first. */
  readonly #entries = new Map<string, Entry>();
  #latest: Entry | undefined;

  /** @param feedback outputs that become state, by the inputs that take them */
  constructor(machine: Machine, feedback: ReadonlyMap<string, string>, storage: CpuStorage) {
    this.#machine = machine;
    this.#storage = storage;
    this.#feedback = feedback;
  }

  /**
   * The program of the latest call, where it serves this one as well; that needs no check of feeds.
   *
   * @param states what stands for inputs that are not fed
   */
  latest(
    feeds: Tensors,
    states: ReadonlyMap<string, Resident> | undefined,
    wanted: readonly string[],
  ): Entry | undefined {
    const entry = this.#latest;
    return entry && fits(entry, feeds, states, wanted) ? entry : undefined;
  }

  /** The program for a call that has been checked, made where there is none. */
  get(call: CheckedCall, feeds: Tensors, wanted: readonly string[]): Entry {
    const key = JSON.stringify([call.key, wanted]);
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else {
      const outputs = [...new Set([...wanted, ...this.#feedback.values()])];
      const program = makeProgram(call.specialized, {
        outputs,
        feedback: this.#feedback,
        storage: this.#storage,
      });
      const fixed = call.specialized.inputs.filter(({ host }) => host).map(({ name }) => name);
      call.release(); // this is the only program of such a call
      const loaded = this.#machine.load(program);
      entry = this.#entryOf(loaded, feeds, fixed, wanted, call);
    }
    this.#entries.set(key, entry);
    for (const [old, { loaded }] of this.#entries) {
      if (this.#entries.size <= MAX_PROGRAMS) break;
      this.#entries.delete(old);
      this.#machine.unload(loaded);
    }
    this.#latest = entry;
    return entry;
  }

  #entryOf(
    loaded: Loaded,
    feeds: Tensors,
    fixed: readonly string[],
    wanted: readonly string[],
    { lengths, indices }: CheckedCall,
  ): Entry {
    const { inputs, outputs } = loaded.program;
    const slotOf = ({ name, type, dims, place }: (typeof inputs)[number]): Slot => ({
      name,
      type,
      dims,
      count: sizeOf(dims),
      at: loaded.address(place) >>> 2,
    });
    return {
      loaded,
      inputs: inputs.map(slotOf),
      fixed: fixed.map((name) => [name, { ...feeds[name]!, data: feeds[name]!.data.slice() }]),
      outputs: outputs.map((output) =>
        'place' in output
          ? slotOf(output)
          : { name: output.name, host: toTensor(output.host, output.name) },
      ),
      wanted,
      isChecked: lengths.length > 0,
      indices,
    };
  }

  /** Runs a program: feeds, or states where nothing is fed, become its inputs. Results stay in memory. */
  run(entry: Entry, feeds: Tensors, states?: ReadonlyMap<string, Resident>): void {
    const { f32, i32 } = this.#machine.memory;
    for (const check of entry.indices) {
      const feed = feeds[check.input];
      if (feed) checkIndices(check, feed);
    }
    for (const { name, type, at, count } of entry.inputs) {
      const feed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
      if (feed === undefined) {
        const from = states!.get(name)!.at;
        i32.copyWithin(at, from, from + count);
        continue;
      }
      checkRange(name, feed);
      if (isFloat(type)) f32.set(feed.data as Float32Array, at);
      else i32.set(wordsOf(type, feed.data) as Int32Array, at);
    }
    this.#machine.run(entry.loaded);
  }

  /** A tensor of what is in memory, in an array of its own. */
  read({ type, dims, at }: Resident): Tensor {
    const { f32, i32 } = this.#machine.memory;
    const count = sizeOf(dims);
    return tensorOf(type, dims, (isFloat(type) ? f32 : i32).slice(at, at + count));
  }

  /** The wanted outputs after a run. */
  results(entry: Entry): Record<string, Tensor> {
    const results: Record<string, Tensor> = {};
    for (const output of entry.outputs) {
      if (!entry.wanted.includes(output.name)) continue;
      results[output.name] =
        'host' in output ? { ...output.host, data: output.host.data.slice() } : this.read(output);
    }
    return results;
  }

  /** Where the output is that becomes the state of an input. */
  next(entry: Entry, input: string): Resident {
    const name = this.#feedback.get(input);
    return entry.outputs.find((output) => output.name === name) as Slot;
  }

  dispose(): void {
    for (const { loaded } of this.#entries.values()) this.#machine.unload(loaded);
    this.#entries.clear();
    this.#latest = undefined;
  }
}
