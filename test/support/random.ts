// Random numbers that are the same for the same seed.

/** A stream of random numbers. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  pick<T>(choices: readonly T[]): T;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** float32 numbers in [-scale, scale). */
  floats(count: number, scale?: number): Float32Array;
  /** Whole numbers from 0 up to `count` in a random order. */
  permutation(count: number): number[];
}

/** Mulberry32, Tommy Ettinger's 32-bit generator. */
export function randomOf(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    int,
    pick: (choices) => choices[int(0, choices.length - 1)]!,
    chance: (probability) => next() < probability,
    floats: (count, scale = 1) =>
      Float32Array.from({ length: count }, () => (2 * next() - 1) * scale),
    permutation: (count) => {
      const order = [...Array(count).keys()];
      for (let i = count - 1; i > 0; i--) {
        const j = int(0, i);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
  };
}
