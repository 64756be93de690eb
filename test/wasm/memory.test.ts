// The linear memory of a model, and the arena of a program in it.
import { describe, expect, it } from 'vitest';
import { RnnError } from '../../src/errors.ts';
import { LinearMemory } from '../../src/wasm/memory.ts';
import type { Kernels } from '../../src/wasm/kernels.ts';
import { plainKernels } from '../../src/wasm/plain/index.ts';

const memoryOf = (maximum = 64): LinearMemory =>
  new LinearMemory({
    memory: new WebAssembly.Memory({ initial: 1, maximum }),
    run: () => -1,
    HEAP: { value: 100 },
  } satisfies Kernels);

describe('blocks of linear memory', () => {
  it('begin on a cache line behind what the kernels have, and never overlap', () => {
    const memory = memoryOf();
    const blocks = [1, 64, 65, 1000].map((bytes) => [memory.take(bytes, 'test'), bytes] as const);
    for (const [at, bytes] of blocks) {
      expect(at % 64).toBe(0);
      expect(at).toBeGreaterThanOrEqual(100);
      // Vectors of 16 bytes may go beyond the last element.
      expect(memory.sizeOf(at)).toBeGreaterThanOrEqual(bytes + 28);
    }
    const sorted = blocks.map(([at]) => at).toSorted((a, b) => a - b);
    sorted.slice(1).forEach((at, k) => {
      expect(at).toBeGreaterThanOrEqual(sorted[k]! + memory.sizeOf(sorted[k]!));
    });
  });

  it('are used again when they are given back, neighbours as one', () => {
    const memory = memoryOf();
    const [a, b, c] = [memory.take(640, 'a'), memory.take(640, 'b'), memory.take(640, 'c')];
    memory.give(a);
    memory.give(b);
    expect(memory.take(1300, 'both')).toBe(a);
    memory.give(c);
    expect(memory.take(5000, 'at the end')).toBe(c);
  });

  it('keep their numbers when the memory grows', () => {
    const memory = memoryOf();
    const at = memory.take(16, 'before') / 4;
    memory.f32.set([1, 2, 3, 4], at);
    const old = memory.f32;
    memory.take(1e6, 'large');
    expect(old.length).toBe(0);
    expect([...memory.f32.subarray(at, at + 4)]).toEqual([1, 2, 3, 4]);
    expect(memory.i32[at]).toBe(0x3f800000);
  });

  it('are refused with OUT_OF_MEMORY where the memory cannot grow', () => {
    const memory = memoryOf(2);
    expect(() => memory.take(1e6, 'weights of W')).toThrow(RnnError);
    expect(() => memory.take(1e6, 'weights of W')).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY', path: 'weights of W' }),
    );
    expect(memory.take(100, 'small')).toBeGreaterThan(0);
  });
});

describe('memory of the plain kernels', () => {
  it('keeps its numbers when it grows, and begins with zeros', () => {
    const memory = new LinearMemory(plainKernels());
    const at = memory.take(16, 'before') / 4;
    memory.f32.set([1, 2, 3, 4], at);
    const next = memory.take(1e6, 'large') / 4;
    expect([...memory.f32.subarray(at, at + 4)]).toEqual([1, 2, 3, 4]);
    expect(memory.i32[at]).toBe(0x3f800000);
    expect(memory.f32.subarray(next, next + 250_000).every((x) => x === 0)).toBe(true);
    expect(memory.f32.length).toBeGreaterThan(next + 250_000);
  });

  it('refuses more than 31 bits can address with OUT_OF_MEMORY, and stays as it was', () => {
    const memory = new LinearMemory(plainKernels());
    expect(() => memory.take(2 ** 31 - 2 ** 16, 'weights of W')).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY', path: 'weights of W' }),
    );
    expect(memory.take(100, 'small')).toBeGreaterThan(0);
  });
});
