// Uniform random numbers that are the same on every backend: the host makes them from a seed.

/** Mixes 32 bits (the finaliser of MurmurHash3), so that near seeds give unrelated states. */
function mixed(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

const rotated = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/**
 * The numbers of one row of a batch: xoshiro128++ (https://prng.di.unimi.it/) seeded with `seed` and `row`. Each is
 * an odd multiple of 2^-24 between 0 and 1, which float32 holds exactly and which is neither 0 nor 1.
 */
export function uniformNumbers(seed: number, row: number): () => number {
  let word = mixed(seed) ^ mixed(Math.floor(seed / 2 ** 32) + 0x9e3779b9) ^ mixed(row + 0x7f4a7c15);
  const next = (): number => mixed((word = (word + 0x9e3779b9) | 0));
  let [a, b, c, d] = [next(), next(), next(), next() | 1]; // never all zero
  return () => {
    const result = (rotated((a + d) | 0, 7) + a) | 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotated(d, 11);
    return ((result >>> 9) + 0.5) / 2 ** 23;
  };
}

/** A seed for those who name none. */
export const anySeed = (): number => Math.floor(Math.random() * 2 ** 53);
