// Compares the answers of engines: nothing is timed before its answer is right.

/** Largest difference from the right answer that counts as right: f32 over long sums, values of order one. */
export const TOLERANCE = 1e-4;

/** Largest difference between two results; infinite for other lengths and where one has no number. */
export function worstDifference(a: Float32Array, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= worst))
      worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return worst;
}

/** {@link worstDifference} for JSON, which has no infinity: null instead. */
export function finiteDifference(a: Float32Array, b: ArrayLike<number>): number | null {
  const difference = worstDifference(a, b);
  return Number.isFinite(difference) ? difference : null;
}

/** Whether a difference of {@link finiteDifference} counts as right. */
export const isRight = (difference: number | null): boolean =>
  difference !== null && difference <= TOLERANCE;
