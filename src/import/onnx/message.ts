// Walks the fields of one protobuf message. Whatever the bytes are, it stays inside them and ends
// with values or an RnnError. https://protobuf.dev/programming-guides/encoding/
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { RnnError } from '../../errors.ts';
import type { Budget } from '../limits.ts';
import { decodeUtf8 } from '../utf8.ts';

const WIRE_NAMES: Readonly<Record<number, string>> = {
  [WireType.Varint]: 'a varint',
  [WireType.Bit64]: '64 bits',
  [WireType.LengthDelimited]: 'bytes with a length',
  [WireType.StartGroup]: 'a group',
  [WireType.EndGroup]: 'the end of a group',
  [WireType.Bit32]: '32 bits',
};

/**
 * A cursor over a message: `next()` gives the number of the next field, 0 at the end, and one
 * of the other methods takes its value; a field that nobody takes is skipped.
 */
export class Message {
  readonly path: string;
  readonly budget: Budget;
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  #field = 0;
  #wire: WireType = WireType.Varint;
  #taken = true;

  constructor(bytes: Uint8Array, path: string, budget: Budget) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes, decodeUtf8); // its own default needs a TextEncoder
    this.path = path;
    this.budget = budget;
  }

  /** Number of the next field; 0 when there is none. */
  next(): number {
    if (!this.#taken) this.#skip();
    if (this.#reader.pos >= this.#reader.len) return 0;
    [this.#field, this.#wire] = this.#guard(() => this.#reader.tag());
    this.#taken = false;
    return this.#field;
  }

  /** The field as bytes, a view into the file. */
  bytes(): Uint8Array {
    return this.#take(WireType.LengthDelimited, () => this.#view(this.#length()));
  }

  /** The field as a name: UTF-8 without faults, no longer than the cap, counted as an entry. */
  name(): string {
    this.budget.spend('maxEntries', 1, this.path, 'too many names, attributes and list entries');
    const bytes = this.bytes();
    this.budget.check('maxNameLength', bytes.length, this.path, 'a name is too long');
    return this.#guard(() => decodeUtf8(bytes, true));
  }

  /** The field as text; bytes that are no UTF-8 become replacement characters. */
  text(): string {
    return decodeUtf8(this.bytes(), false);
  }

  /** The field as an integer of 64 bits. */
  int64(): bigint {
    return this.#take(WireType.Varint, () => BigInt(this.#reader.int64()));
  }

  /** The field as an integer of 32 bits, such as a member of an enumeration. */
  int32(): number {
    return this.#take(WireType.Varint, () => this.#reader.int32());
  }

  /** The field as a float32. */
  float(): number {
    return this.#take(WireType.Bit32, () => this.#reader.float());
  }

  /**
   * The encoded elements of a repeated number: all of them where they are packed, else one. Both
   * look the same inside, see {@link varints} and its siblings.
   */
  elements(): Uint8Array {
    if (this.#wire === WireType.LengthDelimited) return this.bytes();
    this.budget.spend('maxEntries', 1, this.path, 'too many names, attributes and list entries');
    return this.#skip();
  }

  /** Path of the field that is read, by what the specification calls it. */
  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  #take<T>(wire: WireType, read: () => T): T {
    this.#taken = true;
    if (this.#wire !== wire) {
      throw new RnnError(
        'INVALID_MODEL',
        this.path,
        `field ${this.#field}, got ${WIRE_NAMES[this.#wire]}, expected ${WIRE_NAMES[wire]}`,
      );
    }
    return this.#guard(read);
  }

  #skip(): Uint8Array {
    if (this.#wire === WireType.LengthDelimited) return this.bytes();
    // Groups are not in the format; with a limit of 0 the reader refuses them.
    return this.#take(this.#wire, () => this.#reader.skip(this.#wire, this.#field, 0));
  }

  /** A length, which unlike other varints may not be longer than its value needs. */
  #length(): number {
    const start = this.#reader.pos;
    const length = this.#reader.uint32();
    const used = this.#reader.pos - start;
    if (used > 5 || (used === 5 && this.#bytes[this.#reader.pos - 1]! > 0x0f)) {
      throw new RangeError('a length of more than 32 bits');
    }
    return length;
  }

  #view(length: number): Uint8Array {
    const start = this.#reader.pos;
    const left = this.#reader.len - start;
    if (length > left) throw new RangeError(`${length} bytes announced, ${left} left`);
    this.#reader.pos = start + length;
    return this.#bytes.subarray(start, start + length);
  }

  #guard<T>(read: () => T): T {
    let value: T;
    try {
      value = read();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const where = `at byte ${this.#reader.pos} of ${this.#reader.len}`;
      throw new RnnError('INVALID_MODEL', this.path, `damaged protobuf ${where}: ${reason}`, {
        cause,
      });
    }
    if (this.#reader.pos > this.#reader.len) {
      const what = `got ${this.#reader.len} bytes, expected more`;
      throw new RnnError('INVALID_MODEL', this.path, `damaged protobuf: ${what}`);
    }
    return value;
  }
}

/** Calls `each` with the varints in `bytes` as signed integers of 64 bits. */
export function varints(bytes: Uint8Array, path: string, each: (value: bigint) => void): void {
  const reader = new BinaryReader(bytes, decodeUtf8); // its own default needs a TextEncoder
  try {
    while (reader.pos < reader.len) each(BigInt(reader.int64()));
  } catch (cause) {
    throw new RnnError('INVALID_MODEL', path, 'damaged list of integers', { cause });
  }
}

/** Calls `each` with the varints in `bytes` as signed integers of 32 bits. */
export function varints32(bytes: Uint8Array, path: string, each: (value: number) => void): void {
  const reader = new BinaryReader(bytes, decodeUtf8); // its own default needs a TextEncoder
  try {
    while (reader.pos < reader.len) each(reader.int32());
  } catch (cause) {
    throw new RnnError('INVALID_MODEL', path, 'damaged list of integers', { cause });
  }
}
