// Statistics of samples, for the benchmarks and the demo pages.

/**
 * The number below which a fraction of the numbers lies, interpolated between neighbours (type 7 of Hyndman
 * and Fan, the default of R and NumPy); NaN for no numbers.
 */
export function quantile(numbers: ArrayLike<number>, fraction: number): number {
  const sorted = Float64Array.from(numbers).toSorted();
  if (sorted.length === 0) return Number.NaN;
  const place = fraction * (sorted.length - 1);
  const below = sorted[Math.floor(place)]!;
  return below + (sorted[Math.ceil(place)]! - below) * (place % 1);
}

/** The middle number, or the mean of the two in the middle; NaN for no numbers. */
export const median = (numbers: ArrayLike<number>): number => quantile(numbers, 0.5);

/** The arithmetic mean; NaN for no numbers. */
export function mean(numbers: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += numbers[i]!;
  return sum / numbers.length;
}

/** exp of the mean of the logarithms; NaN for no numbers. */
export const geometricMean = (numbers: readonly number[]): number =>
  Math.exp(mean(numbers.map(Math.log)));
