// What engines without relaxed SIMD run: the kernels with a product and a sum for each fused multiply-add.
import { kernels } from 'virtual:wasm-kernels';
import { expect, test } from 'vitest';
import { FUSED, unfused } from '../../src/wasm/unfuse.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, SEED } from '../support/settings.ts';

const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const timesIn = (bytes: Uint8Array): number =>
  bytes.reduce((n, _, at) => n + Number(FUSED.every((byte, k) => bytes[at + k] === byte)), 0);

test('of the kernels they are all that is replaced, and what is left is valid', () => {
  const bytes = bytesOf(kernels);
  const made = unfused(bytes);
  expect(timesIn(bytes)).toBeGreaterThan(100);
  expect(timesIn(made)).toBe(0);
  expect(WebAssembly.validate(made)).toBe(true);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(made), {
    math: Math as never,
  });
  expect(Object.keys(exports).toSorted()).toEqual(['HEAP', 'memory', 'run']);
});

/** `pad` instructions of no effect, then a · b + c in the first lane; with a local of its own, of which there are `locals`. */
function moduleOf(pad: number, locals: number): Uint8Array<ArrayBuffer> {
  const splat = (local: number): number[] => [0x20, local, 0xfd, 0x13];
  const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 0x7f) | 0x80, n >> 7]);
  const body = [
    [0x01, ...leb(locals), 0x7d],
    Array.from({ length: pad }, () => 0x01), // nop
    [0, 1, 2].flatMap(splat),
    FUSED,
    [0xfd, 0x1f, 0x00, 0x0b], // f32x4.extract_lane 0, end
  ].flat();
  const code = [0x01, ...leb(body.length), ...body];
  const sections = [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    [0x01, 0x08, 0x01, 0x60, 0x03, 0x7d, 0x7d, 0x7d, 0x01, 0x7d], // three float32 → one
    [0x03, 0x02, 0x01, 0x00],
    [0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00], // exported as f
    [0x0a, ...leb(code.length), ...code],
  ];
  return Uint8Array.from(sections.flat());
}

// Sizes that need a second byte in the module, before and after.
test.each([
  [0, 0],
  [92, 1],
  [98, 127],
  [200, 200],
])('a · b + c is rounded twice, after %i instructions and with %i locals', (pad, locals) => {
  const module = new WebAssembly.Module(unfused(moduleOf(pad, locals)));
  const { f } = new WebAssembly.Instance(module).exports as { f: (...of: number[]) => number };
  const random = randomOf(SEED);
  for (let k = 0; k < casesOf(200, 5000); k++) {
    const [a, b, c] = [...random.floats(3, 2)] as [number, number, number];
    expect(f(a, b, c)).toBe(Math.fround(Math.fround(a * b) + c));
  }
});
