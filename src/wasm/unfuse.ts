// The kernels for engines without relaxed SIMD. They are not shipped: each fused multiply-add of the kernels becomes a
// product and a sum, which is all that the two builds differ by.
// https://webassembly.github.io/spec/core/binary/modules.html

/** Sections by number. */
const [TYPES, FUNCTIONS, CODE] = [1, 3, 10];
/** Bytes of a module before its sections: magic and version. */
const HEADER = 8;
const V128 = 0x7b;
const [LOCAL_GET, LOCAL_SET] = [0x20, 0x21];
const ADD = [0xfd, 0xe4, 0x01];
const MUL = [0xfd, 0xe6, 0x01];
/**
 * f32x4.relaxed_madd. These three bytes stand for nothing else in the kernels: `scripts/build-wasm.mjs` counts
 * both, and fails where they differ.
 */
export const FUSED = [0xfd, 0x85, 0x02] as const;

/** LEB128, unsigned. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

/** Reads a module from some byte on. */
class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** LEB128, unsigned, up to 31 bits. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  take(count: number): Uint8Array {
    return this.#bytes.subarray(this.at, (this.at += count));
  }

  /** A vector of what `read` reads. */
  list<T>(read: () => T): T[] {
    return Array.from({ length: this.number() }, read);
  }
}

/** A function body: its locals, and one more that keeps the summand while the factors are multiplied. */
function unfusedBody(body: Uint8Array, parameters: number): number[] {
  const reader = new Reader(body);
  const locals = reader.list(() => [reader.number(), reader.take(1)[0]!] as const);
  const kept = leb(locals.reduce((sum, [count]) => sum + count, parameters));
  const groups = [...locals, [1, V128] as const];
  const out = [...leb(groups.length), ...groups.flatMap(([count, type]) => [...leb(count), type])];
  for (let at = reader.at; at < body.length; at++) {
    if (FUSED.every((byte, k) => body[at + k] === byte)) {
      out.push(LOCAL_SET, ...kept, ...MUL, LOCAL_GET, ...kept, ...ADD);
      at += FUSED.length - 1;
    } else out.push(body[at]!);
  }
  return out;
}

/** The kernels without fused multiply-adds, as 128-bit SIMD runs them. */
export function unfused(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const reader = new Reader(module, HEADER);
  const out = [...module.subarray(0, HEADER)];
  /** Parameters of each type, then of each function. */
  let counts: number[] = [];
  while (!reader.isAtEnd) {
    const section = reader.take(1)[0]!;
    const bytes = reader.take(reader.number());
    const inner = new Reader(bytes);
    let contents: Iterable<number> & ArrayLike<number> = bytes;
    if (section === TYPES) {
      counts = inner.list(() => {
        inner.take(1); // a function type
        const parameters = inner.take(inner.number()).length;
        inner.take(inner.number()); // the results
        return parameters;
      });
    } else if (section === FUNCTIONS) {
      const types = counts;
      counts = inner.list(() => types[inner.number()]!);
    } else if (section === CODE) {
      const bodies = inner.list(() => inner.take(inner.number()));
      const changed = bodies.map((body, k) => unfusedBody(body, counts[k]!));
      contents = [...leb(bodies.length), ...changed.flatMap((b) => [...leb(b.length), ...b])];
    }
    out.push(section, ...leb(contents.length));
    for (let k = 0; k < contents.length; k++) out.push(contents[k]!);
  }
  return Uint8Array.from(out);
}

/** Names of the builds. */
export type Build = 'simd128' | 'relaxed-simd';

/**
 * The best build that this engine accepts.
 *
 * @param module the kernels with fused multiply-adds
 * @param only the build to insist on, for tests
 */
export function bestBuild(
  module: Uint8Array<ArrayBuffer>,
  only?: Build,
): { readonly build: Build; readonly bytes: Uint8Array<ArrayBuffer> } {
  const build = only ?? (WebAssembly.validate(module) ? 'relaxed-simd' : 'simd128');
  return { build, bytes: build === 'relaxed-simd' ? module : unfused(module) };
}
