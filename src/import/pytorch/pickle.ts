// Reads pickles without Python: a machine with a stack for the opcodes of plain data. It can run no
// code. A global is a name that the caller knows or refuses, and what is called is a function here.
// https://github.com/python/cpython/blob/3.13/Lib/pickletools.py
import { RnnError } from '../../errors.ts';
import type { Budget } from '../limits.ts';

/** A value of a pickle; lists and tuples are arrays, dicts are maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleObject;

/** A class or function that a pickle names. */
export class PickleGlobal {
  /** `torch._utils._rebuild_tensor_v2`. */
  readonly name: string;
  /** Makes what Python would; undefined where calling it makes nothing that is known here. */
  readonly call: ((args: readonly PickleValue[]) => PickleValue) | undefined;

  constructor(name: string, call?: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name;
    this.call = call;
  }
}

/** What the caller's functions make of arguments. */
export abstract class PickleObject {
  /** In words, for messages. */
  abstract readonly kind: string;
}

/** What the caller of {@link readPickle} knows. */
export interface PickleHost {
  /** What errors call the pickle. */
  readonly path: string;
  /** Counts what the pickle makes, against `maxEntries`. */
  readonly budget: Budget;
  /** @throws RnnError for a global that is not known */
  readonly global: (name: string) => PickleGlobal;
  /** The object that a persistent id stands for, which is outside of the pickle. */
  readonly persistent: (id: PickleValue) => PickleValue;
}

/** The error for a pickle that no honest writer makes. */
export const damagedPickle = (path: string, what: string): RnnError =>
  new RnnError('INVALID_MODEL', path, `damaged pickle (${what})`);

const NEWEST_PROTOCOL = 5;

const utf8 = new TextDecoder();

/** The bytes that are left to read, the stack, its marks and the memo. */
class Machine {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #host: PickleHost;
  #stack: PickleValue[] = [];
  /** Stacks below each mark. */
  readonly #below: PickleValue[][] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array, at: number, host: PickleHost) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
    this.#host = host;
  }

  /** Runs to STOP and gives what is on top then. */
  run(): PickleValue {
    for (;;) {
      const opcode = this.byte();
      if (opcode === STOP) return this.pop();
      const execute = OPCODES[opcode];
      if (execute === undefined) {
        const hex = `0x${opcode.toString(16).padStart(2, '0')}`;
        throw damagedPickle(
          this.#host.path,
          `opcode ${hex} at ${this.at - 1} is not of plain data`,
        );
      }
      execute(this);
    }
  }

  #advance(count: number): number {
    const from = this.at;
    // Also for a length that is no safe number.
    if (!(count <= this.#bytes.length - from))
      throw damagedPickle(this.#host.path, 'it ends early');
    this.at += count;
    return from;
  }

  checkProtocol(protocol: number): void {
    if (protocol <= NEWEST_PROTOCOL) return;
    const what = `protocol, got ${protocol}, expected at most ${NEWEST_PROTOCOL}`;
    throw damagedPickle(this.#host.path, what);
  }

  byte(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  number<K extends 'getUint16' | 'getInt32' | 'getUint32' | 'getFloat64'>(
    read: K,
    width: number,
    littleEndian = true,
  ): number {
    return this.#view[read](this.#advance(width), littleEndian);
  }

  length64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  text(length: number): string {
    const from = this.#advance(length);
    return utf8.decode(this.#bytes.subarray(from, from + length));
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) throw damagedPickle(this.#host.path, 'a line has no end');
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }

  /** A whole number in two's complement, little-endian. */
  long(): number | bigint {
    const length = this.byte();
    const from = this.#advance(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[from + i]!);
    const signed = BigInt.asIntN(8 * length, value);
    const isSafe = BigInt(Number.MIN_SAFE_INTEGER) <= signed && signed <= Number.MAX_SAFE_INTEGER;
    return isSafe ? Number(signed) : signed;
  }

  push(value: PickleValue): void {
    this.#host.budget.spend('maxEntries', 1, this.#host.path, 'too many values');
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined) throw damagedPickle(this.#host.path, 'its stack is empty');
    return value;
  }

  popText(): string {
    const value = this.pop();
    if (typeof value !== 'string') throw damagedPickle(this.#host.path, 'expected a text');
    return value;
  }

  /** The last `count` values. */
  popTuple(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).toReversed();
  }

  peek(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  mark(): void {
    this.#host.budget.spend('maxEntries', 1, this.#host.path, 'too many values');
    this.#below.push(this.#stack);
    this.#stack = [];
  }

  popToMark(): PickleValue[] {
    const values = this.#stack;
    const below = this.#below.pop();
    if (below === undefined) throw damagedPickle(this.#host.path, 'a mark is missing');
    this.#stack = below;
    return values;
  }

  remember(place = this.#memo.size): void {
    this.#memo.set(place, this.peek());
  }

  recall(place: number): void {
    const value = this.#memo.get(place);
    if (value === undefined) throw damagedPickle(this.#host.path, `nothing was kept at ${place}`);
    this.push(value);
  }

  append(values: readonly PickleValue[]): void {
    const list = this.peek();
    if (!Array.isArray(list)) throw damagedPickle(this.#host.path, 'expected a list');
    for (const value of values) list.push(value);
  }

  setItems(pairs: readonly PickleValue[]): void {
    const dict = this.peek();
    if (!(dict instanceof Map) || pairs.length % 2 !== 0) {
      throw damagedPickle(this.#host.path, 'expected a dict, and pairs for it');
    }
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i]!, pairs[i + 1]!);
  }

  pushGlobal(module: string, name: string): void {
    this.push(this.#host.global(`${module}.${name}`));
  }

  pushPersistent(): void {
    this.push(this.#host.persistent(this.pop()));
  }

  /** Calls a known function. */
  reduce(): void {
    const args = this.pop();
    const called = this.pop();
    if (!(called instanceof PickleGlobal) || !Array.isArray(args)) {
      throw damagedPickle(this.#host.path, 'a call of something that is no function');
    }
    if (called.call === undefined) throw damagedPickle(this.#host.path, `a call of ${called.name}`);
    this.push(called.call(args));
  }

  /** Takes the attributes of an object, of which only an OrderedDict has some: versions of its modules. */
  build(): void {
    this.pop();
    const target = this.peek();
    if (!(target instanceof Map)) throw damagedPickle(this.#host.path, 'attributes of no dict');
  }
}

const STOP = 0x2e;

/** By opcode; of an instance or a class there is none. */
const OPCODES: Readonly<Record<number, (machine: Machine) => void>> = {
  0x80: (m) => m.checkProtocol(m.byte()), // PROTO
  0x95: (m) => void m.length64(), // FRAME, a hint for reading ahead
  0x28: (m) => m.mark(), // MARK
  0x30: (m) => void m.pop(), // POP
  0x31: (m) => void m.popToMark(), // POP_MARK
  0x32: (m) => m.push(m.peek()), // DUP
  0x4e: (m) => m.push(null), // NONE
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x4a: (m) => m.push(m.number('getInt32', 4)), // BININT
  0x4b: (m) => m.push(m.byte()), // BININT1
  0x4d: (m) => m.push(m.number('getUint16', 2)), // BININT2
  0x8a: (m) => m.push(m.long()), // LONG1
  0x47: (m) => m.push(m.number('getFloat64', 8, false)), // BINFLOAT
  0x58: (m) => m.push(m.text(m.number('getUint32', 4))), // BINUNICODE
  0x8c: (m) => m.push(m.text(m.byte())), // SHORT_BINUNICODE
  0x8d: (m) => m.push(m.text(m.length64())), // BINUNICODE8
  0x54: (m) => m.push(m.text(m.number('getUint32', 4))), // BINSTRING, of Python 2
  0x55: (m) => m.push(m.text(m.byte())), // SHORT_BINSTRING, of Python 2
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x61: (m) => m.append([m.pop()]), // APPEND
  0x65: (m) => m.append(m.popToMark()), // APPENDS
  0x29: (m) => m.push([]), // EMPTY_TUPLE
  0x85: (m) => m.push(m.popTuple(1)), // TUPLE1
  0x86: (m) => m.push(m.popTuple(2)), // TUPLE2
  0x87: (m) => m.push(m.popTuple(3)), // TUPLE3
  0x74: (m) => m.push(m.popToMark()), // TUPLE
  0x7d: (m) => m.push(new Map()), // EMPTY_DICT
  0x73: (m) => m.setItems(m.popTuple(2)), // SETITEM
  0x75: (m) => m.setItems(m.popToMark()), // SETITEMS
  0x71: (m) => m.remember(m.byte()), // BINPUT
  0x72: (m) => m.remember(m.number('getUint32', 4)), // LONG_BINPUT
  0x94: (m) => m.remember(), // MEMOIZE
  0x68: (m) => m.recall(m.byte()), // BINGET
  0x6a: (m) => m.recall(m.number('getUint32', 4)), // LONG_BINGET
  0x63: (m) => m.pushGlobal(m.line(), m.line()), // GLOBAL
  0x93: (m) => {
    const name = m.popText(); // STACK_GLOBAL
    m.pushGlobal(m.popText(), name);
  },
  0x51: (m) => m.pushPersistent(), // BINPERSID
  0x52: (m) => m.reduce(), // REDUCE
  0x62: (m) => m.build(), // BUILD
};

/**
 * Reads one pickle.
 *
 * @param at where it begins
 * @returns its value, which may contain itself, and where the bytes after it begin
 * @throws RnnError `INVALID_MODEL` for damaged bytes and for opcodes that are not those of plain data,
 *   `LIMIT_EXCEEDED` for too many values, and what the host throws
 */
export function readPickle(
  bytes: Uint8Array,
  at: number,
  host: PickleHost,
): { readonly value: PickleValue; readonly end: number } {
  const machine = new Machine(bytes, at, host);
  const value = machine.run();
  return { value, end: machine.at };
}
